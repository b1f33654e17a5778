"""What readers think of answers. Every function takes an open session, as ``conversations`` has."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.orm import Session

from chatbot.data.conversations import own_message
from chatbot.data.tables import Feedback, Role, now
from chatbot.failures import Failure


def give(session: Session, message_id: UUID, owner: UUID, rating: int, comment: str) -> Feedback:
    """Say what a reader thinks of an answer, in place of what was said before.

    Raises:
        Failure: 404 for an unknown id or another account's, 422 for a question.
    """
    message = own_message(session, message_id, owner)
    if message.role != Role.ASSISTANT:
        raise Failure(
            "not_an_answer",
            "Only answers can be rated, and this is a question.",
            "Send the id of an answer.",
            status=422,
        )
    given = Feedback(message_id=message_id, rating=rating, comment=comment, created_at=now())
    return session.merge(given)


def take_back(session: Session, message_id: UUID, owner: UUID) -> None:
    """Forget what a reader thinks of an answer; no error where nothing was said.

    Raises:
        Failure: 404 for an unknown id or another account's.
    """
    message = own_message(session, message_id, owner)
    session.execute(delete(Feedback).where(Feedback.message_id == message.id))
