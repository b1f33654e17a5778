"""The REST API of the page, under ``/api``."""

from __future__ import annotations

from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot import conversations, event_stream
from chatbot.answer import Answer
from chatbot.client_connection import ClientConnection
from chatbot.context import turns_of
from chatbot.failures import Failure
from chatbot.health import model_state
from chatbot.runs import Event, Run
from chatbot.services import services
from chatbot.tables import Conversation, Message, Status

blueprint = Blueprint("api", __name__, url_prefix="/api")

B = TypeVar("B", bound=BaseModel)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class NewConversation(_Body):
    """Body of ``POST /api/conversations``."""

    title: str = Field(default="", max_length=conversations.MAX_TITLE_CHARS)


class Renaming(_Body):
    """Body of ``PATCH /api/conversations/<id>``."""

    title: str = Field(min_length=1, max_length=conversations.MAX_TITLE_CHARS)


class Question(_Body):
    """Body of ``POST /api/conversations/<id>/messages``.

    Without ``content`` the question ``parent_id`` is answered again.
    """

    content: str | None = Field(default=None, min_length=1, max_length=200_000)
    parent_id: UUID | None = None


def _body(kind: type[B]) -> B:
    if not request.is_json:
        raise Failure(
            "json_expected",
            "The request's body is not JSON.",
            "Send `Content-Type: application/json`.",
            status=415,
        )
    try:
        return kind.model_validate_json(request.get_data())
    except ValidationError as error:
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"]) or None
        raise Failure(
            "invalid_body", f"{param or 'The body'}: {first['msg']}.", status=422, param=param
        ) from None


def _shown_conversation(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.id),
        "title": conversation.title,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }


def _shown_message(message: Message) -> dict[str, Any]:
    return {
        "id": str(message.id),
        "conversation_id": str(message.conversation_id),
        "parent_id": str(message.parent_id) if message.parent_id else None,
        "role": message.role,
        "status": message.status,
        "content": message.content,
        "reasoning": message.reasoning,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "error": message.error,
        "usage": message.usage,
        "timings": message.timings,
        "created_at": message.created_at.isoformat(),
    }


@blueprint.get("/state")
def state() -> Response:
    """Say which model is served and whether it answers: what the page's banner shows."""
    return jsonify(model_state())


@blueprint.get("/conversations")
def list_conversations() -> Response:
    """List all conversations, the newest first."""
    with services().database.read() as session:
        rows = conversations.listing(session)
    return jsonify({"conversations": [_shown_conversation(row) for row in rows]})


@blueprint.post("/conversations")
def create_conversation() -> tuple[Response, int]:
    """Create a conversation."""
    body = _body(NewConversation)
    with services().database.write() as session:
        conversation = conversations.create(session, body.title)
    return jsonify(_shown_conversation(conversation)), 201


@blueprint.patch("/conversations/<uuid:conversation_id>")
def rename_conversation(conversation_id: UUID) -> Response:
    """Give a conversation another title."""
    body = _body(Renaming)
    with services().database.write() as session:
        conversation = conversations.get(session, conversation_id)
        conversation.title = body.title
    return jsonify(_shown_conversation(conversation))


@blueprint.delete("/conversations/<uuid:conversation_id>")
def delete_conversation(conversation_id: UUID) -> tuple[str, int]:
    """Delete a conversation with its messages, and end its answer in progress."""
    with services().database.write() as session:
        conversations.remove(session, conversation_id)
    services().runs.end_conversation(conversation_id)
    return "", 204


@blueprint.get("/conversations/<uuid:conversation_id>/messages")
def list_messages(conversation_id: UUID) -> Response:
    """List the messages from the first to the newest."""
    with services().database.read() as session:
        conversation = conversations.get(session, conversation_id)
        rows = conversations.path(session, conversation_id)
    return jsonify(
        {
            "conversation": _shown_conversation(conversation),
            "messages": [_shown_message(row) for row in rows],
        }
    )


@blueprint.post("/conversations/<uuid:conversation_id>/messages")
def send_message(conversation_id: UUID) -> Response:
    """Ask a question; the response is a stream of server-sent events.

    Events: ``start`` {conversation, question, answer}, ``delta`` {content?, reasoning?}, and at
    the end ``end`` {the answer's columns, id, saved}.
    """
    body = _body(Question)
    if body.content is None and body.parent_id is None:
        raise Failure("invalid_body", "The message has no content.", status=422, param="content")
    parts = services()
    model = parts.files.model
    parts.admission.enter()
    try:
        with parts.database.write() as session:
            history, row = conversations.open_turn(
                session,
                conversation_id,
                question=body.content,
                parent_id=body.parent_id,
                model=model,
            )
            conversation = conversations.get(session, conversation_id)
        run = Run(row.id, conversation_id, turns_of(history), Answer(model))
        start = {
            "conversation": _shown_conversation(conversation),
            "question": _shown_message(history[-1]),
            "answer": _shown_message(row),
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


@blueprint.post("/messages/<uuid:message_id>/stop")
def stop_message(message_id: UUID) -> tuple[Response, int]:
    """End an answer in progress; what has come of it stays. It may already have ended."""
    stopping = services().runs.end(message_id, Status.STOPPED)
    return jsonify({"stopping": stopping}), 202
