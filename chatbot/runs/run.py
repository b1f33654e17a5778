"""One answer in progress."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from chatbot.agent.events import AgentEvent
from chatbot.agent.request import AnswerRequest
from chatbot.data.database import Encoded
from chatbot.data.run_log import Batch, Ending
from chatbot.data.tables import Status
from chatbot.runs.answer import Answer
from chatbot.runs.event_log import EventLog


@dataclass(eq=False)
class Run:
    """The making of one answer, and what its readers and the database are told of it.

    All but ``log`` belongs to the background loop once the run has started.
    """

    request: AnswerRequest
    answer: Answer
    id: UUID = field(default_factory=uuid7)
    task: asyncio.Task[Any] | None = None
    ended_as: Status | None = None
    reader_seen_at: datetime | None = None
    told_unsaved: bool = False

    def __post_init__(self) -> None:
        self.log = EventLog(self.id)
        # Events that the database has not got yet, as JSON; the last one is the log's last.
        self._unwritten: list[str] = []

    @property
    def message_id(self) -> UUID:
        """The answer's message."""
        return self.request.message_id

    def add(self, event: AgentEvent) -> None:
        """Take what the responder says."""
        said = self.answer.add(event)
        if said is not None:
            self.tell(*said)

    def tell(self, name: str, data: dict[str, Any]) -> None:
        """Put an event into the log."""
        encoded = _json(data)
        seq = self.log.append(name, encoded)
        self._unwritten.append(_row(seq, name, encoded))

    def unwritten(self) -> Batch | None:
        """Return what the database has not got yet; None where it has everything."""
        return self._batch(self._unwritten) if self._unwritten else None

    def last_batch(self, saved: str) -> Batch:
        """Return what is still to be written, the answer, and the event that says it is saved.

        Args:
            saved: that event's data; ``confirm`` puts it into the log.
        """
        last = _row(len(self.log) + 1, self.saved_event, saved)
        ending = Ending(
            self.message_id, self.answer.columns(), self.answer.call_columns(self.message_id)
        )
        return self._batch([*self._unwritten, last], ending, len(self.log) + 1)

    def _batch(self, rows: list[str], ending: Ending | None = None, seq: int = 0) -> Batch:
        return Batch(self.id, seq or len(self.log), Encoded(f"[{','.join(rows)}]"), ending)

    def written(self, seq: int) -> None:
        """Forget what the database has, up to and including ``seq``."""
        del self._unwritten[: len(self._unwritten) - (len(self.log) - seq)]

    @property
    def saved_event(self) -> str:
        """The event that says that the answer is saved."""
        return "saved" if self.told_unsaved else "end"

    def end_data(self, *, saved: bool) -> str:
        """Return the data of the ``end`` event, as JSON."""
        return _json({**self.answer.columns(), "id": str(self.message_id), "saved": saved})

    def tell_unsaved(self) -> None:
        """Say that the answer has ended, but is not saved yet."""
        encoded = self.end_data(saved=False)
        seq = self.log.append("end", encoded)
        self._unwritten.append(_row(seq, "end", encoded))
        self.told_unsaved = True

    def confirm(self, saved: str) -> None:
        """Say that the answer is saved, and close the log."""
        self.log.append(self.saved_event, saved)
        self.log.close()


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, separators=(",", ":"))


def _row(seq: int, name: str, encoded: str) -> str:
    return f'[{seq},"{name}",{encoded}]'
