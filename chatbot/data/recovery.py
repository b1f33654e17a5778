"""Putting right what a killed process left behind: answers that nobody writes any more.

What had come of them is in the events of their runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import exists, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatbot.data import run_log
from chatbot.data.database import Database, Encoded
from chatbot.data.tables import Message, RunRow, Status, ToolCall, ToolStatus, now

log = structlog.get_logger(__name__)

STOPPED_RESULT = "The answer was ended before this tool had answered."


def recover_gone(database: Database, host: str, is_alive: Callable[[str], bool]) -> int:
    """Mark the answers of this host's dead workers as interrupted; returns how many there were.

    Args:
        database: an unreachable one is logged.
        host: what the names of this host's workers begin with.
        is_alive: whether a worker of that name still runs.
    """
    try:
        with database.write() as session:
            own = RunRow.worker.startswith(host, autoescape=True)
            open_runs = session.scalars(select(RunRow).where(RunRow.ended_at.is_(None), own))
            count = _interrupt(session, [run for run in open_runs if not is_alive(run.worker)])
    except SQLAlchemyError as error:
        log.warning("orphans_not_marked", reason=str(error.__cause__ or error))
        return 0
    return count


def recover_stale(session: Session, before: datetime, is_alive: Callable[[str], bool]) -> int:
    """Mark answers whose worker has not been heard of since a moment as interrupted.

    One that is seen to be alive is only slow; of another host's it is not known.
    """
    silent = select(RunRow).where(RunRow.ended_at.is_(None), RunRow.heartbeat_at < before)
    gone = [run for run in session.scalars(silent) if not is_alive(run.worker)]
    return _interrupt(session, gone)


def recover_runless(session: Session) -> int:
    """Mark answers in progress that have no run as interrupted; returns how many there were."""
    run = select(RunRow.id).where(RunRow.message_id == Message.id, RunRow.ended_at.is_(None))
    streaming = update(Message).where(Message.status == Status.STREAMING, ~exists(run))
    found = session.execute(
        streaming.values(status=Status.INTERRUPTED).returning(Message.id),
        execution_options={"synchronize_session": False},
    )
    return len(found.all())


def _interrupt(session: Session, runs: Iterable[RunRow]) -> int:
    count = 0
    for run in runs:
        taken = session.execute(
            update(RunRow)
            .where(RunRow.id == run.id, RunRow.ended_at.is_(None))
            .values(ended_at=now())
            .returning(RunRow.id)
        )
        if taken.first() is not None:
            _end(session, run)
            log.warning("answer_interrupted", run=str(run.id), worker=run.worker)
            count += 1
    return count


@dataclass
class _Remains:
    """What the events of a run say of its answer."""

    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, name: str, data: dict[str, Any]) -> None:
        if name == "delta":
            self.content.append(data.get("content", ""))
            self.reasoning.append(data.get("reasoning", ""))
        elif name == "tool":
            self.calls[data["id"]] = data


def _end(session: Session, run: RunRow) -> None:
    message = session.get_one(Message, run.message_id)
    events = run_log.events_after(session, {run.id: 0})[run.id].events
    remains = _Remains()
    for _, name, data in events:
        remains.add(name, data)
    message.status = Status.INTERRUPTED
    message.content += "".join(remains.content)
    message.reasoning += "".join(remains.reasoning)
    for call in remains.calls.values():
        session.add(_tool_call(message.id, call))
    session.flush()
    seq = events[-1][0] + 1 if events else 1
    end = [seq, "end", {**columns_of(message), "id": str(message.id), "saved": True}]
    run_log.write(session, run_log.Batch(run.id, seq, Encoded(json.dumps([end]))))


def _tool_call(message_id: UUID, call: dict[str, Any]) -> ToolCall:
    if call["status"] == ToolStatus.RUNNING:
        call = {**call, "status": ToolStatus.STOPPED, "result": STOPPED_RESULT}
    return ToolCall(
        id=UUID(call["id"]),
        message_id=message_id,
        call_id=call["call_id"],
        name=call["name"],
        arguments=call["arguments"],
        content_offset=call["content_offset"],
        status=call["status"],
        result=call["result"],
        sources=call["sources"],
        duration_ms=call["duration_ms"],
    )


def columns_of(message: Message) -> dict[str, Any]:
    """Return what an ``end`` event says of a message."""
    names = (
        "status",
        "content",
        "reasoning",
        "model",
        "agent",
        "finish_reason",
        "error",
        "usage",
        "timings",
    )
    return {name: getattr(message, name) for name in names}
