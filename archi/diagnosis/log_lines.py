"""Lines of a log: without decoration, those that may tell an error, the one that does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# vLLM's own prefix, (EngineCore pid=88) ERROR 11-23 01:02:03 [core.py:123], and that of
# `docker logs --timestamps`. A process is called Worker_TP0 or EngineCore_DP1 where there are more.
_PREFIX = re.compile(
    r"(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)\s)?(?:\([\w -]+(?<=pid)=\d+\)\s?)?"
    r"(?:(?P<level>ERROR|CRITICAL|WARNING|INFO|DEBUG)\s+\d\d-\d\d \d\d:\d\d:\d\d\s+"
    r"(?:\[[^\]]*\]\s?)?)?"
)
_LESSER = ("INFO", "DEBUG", "WARNING")
# What a prefix, a level, a place of a traceback or a torch warning begins with: most lines do not.
_DECORATED = frozenset("0123456789(ECWID[ \t")
# Of a traceback: a place, or the code there. Pydantic's messages are indented less than code.
_FRAME = re.compile(r"  File \"|    (?!For further)|\s+[\^~]+$")
_TORCH_WARNING = re.compile(r"\[[WI]\d{4} ")
# Warnings that tell why a server fails, or a request: the engine's process is gone, and of a chat
# template vLLM logs no more than this (0.32.0: v1/engine/core_client.py, renderers/hf.py).
_TELLING_WARNINGS = ("engine core exited unexpectedly", "Chat template rejected the request")
_HIDES_THE_CAUSE = re.compile(
    r"see root cause above|see stack trace|^Process \S+:$|^Traceback|^\s+\S|^\s*$"
    r"|during handling of the above exception|direct cause of the following|resource_tracker"
    r"|^usage:|leaked \w+ objects|For further information visit|^EngineCore failed to start"
    r"|^WorkerProc (hit an exception|failed)|^Exception: WorkerProc initialization failed"
    r"|^EngineCore encountered|^AsyncLLM output_handler failed|EngineDeadError"
    r"|^Worker proc \S+ died unexpectedly|^RuntimeError: Executor failed",
    re.IGNORECASE,
)
_SAYS_ERROR = re.compile(
    r"\b\w*(Error|Exception|Exit)\b\s*(:|\()|\berror:|\bfatal\b|\bfailed\b|\bpanic\b"
    r'|"level": "(error|critical)"|cannot start',
    re.I,
)
_LONGEST = 240


class Line(NamedTuple):
    """A line without its decoration, and its number in the log, from 1."""

    text: str
    number: int


def clean(line: str) -> str:
    """A log line without colours and vLLM's prefix of process, level, time and place."""
    return _without_prefix(_plain(line), {})[0]


def may_tell(lines: Iterable[str]) -> list[Line]:
    """The lines that may tell an error, cleaned, oldest first.

    Left out is what is logged as less than an error, and the places of a traceback. Of lines that
    say the same the last one stays: a container that fails over and over repeats itself.
    """
    found: dict[str, int] = {}
    known: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = _plain(line)
        if text[:1] in _DECORATED:
            text, level = _without_prefix(text, known)
            if level in _LESSER and not (level == "WARNING" and _tells(text)):
                continue
            if _is_a_place(text):
                continue
        if text and "FutureWarning" not in text:
            found.pop(text, None)
            found[text] = number
    return list(map(Line, found.keys(), found.values()))


def last_error(lines: Iterable[str]) -> str:
    """The last line that tells an error itself, not the traceback or the wrapper around it.

    Falls back to the last line that is no traceback; empty for no lines.
    """
    found = error_line(may_tell(lines))
    return shorten(found.text) if found else ""


def error_line(lines: Sequence[Line]) -> Line | None:
    """As `last_error`, with the line's number; None for no lines."""
    kept = (line for line in reversed(lines) if not _HIDES_THE_CAUSE.search(line.text))
    return own_error(lines) or next(kept, None)


def own_error(lines: Sequence[Line]) -> Line | None:
    """The last line that tells an error itself; None where there are wrappers at most."""
    for line in reversed(lines):
        if _SAYS_ERROR.search(line.text) and not _HIDES_THE_CAUSE.search(line.text):
            return line
    return None


def says_error(line: Line) -> bool:
    """Whether it tells an error, by itself or as the wrapper of one."""
    return bool(_SAYS_ERROR.search(line.text) or line.text.startswith("Traceback"))


def shorten(line: str) -> str:
    """A line that may be shown to people."""
    text = line.strip()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _plain(line: str) -> str:
    return (_ANSI.sub("", line) if "\x1b" in line else line).rstrip()


def _tells(warning: str) -> bool:
    return any(text in warning for text in _TELLING_WARNINGS)


def _is_a_place(text: str) -> bool:
    """Whether it is a place of a traceback, the code there, or a warning of torch."""
    if text[:1].isspace():
        return bool(_FRAME.match(text))
    return text.startswith("[") and bool(_TORCH_WARNING.match(text))


def _without_prefix(line: str, known: dict[str, str]) -> tuple[str, str]:
    """A line without its prefix, and the level that it was logged at; empty where it has none.

    Args:
        line: without colours.
        known: levels by whole prefix. It is added to: many lines have the prefix of one before
            them, which is found in a fraction of the pattern's time.

    """
    end = line.find("] ") + 2
    if (told := known.get(line[:end])) is not None:
        return line[end:], told
    prefix = _PREFIX.match(line)
    if prefix is None or not prefix.end():
        # uvicorn's and Python's own loggers: INFO:     Started server process [1]
        head, colon, _ = line.partition(":")
        return line, head if colon and head in _LESSER else ""
    text, level = line[prefix.end() :], prefix["level"] or ""
    if level and prefix.end() == end:
        known[line[:end]] = level
    return text, level or (text.partition(":")[0] if text.startswith(_LESSER) else "")
