"""A YAML file that a person wrote, read with what people do to YAML files in mind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from archi.settings.errors import SettingsError

_MOST_BYTES = 1024 * 1024
_MOST_VALUES = 10_000
_LEAST = "The least that it holds is a model:\nservices:\n  vllm:\n    model: Qwen/Qwen3-8B"


def read(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        SettingsError: there is no such file, it can't be read, or it is far too large.

    """
    try:
        if not path.is_file():
            what = "is a folder" if path.is_dir() else "does not exist"
            raise _refused(path.name, f"{path} {what}. Name a YAML file with your settings.")
        if path.stat().st_size > _MOST_BYTES:
            raise _too_large(path.name, path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise _refused(path.name, f"{path} can't be read: {error.strerror}.") from None


def parse(name: str, content: bytes) -> dict[Any, Any]:
    """The mapping that the file holds.

    Args:
        name: the file's name for people.
        content: the whole file; line ends of Windows and a byte-order mark are fine.

    Raises:
        SettingsError: naming the line, what is wrong there, and the mend.

    """
    if len(content) > _MOST_BYTES:
        raise _too_large(name, len(content))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refused(
            name,
            f"line {line}: byte {error.start} ({content[error.start]:#04x}) is no UTF-8. Save the "
            "file as UTF-8.",
        ) from None
    try:
        loader = _Loader(text)
        try:
            found = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise _refused(name, _said(error, text)) from None
    except (RecursionError, ValueError, OverflowError) as error:
        what = "it is nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise _refused(name, f"this can't be read as YAML: {what}.") from None
    if _weight(found, {}) > _MOST_VALUES:
        raise _refused(
            name, "its aliases (*name) make it grow without measure. Write the values out instead."
        )
    if found is None:
        raise _refused(name, f"it is empty. {_LEAST}")
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list) else "a single value"
        raise _refused(name, f"it holds {kind}, and keys with values are wanted. {_LEAST}")
    return found


class _Loader(yaml.SafeLoader):
    """Refuses a key that is there twice; dates stay texts."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
        seen: set[Any] = set()
        for key_node, _value in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise yaml.MarkedYAMLError(
                    problem="a key is a word, not a list or a mapping",
                    problem_mark=key_node.start_mark,
                )
            if key in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key!r} is there twice; take one out",
                    problem_mark=key_node.start_mark,
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _weight(value: Any, known: dict[int, float]) -> float:  # noqa: ANN401 - YAML
    """How many values there are once all aliases are written out; infinite where one is in itself.

    What is shared is counted once and added often: ten lines can stand for a billion values.
    """
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = float("inf")  # until it is known, for what lies in itself
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_weight(part, known) for part in parts)
    return known[id(value)]


def _said(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    if mark is None:
        return f"this is no YAML: {problem[:200]}."
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
        return f"line {mark.line + 1}: it is indented with a tab. Use spaces."
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem[:200]}."


def _refused(name: str, problem: str) -> SettingsError:
    return SettingsError([problem], f"{name} can't be used:")


def _too_large(name: str, size: int) -> SettingsError:
    return _refused(
        name,
        f"it has {size / 1e6:.1f} MB, and settings have at most 1 MB. Is it the right file?",
    )
