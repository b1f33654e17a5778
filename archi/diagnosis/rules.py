"""The form of a diagnosis' rules: texts of a log, and what they mean."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Confidence(StrEnum):
    """How sure a diagnosis is."""

    CERTAIN = "certain"
    """The text names the cause itself."""
    LIKELY = "likely"
    """The text is most often due to this cause; others are possible."""
    UNKNOWN = "unknown"
    """No rule knows the text."""


@dataclass(frozen=True)
class Diagnosis:
    """What happened and what to do about it.

    Attributes:
        cause: stable name of the cause, for scripts; ``unknown`` where none is recognised.
        what: one sentence on what happened.
        mend: one sentence on what to change.
        evidence: the line of the log that says so; empty where there is none.
        confidence: how sure that is.
        line: the evidence's number among the lines that were given, from 1; None for no evidence.

    """

    cause: str
    what: str
    mend: str
    evidence: str = ""
    confidence: Confidence = Confidence.CERTAIN
    line: int | None = None

    def __str__(self) -> str:
        lines = [self.what, f"Mend: {self.mend}"]
        if self.evidence:
            lines.append(f"The log says: {self.evidence}")
        return "\n".join(lines)


Found = Mapping[str, str]
"""What stood in a text's places, by their names."""

Sentence = str | Callable[[Found], str]
"""A sentence with places such as ``{asked}``, or a function that makes one."""

_PLACE = re.compile(r"\{(?P<name>[a-z]+)(?::(?P<kind>[a-z]+))?\}|…")
_KINDS = {
    "int": r"\d+",
    "num": r"\d[\d.]*",
    "word": r"[^\s'\"`,;]+",
    "text": r".+?",
    "rest": r".+",
}


@dataclass(frozen=True)
class Text:
    """A text as a program writes it, letter case aside.

    ``…`` stands for anything, ``{name}`` for what is to be known: ``{name:int}``, ``{name:num}``
    (with a decimal point), ``{name:word}``, ``{name:rest}`` (to the line's end); by itself it is
    as few characters as fit.
    """

    text: str

    @functools.cached_property
    def literal(self) -> str:
        """The longest part that stands in every such line, in lower case."""
        parts = _PLACE.split(self.text)[:: _PLACE.groups + 1]
        return max(parts, key=len).lower()

    @functools.cached_property
    def words(self) -> frozenset[bytes]:
        """The words of `literal` that stand between spaces in every such line, in UTF-8."""
        return frozenset(self.literal.encode().split()[1:-1])

    @functools.cached_property
    def longest_word(self) -> bytes:
        """The longest part of `literal` without a space: within one word of every such line."""
        return max(self.literal.encode().split(), key=len)

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """It as a regular expression, whose groups are the places' names."""
        pattern, end = [], 0
        for place in _PLACE.finditer(self.text):
            pattern.append(re.escape(self.text[end : place.start()]))
            name, kind = place["name"], _KINDS[place["kind"] or "text"]
            pattern.append(f"(?P<{name}>{kind})" if name else ".*?")
            end = place.end()
        pattern.append(re.escape(self.text[end:]))
        return re.compile("".join(pattern), re.IGNORECASE)


@dataclass(frozen=True)
class Rule:
    """Texts that mean the same, and what they mean; made by `rule`."""

    cause: str
    texts: tuple[Text, ...]
    what: Sentence
    mend: Sentence
    confidence: Confidence

    def diagnosis(self, found: Found, evidence: str, line: int) -> Diagnosis:
        """The diagnosis where one of the texts stands."""
        # The sentence around it has a full stop of its own.
        found = {name: said.strip().rstrip(".") for name, said in found.items() if said}
        what, mend = _say(self.what, found), _say(self.mend, found)
        return Diagnosis(self.cause, what, mend, evidence, self.confidence, line)


def rule(
    cause: str,
    texts: str | tuple[str, ...],
    what: Sentence,
    mend: Sentence,
    confidence: Confidence = Confidence.CERTAIN,
) -> Rule:
    """A rule; its texts are in the form of `Text`."""
    every = (texts,) if isinstance(texts, str) else texts
    return Rule(cause, tuple(map(Text, every)), what, mend, confidence)


def _say(sentence: Sentence, found: Found) -> str:
    return sentence.format(**found) if isinstance(sentence, str) else sentence(found)
