"""Checks of texts, as pydantic takes them."""

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
