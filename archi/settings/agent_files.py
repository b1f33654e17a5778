"""Agents as files: ``agents/*.md``, front matter with name and tools, the system prompt below."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from archi import project

FOLDER = "agents"

_MOST_FILES = 100
_MOST_BYTES = 64 * 1024
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}\.md", re.ASCII)
_FENCE = "---"


class Unusable(ValueError):
    """A file is no agent; the text says why, and the mend."""


@dataclass(frozen=True)
class AgentFile:
    """One agent.

    Attributes:
        name: of the file, such as ``writer.md``.
        content: the whole text.

    """

    name: str
    content: str


def folder(chosen: str | None) -> Path | None:
    """Where the agents are: the folder chosen, else the project's ``agents`` if it has one."""
    if chosen is not None:
        return Path(chosen)
    own = project.find_root(Path.cwd()) / FOLDER
    return own if own.is_dir() else None


def read(chosen: str | None) -> list[AgentFile]:
    """The agents of a folder by name; none where there is no folder.

    Raises:
        Unusable: for the first file that is no agent.

    """
    found = _paths(chosen)
    return [AgentFile(path.name, _agent(path)) for path in found]


def problems(chosen: str | None) -> Iterator[str]:
    """What is wrong with the files, each with its mend."""
    try:
        paths = _paths(chosen)
    except Unusable as error:
        yield str(error)
        return
    names: dict[str, str] = {}
    for path in paths:
        try:
            content = _agent(path)
        except Unusable as error:
            yield f"{path.parent.name}/{path.name}: {error}"
            continue
        name = str(_front_matter(content)[0].get("name") or path.stem)
        if name in names:
            yield (
                f"{path.parent.name}/{path.name}: its name is {name!r}, as that of {names[name]}. "
                "Give each agent a name of its own."
            )
        names[name] = path.name


def _paths(chosen: str | None) -> list[Path]:
    where = folder(chosen)
    if where is None:
        return []
    try:
        found = sorted(path for path in where.iterdir() if path.suffix == ".md")
    except OSError as error:
        raise Unusable(f"{where.name}: it can't be read ({error.strerror}).") from None
    if len(found) > _MOST_FILES:
        raise Unusable(
            f"{where.name}: it has {len(found)} agents, and at most {_MOST_FILES} are taken. Is it "
            "the right folder?"
        )
    return found


def _agent(path: Path) -> str:
    if not _NAME.fullmatch(path.name):
        raise Unusable("a file's name is made of letters, digits, '-', '_' and '.'. Rename it.")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise Unusable(f"it has more than {_MOST_BYTES // 1024} KiB. Shorten it.")
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable("it is no UTF-8. Save the file as UTF-8.") from None
    except OSError as error:
        raise Unusable(f"it can't be read ({error.strerror}).") from None
    said, prompt = _front_matter(content)
    if not isinstance(said.get("name", ""), str):
        raise Unusable(f"name: {said['name']!r} is no text. Put it in quotes.")
    tools = said.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, str) for tool in tools):
        raise Unusable("tools: a list of names is wanted, such as [search_documents].")
    if not prompt.strip():
        raise Unusable("it has no system prompt. Write it below the second line of ---.")
    return content


def _front_matter(content: str) -> tuple[dict[str, Any], str]:
    """What stands between the two lines of ``---``, and what stands below."""
    lines = content.splitlines()
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, content
    try:
        end = next(at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE)
    except StopIteration:
        raise Unusable("its front matter has no end. Close it with a line of ---.") from None
    try:
        said = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 2}" if mark else ""
        raise Unusable(
            f"its front matter is no YAML{where}. Write name: and tools: there."
        ) from None
    if said is None:
        return {}, "\n".join(lines[end + 1 :])
    if not isinstance(said, dict):
        raise Unusable("its front matter is no YAML mapping. Write name: and tools: there.")
    return said, "\n".join(lines[end + 1 :])
