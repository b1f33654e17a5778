"""Checks of texts as pydantic takes them, and how a refusal shows a value."""

from __future__ import annotations

import re
from collections.abc import Callable

from pydantic import BeforeValidator


def text(check: Callable[[str], str]) -> BeforeValidator:
    """A check of texts alone: what is no text is left for pydantic to refuse."""
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


def pattern(wanted: str, refusal: str) -> BeforeValidator:
    """Texts of a pattern; another is refused with these words."""
    compiled = re.compile(wanted, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(refusal)
        return value

    return text(check)


class Unshown(ValueError):
    """A refusal of a value that must not be repeated: it holds a secret, or may."""


SECRET_VALUE = re.compile(r"\b(hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|ghp_[A-Za-z0-9]{30,})")
"""Tokens of Hugging Face, OpenAI and GitHub, by their prefixes."""

_CREDENTIALS = re.compile(r"//[^/@\s]+@")


def shown(value: object, limit: int = 80) -> str:
    """A value for people, cut where it is long; a token in it is not shown."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif value is None:
        text = "null"
    else:
        try:
            text = repr(value)
        except (RecursionError, ValueError):  # nested too deep; a number of too many digits
            text = f"a {type(value).__name__}"
    text = _CREDENTIALS.sub("//…@", SECRET_VALUE.sub("…", text))
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def size(mib: int) -> str:
    """Memory in MiB as a stack file writes it: ``512m``, ``8g``."""
    return f"{mib // 1024}g" if mib % 1024 == 0 else f"{mib}m"
