"""An answer while it comes into being: its text, its tool calls, and what it cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from chatbot.agent.events import (
    AgentEvent,
    ContextFitted,
    Delta,
    ModelCallEnded,
    ToolEnded,
    ToolStarted,
)
from chatbot.data.tables import Message, Status, ToolStatus
from chatbot.failures import Failure
from chatbot.model.errors import AWAY
from chatbot.runs.cost import Cost
from chatbot.runs.text import Text
from chatbot.runs.tool_call import CallRecord

# A failure by which a model that was answering went away: what had come can be gone on with.
_BROKEN = AWAY | {"model_stalled"}


class Answer:
    """Collects an answer's events.

    Args:
        model: the model that answers.
        agent: the agent's name, None for the default one.
        continued: the cut answer that is gone on with; what comes is put after its text.
    """

    def __init__(
        self, model: str, agent: str | None = None, continued: Message | None = None
    ) -> None:
        self.model = model
        self.agent = agent
        self.status = Status.STREAMING
        self.finish_reason: str | None = None
        self.failure: Failure | None = None
        self._content = Text(continued.content if continued else "")
        self._reasoning = Text(continued.reasoning if continued else "")
        self._cost = Cost(continued.usage if continued else None)
        self._calls: list[CallRecord] = []

    @property
    def begun(self) -> bool:
        """Whether there is anything of it yet."""
        return bool(self._content.length) or self._cost.begun or bool(self._calls)

    def add(self, event: AgentEvent) -> tuple[str, dict[str, Any]] | None:
        """Take an event in.

        Returns:
            Name and data of the event that tells the readers of it; None where they need not know.
        """
        if isinstance(event, Delta):
            return self._add_text(event)
        if isinstance(event, ToolStarted):
            self._calls.append(CallRecord.of(event, self._content.length))
            return "tool", self._calls[-1].shown()
        if isinstance(event, ToolEnded):
            call = next(
                call
                for call in reversed(self._calls)
                if call.call_id == event.call_id and call.status == ToolStatus.RUNNING
            )
            call.end(event)
            return "tool", call.shown()
        if isinstance(event, ModelCallEnded):
            # A server that is killed often closes its connections properly: no error, only no
            # reason. Then what an earlier request ended with says nothing.
            self.finish_reason = event.finish_reason
            self._cost.end_call(event)
            return None
        if isinstance(event, ContextFitted):
            self._cost.fit(event)
            return None
        return "notice", asdict(event)

    def _add_text(self, delta: Delta) -> tuple[str, dict[str, Any]] | None:
        self._cost.count(delta.chunks)
        said = {}
        if delta.content and (content := self._content.add(delta.content)):
            said["content"] = content
        if delta.reasoning and (reasoning := self._reasoning.add(delta.reasoning)):
            said["reasoning"] = reasoning
        return ("delta", said) if said else None

    def stop_calls(self) -> list[dict[str, Any]]:
        """End the tool calls that have no result yet; returns the data of their events."""
        open_calls = [call for call in self._calls if call.status == ToolStatus.RUNNING]
        for call in open_calls:
            call.stop()
        return [call.shown() for call in open_calls]

    def end(self, ended_as: Status | None) -> None:
        """Say how a stream that came to its end without an error ended.

        Args:
            ended_as: the status by which it was ended early.
        """
        self.status = ended_as or (Status.COMPLETE if self.finish_reason else Status.INTERRUPTED)

    def fail(self, failure: Failure) -> None:
        """Say why there is no, or no whole, answer."""
        self.failure = failure
        broken = self.begun and failure.code in _BROKEN
        self.status = Status.INTERRUPTED if broken else Status.ERROR

    def columns(self) -> dict[str, Any]:
        """Return the answer as columns of the table ``messages``."""
        return {
            "status": self.status,
            "content": self._content.whole(),
            "reasoning": self._reasoning.whole(),
            "model": self.model,
            "agent": self.agent,
            "finish_reason": self.finish_reason,
            "error": self.failure.detail if self.failure else None,
            "usage": self._cost.usage(),
            "timings": self._cost.timings(),
        }

    def call_columns(self, message_id: UUID) -> list[dict[str, Any]]:
        """Return the answer's tool calls as rows of the table ``tool_calls``."""
        return [call.columns(message_id) for call in self._calls]
