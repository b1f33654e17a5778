"""What a reader thinks of an answer, under ``/api/messages/<id>/feedback``."""

from __future__ import annotations

from typing import Any

from chatbot.access.principal import current
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import MessagePath, Rating, ShownFeedback
from chatbot.data import feedback
from chatbot.services import services

api = blueprint("feedback", __name__)

_URL = "/messages/<uuid:message_id>/feedback"


@api.put(_URL, responses={"200": ShownFeedback, **errors(400, 404, 415)})
def rate_answer(path: MessagePath, body: Rating) -> dict[str, Any]:
    """Rate an answer, in place of an earlier rating."""
    with services().database.write() as session:
        given = feedback.give(
            session, path.message_id, current().user_id, body.rating, body.comment
        )
        return shown(ShownFeedback.model_validate(given))


@api.delete(_URL, responses={"204": None, **errors(404)})
def unrate_answer(path: MessagePath) -> tuple[str, int]:
    """Take a rating back; it may never have been given."""
    with services().database.write() as session:
        feedback.take_back(session, path.message_id, current().user_id)
    return "", 204
