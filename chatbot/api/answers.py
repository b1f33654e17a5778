"""Asking, following an answer, and stopping it."""

from __future__ import annotations

from itertools import chain
from typing import Any

from flask import Response, request

from chatbot.access.principal import current
from chatbot.agent.request import AnswerRequest
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import (
    ConversationPath,
    MessagePath,
    Question,
    ShownConversation,
    ShownMessage,
    Stopping,
)
from chatbot.data import conversations
from chatbot.data.tables import Status
from chatbot.failures import Failure
from chatbot.runs import event_stream
from chatbot.runs.answer import Answer
from chatbot.runs.client_connection import ClientConnection
from chatbot.runs.history import history_of
from chatbot.runs.runs import Event, Run
from chatbot.services import services

api = blueprint("answers", __name__)

_EVENTS = {"description": "Server-sent events", "content": {"text/event-stream": {}}}


@api.post(
    "/conversations/<uuid:conversation_id>/messages",
    responses={"200": _EVENTS, **errors(404, 409, 415, 503)},
)
def send_message(path: ConversationPath, body: Question) -> Response:
    """Ask a question; the response is a stream of server-sent events.

    Events: ``start`` {conversation, question, answer}, ``delta`` {content?, reasoning?}, and at
    the end ``end`` {the answer's columns, id, saved}.
    """
    if body.content is None and body.parent_id is None:
        raise Failure("invalid_body", "The message has no content.", status=422, param="content")
    parts = services()
    model = parts.files.model
    owner = current().user_id
    parts.admission.enter()
    try:
        with parts.database.write() as session:
            conversation = conversations.get(session, path.conversation_id, owner)
            choices = conversations.answer_settings(conversation)
            history, row = conversations.open_turn(
                session,
                path.conversation_id,
                owner,
                question=body.content,
                parent_id=body.parent_id,
                model=model,
                at_root=body.at_root,
                attachments=body.attachments,
                agent=body.agent or choices.agent,
            )
        asked = AnswerRequest(
            user_id=owner,
            conversation_id=path.conversation_id,
            message_id=row.id,
            model=model,
            history=history_of(history),
            agent=body.agent or choices.agent,
            system_prompt=choices.system_prompt,
            sampling=choices.sampling,
        )
        run = Run(row.id, path.conversation_id, asked, Answer(model))
        start = {
            "conversation": shown(ShownConversation.of(conversation)),
            "question": shown(ShownMessage.of(history[-1])),
            "answer": shown(ShownMessage.of(row)),
        }
        connection = ClientConnection(request.environ)
    except BaseException:
        parts.admission.leave()
        raise
    parts.runs.start(run)

    def leave() -> None:
        run.channel.abandon()
        parts.runs.end(run.id, Status.INTERRUPTED)

    def encode(items: list[Event]) -> bytes:
        return b"".join(_encoded(run, item) for item in event_stream.merge(items))

    following = event_stream.follow(run.channel, connection, encode)
    return event_stream.respond(chain([event_stream.event("start", start)], following), leave)


def _encoded(run: Run, item: Event) -> bytes:
    if item.name != "end":
        return event_stream.event(item.name, item.data)
    data = {"id": str(run.id), "saved": item.data["saved"], **item.data["columns"]}
    return event_stream.event("end", data)


@api.post("/messages/<uuid:message_id>/stop", responses={"202": Stopping})
def stop_message(path: MessagePath) -> tuple[dict[str, Any], int]:
    """End an answer in progress; what has come of it stays. It may already have ended."""
    stopping = services().runs.end(path.message_id, Status.STOPPED)
    return shown(Stopping(stopping=stopping)), 202
