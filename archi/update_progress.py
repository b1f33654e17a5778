"""What an update is doing, for people: the engine's events as named phases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archi.engine import plain
from archi.phases import Phase, Phases

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

# Resource -> what is done when it is made. What is not named here takes no time worth a line:
# images were brought before the update.
_DOING: tuple[tuple[str, str], ...] = (
    (r"preflight", "check of the host"),
    (r"network", "network"),
    (r"weights-downloaded", "weights"),
    (r"vllm-arguments", "vLLM's command line"),
    (r"files-written", "settings and secrets"),
    (r"external-vllm-ready", "look at the vLLM elsewhere"),
    (r"(?P<service>vllm-server|chatbot|postgres)", "container {service}"),
    (r"(?P<service>vllm-server|chatbot|postgres)-ready", "start of {service}"),
)

_REMOVING = {"delete", "delete-replaced", "discard", "discard-replaced"}
_QUIET = {"same", "refresh", "read", "read-discard", "read-replacement"}

# What our dynamic resources say on stderr, which the engine passes on without the resource's name:
# "[  12 s] vllm-server: loading the weights", "weights of org/model: 10 % (…)".
_SAID = re.compile(r"(?:\[\s*\d+ s\] (?P<service>[\w-]+)|weights of \S+): (?P<what>.+)")


class UpdateProgress:
    """Shows an update's steps as they begin and end; is called with each of the engine's events."""

    def __init__(self, phases: Phases) -> None:
        self.phases = phases
        self._running: dict[str, Phase] = {}

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        if (begun := event.resource_pre_event) is not None:
            self._begin(begun.metadata.urn, str(begun.metadata.op.value), begun.metadata.type)
        elif (done := event.res_outputs_event) is not None:
            if phase := self._running.pop(done.metadata.urn, None):
                self.phases.end(phase)
        elif (failed := event.res_op_failed_event) is not None:
            if phase := self._running.pop(failed.metadata.urn, None):
                self.phases.drop(phase)
        elif (said := event.diagnostic_event) is not None:
            text = plain(said.message).strip()
            if said.severity == "warning":
                self.phases.warn(text.removeprefix("warning: "))
            elif said.severity.startswith("info"):
                self._say(text)

    def _begin(self, urn: str, step: str, type_: str) -> None:
        if step in _QUIET or type_.startswith("archi:components:"):
            return
        what = doing(urn.rsplit("::", 1)[-1])
        if what is not None and urn not in self._running:
            name = f"{what} removed" if step in _REMOVING else what
            self._running[urn] = self.phases.begin(name, within=True)

    def _say(self, text: str) -> None:
        if (match := _SAID.fullmatch(text)) is None:
            return
        service = match["service"]
        name = doing(f"{service}-ready") if service else "weights"
        for phase in self._running.values():
            if phase.name == name and match["what"] != "ready":
                self.phases.say(phase, match["what"], always=True)


def doing(resource: str) -> str | None:
    """What is done when a resource of that name is made; None where it takes no time."""
    for pattern, words in _DOING:
        if match := re.fullmatch(pattern, resource):
            return words.format(**match.groupdict())
    return None
