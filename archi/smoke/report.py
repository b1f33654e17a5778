"""What a smoke test found: one check a row, and the whole as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from archi.cli.exit_codes import ExitCode


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    NOTE = "note"
    """It works; there is something to know."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It was not tried; the detail says why."""


class Wire(StrEnum):
    """Between whom a check looks, or where it broke."""

    VLLM = "this machine → vLLM"
    CHAT = "this machine → chat application"
    BEHIND_CHAT = "chat application → vLLM"


@dataclass(frozen=True)
class Check:
    """One check and its end.

    Attributes:
        name: stable, for scripts: ``vllm-stream``.
        wire: the one that it looks at; of a failed check the one that broke.
        seconds: how long it took.
        detail: what was found; why it failed or was skipped.
        mend: what to change; empty unless it failed.
        code: the exit code of this failure; None unless it failed.
        nobody: whether it failed only because nobody has an account yet.

    """

    name: str
    wire: Wire
    state: State
    seconds: float
    detail: str
    mend: str = ""
    code: ExitCode | None = None
    nobody: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The row of the JSON report."""
        return {
            "name": self.name,
            "wire": self.wire.value,
            "state": self.state.value,
            "seconds": round(self.seconds, 3),
            "detail": self.detail,
            "mend": self.mend or None,
        }


@dataclass(frozen=True)
class Report:
    """All checks of one run, in order.

    Attributes:
        answer: what the model said, through the chat application where there is one; empty where
            it never came to that.

    """

    deployment: str
    provider: str
    model: str
    checks: tuple[Check, ...]
    answer: str = ""

    @property
    def ok(self) -> bool:
        """Nothing failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[Check, ...]:
        """The failed checks, the first first."""
        return tuple(self.of(State.FAILED))

    @property
    def exit_code(self) -> ExitCode:
        """That of the first failure."""
        codes = (check.code for check in self.failed)
        return next((code for code in codes if code is not None), ExitCode.OK)

    def of(self, state: State) -> Iterable[Check]:
        """The checks that ended so."""
        return (check for check in self.checks if check.state is state)

    def as_dict(self) -> dict[str, Any]:
        """The report of ``archi smoke --json``."""
        return {
            "deployment": self.deployment,
            "provider": self.provider,
            "model": self.model,
            "checks": [check.as_dict() for check in self.checks],
            "answer": self.answer or None,
            "ok": self.ok,
            "exit_code": int(self.exit_code),
        }
