"""Lines of a log: without decoration, those that may tell an error, the one that does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# vLLM's own prefix, (EngineCore pid=88) ERROR 11-23 01:02:03 [core.py:123], and that of
# `docker logs --timestamps`. A process is called Worker_TP0 or EngineCore_DP1 where there are more.
_PREFIX = re.compile(
    r"(\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)\s)?(\([\w -]+pid=\d+\)\s?)?"
    r"((ERROR|CRITICAL|WARNING|INFO|DEBUG)\s+\d\d-\d\d \d\d:\d\d:\d\d\s+(\[[^\]]*\]\s?)?)?"
)
_LESSER = ("INFO", "DEBUG", "WARNING")
# Of a traceback: a place, or the code there. Pydantic's messages are indented less than code.
_FRAME = re.compile(r"  File \"|    (?!For further)|\s+[\^~]+$")
_TORCH_WARNING = re.compile(r"\[[WI]\d{4} ")
_HIDES_THE_CAUSE = re.compile(
    r"see root cause above|see stack trace|^Process \S+:$|^Traceback|^\s+\S|^\s*$"
    r"|during handling of the above exception|direct cause of the following|resource_tracker"
    r"|^usage:|leaked \w+ objects|For further information visit|^EngineCore failed to start"
    r"|^WorkerProc (hit an exception|failed)",
    re.IGNORECASE,
)
_SAYS_ERROR = re.compile(
    r"\b\w*(Error|Exception|Exit)\b\s*(:|\()|\berror:|\bfatal\b|\bfailed\b|\bpanic\b"
    r'|"level": "(error|critical)"|cannot start',
    re.I,
)
_LONGEST = 240


@dataclass(frozen=True)
class Line:
    """A line without its decoration, and its number in the log, from 1."""

    text: str
    number: int


def clean(line: str) -> str:
    """A log line without colours and vLLM's prefix of process, level, time and place."""
    plain = _ANSI.sub("", line) if "\x1b" in line else line
    return _without_prefix(plain.rstrip())[0]


def may_tell(lines: Iterable[str]) -> list[Line]:
    """The lines that may tell an error, cleaned, oldest first.

    Left out is what is logged as less than an error, and the places of a traceback. Of lines that
    say the same the last one stays: a container that fails over and over repeats itself.
    """
    found: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        plain = _ANSI.sub("", line) if "\x1b" in line else line
        text, level = _without_prefix(plain.rstrip())
        if level in _LESSER or not text or "FutureWarning" in text:
            continue
        if _FRAME.match(text) or _TORCH_WARNING.match(text):
            continue
        found.pop(text, None)
        found[text] = number
    return [Line(text, number) for text, number in found.items()]


def last_error(lines: Iterable[str]) -> str:
    """The last line that tells an error itself, not the traceback or the wrapper around it.

    Falls back to the last line that is no traceback; empty for no lines.
    """
    found = error_line(may_tell(lines))
    return shorten(found.text) if found else ""


def error_line(lines: list[Line]) -> Line | None:
    """As `last_error`, with the line's number; None for no lines."""
    last: Line | None = None
    for line in reversed(lines):
        if _HIDES_THE_CAUSE.search(line.text):
            continue
        if _SAYS_ERROR.search(line.text):
            return line
        last = last or line
    return last


def says_error(line: Line) -> bool:
    """Whether it tells an error, by itself or as the wrapper of one."""
    return bool(_SAYS_ERROR.search(line.text) or line.text.startswith("Traceback"))


def shorten(line: str) -> str:
    """A line that may be shown to people."""
    text = line.strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _without_prefix(line: str) -> tuple[str, str]:
    """A line without its prefix, and the level that it was logged at; empty where it has none."""
    prefix = _PREFIX.match(line)
    if prefix is None or not prefix.end():
        # uvicorn's and Python's own loggers: INFO:     Started server process [1]
        head, colon, _ = line.partition(":")
        return line, head if colon and head in _LESSER else ""
    text, level = line[prefix.end() :], prefix[5] or ""
    return text, level or (text.partition(":")[0] if text.startswith(_LESSER) else "")
