"""A stack through Pulumi's Automation API: updates with structured events.

The API's own calls for stack files ignore ``stackConfigDir`` (pulumi/pulumi#10305); stack files are
read and written by `archi.stack_file` alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi import cancellation
from archi.pulumi_cli import Pulumi

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent, Stack

_COLOUR = re.compile(r"<\{%[^%]*%\}>")


class UpdateFailed(Exception):
    """``pulumi up`` or ``destroy`` failed; the text is what it said of each resource that did."""


class BrokenOff(Exception):
    """The person broke off."""


@dataclass(frozen=True)
class Outcome:
    """What an update did.

    Attributes:
        changes: number of resources by kind of step; ``same`` for those left as they were.
        outputs: the stack's, secrets left out.

    """

    changes: Mapping[str, int]
    outputs: Mapping[str, Any]

    @property
    def changed(self) -> bool:
        """Whether anything is not as it was."""
        return bool(set(self.changes) - {"same"})


@dataclass
class _Errors:
    """What the engine says went wrong, each text once."""

    texts: list[str] = field(default_factory=list)

    def note(self, event: EngineEvent) -> None:
        diagnostic = event.diagnostic_event
        if diagnostic is None or diagnostic.severity != "error":
            return
        text = plain(diagnostic.message).removeprefix("error: ").strip()
        if text and text not in self.texts and not _ECHO.match(text):
            self.texts.append(text)


# What the engine adds to the error of a resource, and says nothing.
_ECHO = re.compile(r"(preview|update|resource plugin) failed|.*exited with non-zero exit code")


OnEvent = Callable[["EngineEvent"], None]


def up(pulumi: Pulumi, on_event: OnEvent) -> Outcome:
    """``pulumi up --refresh`` without questions.

    Args:
        pulumi: of a stack that is there (`archi.pulumi_cli.ready`).
        on_event: is told what happens, in another thread.

    Raises:
        UpdateFailed: naming each cause.
        BrokenOff: by Ctrl-C; what was done stays done.

    """
    from pulumi.automation import OpType

    with _stack(pulumi, on_event) as (stack, heard):
        result = stack.up(refresh=True, on_event=heard, show_secrets=False, suppress_outputs=True)
    changes = result.summary.resource_changes or {}
    return Outcome(
        {OpType(step).value: count for step, count in changes.items()},
        {name: output.value for name, output in result.outputs.items() if not output.secret},
    )


def destroy(pulumi: Pulumi, on_event: OnEvent) -> None:
    """``pulumi destroy --refresh`` without questions; the stack itself stays.

    What was removed by hand would fail to be removed a second time: so it is looked at first.

    Raises:
        UpdateFailed, BrokenOff: as `up`.

    """
    with _stack(pulumi, on_event) as (stack, heard):
        stack.destroy(refresh=True, on_event=heard, show_secrets=False, suppress_outputs=True)


@contextlib.contextmanager
def _stack(pulumi: Pulumi, on_event: OnEvent) -> Iterator[tuple[Stack, OnEvent]]:
    """The stack, and who is to be told of events; failures of pulumi become ours."""
    from pulumi.automation import CommandError, LocalWorkspaceOptions, select_stack

    # Where the API looks for pulumi; this process runs nothing else.
    os.environ["PATH"] = pulumi.environment["PATH"]
    errors = _Errors()

    def heard(event: EngineEvent) -> None:
        errors.note(event)
        on_event(event)

    with pulumi.interruptible(_interrupt_children) as told:
        options = LocalWorkspaceOptions(env_vars={**pulumi.environment, **told})
        try:
            yield (
                select_stack(str(pulumi.stack), work_dir=str(pulumi.root), opts=options),
                heard,
            )
        except CommandError as failed:
            if Path(told[cancellation.VARIABLE]).exists():
                raise BrokenOff from None
            raise UpdateFailed("\n".join(errors.texts) or _last_lines(str(failed))) from None


def plain(message: str) -> str:
    """An engine's message without its marks for colours."""
    return _COLOUR.sub("", message)


def _interrupt_children() -> None:
    for pid in _children():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGINT)


def _children() -> Sequence[int]:
    """The processes that this one has started and that still run (Linux)."""
    found: list[int] = []
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in listed.read_text().split()]
    return found


def _last_lines(text: str, count: int = 20) -> str:
    lines = [line for line in plain(text).splitlines() if line.strip()]
    return "\n".join(lines[-count:])
