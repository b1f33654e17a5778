"""A tool call of an answer in progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from chatbot.agent.events import ToolEnded, ToolStarted
from chatbot.data.recovery import STOPPED_RESULT
from chatbot.data.tables import ToolStatus, now
from chatbot.runs.text import storable


@dataclass
class CallRecord:
    """One call, from its start to its result; the fields are the columns of ``tool_calls``."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    content_offset: int
    # A model may give the same call_id again in a later round.
    id: UUID = field(default_factory=uuid7)
    status: ToolStatus = ToolStatus.RUNNING
    result: str = ""
    sources: list[dict[str, Any]] = field(default_factory=list)
    started_at: datetime = field(default_factory=now)
    duration_ms: int | None = None
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, event: ToolStarted, content_offset: int) -> CallRecord:
        """Begin a call, before which so many characters of the answer stand."""
        return cls(event.call_id, event.name, event.arguments, content_offset)

    def end(self, event: ToolEnded) -> None:
        """Put the tool's answer down."""
        self.status, self.sources = event.status, event.sources
        self.result = storable(event.result)
        self._measure()

    def stop(self) -> None:
        """End a call whose tool has not answered: the next turn needs a result of every call."""
        self.status, self.result = ToolStatus.STOPPED, STOPPED_RESULT
        self._measure()

    def _measure(self) -> None:
        self.duration_ms = round((time.monotonic() - self._began) * 1000)

    def shown(self) -> dict[str, Any]:
        """Return the data of a ``tool`` event."""
        return {
            "id": str(self.id),
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
            "content_offset": self.content_offset,
            "status": self.status,
            "result": self.result,
            "sources": self.sources,
            "duration_ms": self.duration_ms,
        }

    def columns(self, message_id: UUID) -> dict[str, Any]:
        """Return the row of ``tool_calls``."""
        return {
            **self.shown(),
            "id": self.id,
            "message_id": message_id,
            "started_at": self.started_at,
        }
