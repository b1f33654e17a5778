"""Reading and writing runs and their events.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from chatbot.data.database import Encoded
from chatbot.data.tables import Message, RunEvents, RunRow, ToolCall, now

# What every answer needs, made once and of tables: building a statement, and having rows of classes
# behind it, costs SQLAlchemy more than running it.
_RUNS, _EVENTS, _MESSAGES = (cast(Table, table.__table__) for table in (RunRow, RunEvents, Message))
_BEGIN = insert(_RUNS)
_APPEND = insert(_EVENTS)
_SAVE = update(_MESSAGES).where(_MESSAGES.c.id == bindparam("message")).returning(_MESSAGES.c.id)
_END = update(_RUNS).where(_RUNS.c.id == bindparam("run"))


@dataclass(frozen=True)
class Ending:
    """What is saved of an answer at its end: columns of ``messages`` and of ``tool_calls``."""

    message_id: UUID
    columns: dict[str, Any]
    tool_calls: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Batch:
    """Events of one run that are written together.

    ``events`` is the JSON of a list of ``[seq, name, data]``, the last of which is ``seq``;
    ``ending`` is written with the run's last batch.
    """

    run_id: UUID
    seq: int
    events: Encoded
    ending: Ending | None = None


@dataclass(frozen=True)
class Wishes:
    """What other workers want of a run."""

    stop: bool
    reader_seen_at: datetime | None


@dataclass
class Found:
    """Events of a run that another worker makes: ``(seq, name, data)`` each, in order."""

    ended: bool
    events: list[tuple[int, str, dict[str, Any]]] = field(default_factory=list)


def begin(session: Session, run_id: UUID, *, message_id: UUID, user_id: UUID, worker: str) -> None:
    """Put down that a worker makes an answer."""
    row = {"id": run_id, "message_id": message_id, "user_id": user_id, "worker": worker}
    session.execute(_BEGIN, row)


def write(session: Session, batch: Batch) -> bool:
    """Add a batch of events and, where it is the last one, save the answer.

    Returns:
        Whether the answer is still there; an event of a deleted run is an ``IntegrityError``.
    """
    session.execute(_APPEND, {"run_id": batch.run_id, "seq": batch.seq, "events": batch.events})
    return batch.ending is None or _end(session, batch.run_id, batch.ending)


def _end(session: Session, run_id: UUID, ending: Ending) -> bool:
    saved = session.execute(_SAVE, {"message": ending.message_id, **ending.columns})
    if saved.first() is None:
        return False
    if ending.tool_calls:
        session.execute(insert(ToolCall), list(ending.tool_calls))
    session.execute(_END, {"run": run_id, "ended_at": now()})
    return True


def exists(session: Session, run_id: UUID) -> bool:
    """Whether the run is still there: it goes with its conversation."""
    return session.get(RunRow, run_id) is not None


def wishes(session: Session, run_ids: Collection[UUID]) -> dict[UUID, Wishes]:
    """Return what is wanted of runs; one that is missing was deleted."""
    rows = session.execute(
        select(RunRow.id, RunRow.stop_requested_at, RunRow.reader_seen_at).where(
            RunRow.id.in_(run_ids)
        )
    )
    return {row.id: Wishes(row.stop_requested_at is not None, row.reader_seen_at) for row in rows}


def beat(session: Session, run_ids: Collection[UUID]) -> None:
    """Say that the worker of these runs is alive."""
    session.execute(update(RunRow).where(RunRow.id.in_(run_ids)).values(heartbeat_at=now()))


def see_reader(session: Session, run_ids: Collection[UUID]) -> None:
    """Say that these runs have a reader on another worker than their own."""
    session.execute(update(RunRow).where(RunRow.id.in_(run_ids)).values(reader_seen_at=now()))


def request_stop(session: Session, message_id: UUID) -> None:
    """Ask the worker of a message's run, where one is under way, to end it."""
    session.execute(
        update(RunRow)
        .where(RunRow.message_id == message_id, RunRow.ended_at.is_(None))
        .values(stop_requested_at=now())
    )


def newest(session: Session, message_id: UUID) -> RunRow | None:
    """Return the newest run of a message; None where it was never written by one."""
    runs = select(RunRow).where(RunRow.message_id == message_id)
    return session.scalars(runs.order_by(RunRow.id.desc()).limit(1)).first()


def events_after(session: Session, positions: Mapping[UUID, int]) -> dict[UUID, Found]:
    """Return the events of runs that follow a position in each (0: all of them).

    A run that is missing was deleted.
    """
    # In this order: a run that is seen to have ended has all its events already.
    ended = session.execute(select(RunRow.id, RunRow.ended_at).where(RunRow.id.in_(positions)))
    found = {run_id: Found(moment is not None) for run_id, moment in ended}
    if not found:
        return {}
    following = or_(
        *(and_(RunEvents.run_id == run_id, RunEvents.seq > positions[run_id]) for run_id in found)
    )
    rows = session.execute(
        select(RunEvents.run_id, RunEvents.events)
        .where(following)
        .order_by(RunEvents.run_id, RunEvents.seq)
    )
    for run_id, events in rows:
        known = found[run_id].events
        # A batch that was written twice (its first commit was lost on the way back) overlaps.
        last = known[-1][0] if known else positions[run_id]
        known.extend((seq, name, data) for seq, name, data in events if seq > last)
    return found


def prune(session: Session, before: datetime) -> int:
    """Delete the events of runs that ended before a moment; returns how many rows went."""
    old = (
        select(RunEvents.run_id)
        .join(RunRow, RunRow.id == RunEvents.run_id)
        .where(RunRow.ended_at < before)
    )
    gone = session.execute(
        delete(RunEvents).where(RunEvents.run_id.in_(old)).returning(RunEvents.run_id),
        execution_options={"synchronize_session": False},
    )
    return len(gone.all())
