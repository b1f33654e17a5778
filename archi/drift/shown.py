"""What may be shown of an environment and a command line: never what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SECRETIVE = re.compile(r"key|token(?!s|izer)|secret|passw|credential|auth", re.IGNORECASE)

_OURS = re.compile(r"VLLM_BASE_URL|ARCHI_\w+|HF_HUB_OFFLINE|VLLM_\w+")
"""Variables of archi's own making, which hold no secret as it makes them."""


def variables(entries: Iterable[str]) -> dict[str, str]:
    """``NAME=value`` entries as a mapping."""
    return {name: value for name, _, value in (entry.partition("=") for entry in entries)}


def show_variable(name: str) -> bool:
    """Whether a variable is archi's own, and its name promises no secret."""
    return bool(_OURS.fullmatch(name)) and not _SECRETIVE.search(name)


def pair(expected: str | None, found: str | None, *, show: bool) -> tuple[str | None, str | None]:
    """Both values, or that they differ where they may be secret; None stays for what is not set.

    Addresses lose login and query.
    """
    if show:
        return _plain(expected), _plain(found)
    if expected is not None and found is not None:
        return "one value", "another value"
    return (None if expected is None else "set"), (None if found is None else "set")


def show_flag(name: str, expected: str | None, found: str | None) -> bool:
    """Whether a flag's values can't be secret: nobody knows what one added by hand holds."""
    return expected is not None and not _SECRETIVE.search(f"{name} {found or ''}")


def flags(command: Sequence[str]) -> dict[str, str]:
    """A command line as flags with their values; what stands before any flag is under ``""``."""
    found: dict[str, list[str]] = {}
    flag = ""
    for word in map(str, command):
        if word.startswith("-"):
            flag, equals, value = word.partition("=")
            found.setdefault(flag, [])
            if equals:
                found[flag].append(value)
        else:
            found.setdefault(flag, []).append(word)
    return {name: " ".join(values) for name, values in found.items()}


def _plain(value: str | None) -> str | None:
    if value is None:
        return None
    return re.sub(r"//[^/]*@", "//…@", value).partition("?")[0] or "set"
