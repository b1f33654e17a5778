"""What answers have cost, by account and day, and which failed.

Every function takes an open session. What people have deleted is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from chatbot.data.tables import Conversation, Message, Role, Status, User, now


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


def by_day(session: Session, days: int) -> list[DayOfUse]:
    """Return the days of use of the last ``days`` days, the newest first."""
    day = _day(session, Message.created_at)
    wanted = (
        select(
            User.id,
            User.name,
            day.label("day"),
            func.count(),
            _count_of(Status.ERROR),
            _count_of(Status.INTERRUPTED),
            _sum_of("prompt_tokens"),
            _sum_of("completion_tokens"),
        )
        .join(Conversation, Message.conversation_id == Conversation.id)
        .join(User, Conversation.user_id == User.id)
        .where(Message.role == Role.ASSISTANT, Message.created_at >= _since(days))
        .group_by(User.id, User.name, day)
        .order_by(day.desc(), User.name)
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


def _count_of(status: Status) -> ColumnElement[int]:
    return func.sum(case((Message.status == status, 1), else_=0))


def _sum_of(key: str) -> ColumnElement[int]:
    return func.coalesce(func.sum(Message.usage[key].as_integer()), 0)


def _day_of_use(row: Sequence[Any]) -> DayOfUse:
    user_id, name, day, *numbers = row
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return DayOfUse(user_id, name, day, *(int(number) for number in numbers))
