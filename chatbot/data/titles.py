"""Titles that the model gives to conversations.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import CursorResult, select, update
from sqlalchemy.orm import Session, aliased

from chatbot.data.tables import Conversation, Message, Role, Status, TitleBy


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; ``model`` is the id of the one that wrote it."""

    question: str
    answer: str
    model: str


def first_exchange(session: Session, conversation_id: UUID) -> Exchange | None:
    """Return a conversation's first whole answer with its question; None where there is none."""
    question = aliased(Message)
    wanted = (
        select(question.content, Message.content, Message.model)
        .join(question, Message.parent_id == question.id)
        .where(
            Message.conversation_id == conversation_id,
            Message.role == Role.ASSISTANT,
            Message.status == Status.COMPLETE,
            Message.content != "",
            Message.model.is_not(None),
        )
        .order_by(Message.id)
        .limit(1)
    )
    found = session.execute(wanted).first()
    if found is None:
        return None
    question_text, answer, model = found
    return Exchange(question_text, answer, model or "")


def claim(session: Session, conversation_id: UUID) -> bool:
    """Say that the model is asked for a title now; False where it was, or one was given."""
    return _change(session, conversation_id, TitleBy.QUESTION, title_by=TitleBy.MODEL)


def give_back(session: Session, conversation_id: UUID) -> None:
    """Say that the model could not be asked, so that it is another time."""
    _change(session, conversation_id, TitleBy.MODEL, title_by=TitleBy.QUESTION)


def give(session: Session, conversation_id: UUID, title: str) -> None:
    """Give the title that the model has written, unless the owner has given one meanwhile."""
    _change(session, conversation_id, TitleBy.MODEL, title=title)


def _change(session: Session, conversation_id: UUID, now_by: TitleBy, **values: str) -> bool:
    here = (Conversation.id == conversation_id) & (Conversation.title_by == now_by)
    done = session.execute(update(Conversation).where(here).values(**values))
    assert isinstance(done, CursorResult)  # noqa: S101 - what an UPDATE gives
    return bool(done.rowcount)
