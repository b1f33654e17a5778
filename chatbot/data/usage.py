"""What answers have cost, by account and day, and which failed.

Every function takes an open session. Answers that people have deleted are not counted; of
completions, which are not kept, the counts are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, literal, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from chatbot.data.tables import CompletionUsage, Conversation, Message, Role, Status, User, now


@dataclass(frozen=True)
class DayOfUse:
    """One account's day, in UTC: how many answers, how they ended, and their tokens."""

    user_id: UUID
    name: str
    day: date
    answers: int
    errors: int
    interrupted: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class FailedAnswer:
    """An answer that ended with an error; ``code`` and ``message`` are the error's."""

    at: datetime
    name: str
    model: str | None
    code: str
    message: str


@dataclass
class Counts:
    """How many completions there were, how they ended, and their tokens."""

    answers: int = 0
    errors: int = 0
    interrupted: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, other: Counts) -> None:
        """Add another's."""
        for part in fields(self):
            setattr(self, part.name, getattr(self, part.name) + getattr(other, part.name))


def count_completions(session: Session, counted: Mapping[tuple[UUID, date], Counts]) -> None:
    """Add to what accounts have used on a day by ``/v1``; accounts that are gone are left out."""
    wanted = {user_id for user_id, _ in counted}
    there = set(session.scalars(select(User.id).where(User.id.in_(wanted))))
    rows = [
        {"user_id": user_id, "day": day, **asdict(counts)}
        for (user_id, day), counts in counted.items()
        if user_id in there
    ]
    if not rows:
        return
    postgres = session.get_bind().dialect.name == "postgresql"
    insert = postgresql.insert if postgres else sqlite.insert
    new = insert(CompletionUsage)
    sums = {
        part.name: getattr(CompletionUsage, part.name) + new.excluded[part.name]
        for part in fields(Counts)
    }
    session.execute(new.on_conflict_do_update(index_elements=["user_id", "day"], set_=sums), rows)


def by_day(session: Session, days: int) -> list[DayOfUse]:
    """Return the days of use of the last ``days`` days, the newest first."""
    names = [part.name for part in fields(Counts)]
    answers = (
        select(
            Conversation.user_id,
            _day(session, Message.created_at).label("day"),
            literal(1).label("answers"),
            _is(Status.ERROR).label("errors"),
            _is(Status.INTERRUPTED).label("interrupted"),
            _tokens("prompt_tokens"),
            _tokens("completion_tokens"),
        )
        .join(Conversation, Message.conversation_id == Conversation.id)
        .where(Message.role == Role.ASSISTANT, Message.created_at >= _since(days))
    )
    completions = select(
        CompletionUsage.user_id,
        CompletionUsage.day,
        *(getattr(CompletionUsage, name) for name in names),
    ).where(CompletionUsage.day >= _since(days).date())
    both = union_all(answers, completions).subquery()
    wanted = (
        select(User.id, User.name, both.c.day, *(func.sum(both.c[name]) for name in names))
        .join(User, both.c.user_id == User.id)
        .group_by(User.id, User.name, both.c.day)
        .order_by(both.c.day.desc(), User.name)
    )
    return [_day_of_use(row) for row in session.execute(wanted).all()]


def failed(session: Session, days: int, limit: int) -> list[FailedAnswer]:
    """Return the newest answers that ended with an error."""
    wanted = (
        select(Message.created_at, User.name, Message.model, Message.error)
        .join(Conversation, Message.conversation_id == Conversation.id)
        .join(User, Conversation.user_id == User.id)
        .where(
            Message.role == Role.ASSISTANT,
            Message.status == Status.ERROR,
            Message.created_at >= _since(days),
        )
        .order_by(Message.id.desc())
        .limit(limit)
    )
    return [
        FailedAnswer(
            at, name, model, (error or {}).get("code", ""), (error or {}).get("message", "")
        )
        for at, name, model, error in session.execute(wanted)
    ]


def _since(days: int) -> datetime:
    today = now().replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=days - 1)


def _day(session: Session, moment: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a column
    # SQLite keeps moments as texts in UTC; Postgres would take the day of its own time zone.
    if session.get_bind().dialect.name == "postgresql":
        moment = func.timezone("UTC", moment)
    return func.date(moment)


def _is(status: Status) -> ColumnElement[int]:
    return case((Message.status == status, 1), else_=0)


def _tokens(key: str) -> ColumnElement[int]:
    return func.coalesce(Message.usage[key].as_integer(), 0).label(key)


def _day_of_use(row: Sequence[Any]) -> DayOfUse:
    user_id, name, day, *numbers = row
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return DayOfUse(user_id, name, day, *(int(number) for number in numbers))
