"""One thing that is not as it was deployed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was deployed.

    Attributes:
        service: of which service; None for what they share.
        what: the thing.
        expected: as deployed; None for nothing, or where it is not shown.
        found: as it is now; likewise.
        mend: what makes it as it was.

    """

    service: str | None
    what: str
    expected: str | None
    found: str | None
    mend: str

    def __str__(self) -> str:
        whose = f"{self.service}: " if self.service else ""
        return f"{whose}{self.what}: deployed {_said(self.expected)}, now {_said(self.found)}."


def _said(value: str | None) -> str:
    return "none" if value is None else value
