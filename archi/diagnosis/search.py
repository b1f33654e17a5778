"""From the lines of a log to the cause: the rules, in their order, over what may tell an error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archi.diagnosis.causes import RULES, WITHOUT_A_WORD
from archi.diagnosis.log_lines import (
    Line,
    error_line,
    may_tell,
    own_error,
    says_error,
    shorten,
)
from archi.diagnosis.rules import Confidence, Diagnosis, Rule

_KILLED = 137
_STOPPED = 143

# What vLLM says first at each start (0.32.0: entrypoints/serve/utils/api_utils.py).
_START = "non-default args: "

_PIECE = 200_000  # bytes


def diagnose(
    lines: Iterable[str], exit_code: int | None = None, *, out_of_memory: bool = False
) -> Diagnosis:
    """Why a container ended, from its log lines (oldest first) and exit code.

    The last start counts first: a container that failed otherwise before its last start is not
    told apart by its log alone.

    Args:
        lines: the log's last lines, as the container wrote them.
        exit_code: the container's, None where it is not known.
        out_of_memory: whether the kernel's OOM killer ended it (Docker's ``OOMKilled``).

    """
    every = list(lines)
    telling = may_tell(every)
    begin = _last_start(every)
    last_run = [line for line in telling if line.number > begin]
    found = recognised(last_run)
    if found is not None:
        return found
    if out_of_memory:
        return _OUT_OF_MEMORY
    if exit_code == _KILLED:
        return _KILLED_BY_SOMEONE
    if own_error(last_run) is None and (found := recognised(last_run, WITHOUT_A_WORD)):
        return found
    # An exit code tells that something failed; without a text of this start, look at those before.
    found = recognised(telling) if begin and error_line(last_run) is None else None
    return found or _unknown(last_run or telling, exit_code)


def diagnose_text(lines: Iterable[str]) -> Diagnosis | None:
    """What a log of unknown origin tells; None where no line of it tells an error."""
    every = list(lines)
    diagnosis = diagnose(every)
    if diagnosis.cause == "unknown" and not any(map(says_error, may_tell(every))):
        return None
    return diagnosis


def recognised(lines: Sequence[Line], rules: Sequence[Rule] = RULES) -> Diagnosis | None:
    """The first rule that fits a line; of its lines the last one. None where no rule fits."""
    lowered = [line.text.lower() for line in lines]
    # As bytes: one character beyond ASCII would double the text's size, and the time it takes.
    whole = b"\n".join(map(_encoded, lowered))
    words = _words(whole)
    vocabulary = b"\n".join(words)
    for rule in rules:
        for text in rule.texts:
            # Most texts stand nowhere, which words tell faster than the log, and that faster than
            # a pattern: the first two are a part of the log's size, and leave few texts over.
            if not text.words <= words or text.longest_word not in vocabulary:
                continue
            if _encoded(text.literal) not in whole:
                continue
            for line, low in zip(reversed(lines), reversed(lowered), strict=True):
                if text.literal in low and (match := text.pattern.search(line.text)):
                    return rule.diagnosis(match.groupdict(), shorten(line.text), line.number)
    return None


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _words(whole: bytes) -> set[bytes]:
    """Its words, cut out of a piece at a time: all at once they would not fit in a cache."""
    words: set[bytes] = set()
    begin = 0
    while begin < len(whole):
        end = whole.find(b"\n", begin + _PIECE)
        end = len(whole) if end < 0 else end
        words.update(whole[begin:end].split())
        begin = end
    return words


def _last_start(lines: Sequence[str]) -> int:
    """The number of the line with which the last start begins; 0 where none is to be seen."""
    return next((len(lines) - n for n, line in enumerate(reversed(lines)) if _START in line), 0)


_OUT_OF_MEMORY = Diagnosis(
    "out-of-memory",
    "The kernel killed it: it went over the container's memory limit.",
    "raise archi:services.vllm.memory, lower cpu_kv_cache_gib, or take a smaller model.",
)
_KILLED_BY_SOMEONE = Diagnosis(
    "killed",
    "It was killed (exit code 137): by the kernel for lack of memory, or by someone.",
    "`dmesg | grep -i oom` tells which; for lack of memory lower cpu_kv_cache_gib, take a "
    "smaller model, or raise archi:services.vllm.memory.",
    confidence=Confidence.LIKELY,
)


def _unknown(lines: list[Line], exit_code: int | None) -> Diagnosis:
    last = error_line(lines)
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return Diagnosis(
        "unknown",
        f"It ended{code}.",
        "read its last error below; the container's log has the rest.",
        shorten(last.text) if last else "",
        Confidence.UNKNOWN,
        last.number if last else None,
    )
