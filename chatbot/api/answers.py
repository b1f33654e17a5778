"""Asking, following an answer, stopping it, and going on with one that was cut off."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from flask import Response, request
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

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
from chatbot.data import conversations, recovery, run_log, turns
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Status
from chatbot.data.turns import Turn
from chatbot.failures import Failure
from chatbot.runs import event_stream
from chatbot.runs.admission import Seat
from chatbot.runs.answer import Answer
from chatbot.runs.client_connection import ClientConnection
from chatbot.runs.event_log import Reader
from chatbot.runs.history import history_of
from chatbot.runs.run import Run
from chatbot.services import Services, services

api = blueprint("answers", __name__)

_EVENTS = {
    "description": "Server-sent events: `start` {conversation, question, answer}, `delta` "
    "{content?, reasoning?}, `tool` {id, call_id, name, arguments, content_offset, status, result, "
    "sources, duration_ms}, `notice` {code, message}, `end` {the answer's columns, id, saved}; "
    "where it says `saved: false`, `saved` {} follows when the answer is saved after all. Each has "
    "an id for Last-Event-ID.",
    "content": {"text/event-stream": {}},
}


class After(BaseModel):
    """Where to go on reading; the header Last-Event-ID says the same."""

    after: str | None = Field(default=None, max_length=64, description="The last event's id.")


@api.after_request
def _name_worker(response: Response) -> Response:
    """Say which worker answered: answers live in one, and are read and stopped on any."""
    response.headers["X-Archi-Worker"] = str(os.getpid())
    return response


@api.post(
    "/conversations/<uuid:conversation_id>/messages",
    responses={"200": _EVENTS, **errors(400, 404, 409, 415, 503)},
)
def send_message(path: ConversationPath, body: Question) -> Response:
    """Ask a question; the response is the stream of its answer's events."""
    if body.content is None and body.parent_id is None:
        raise Failure("invalid_body", "The message has no content.", status=422, param="content")
    parts = services()
    owner = current().user_id

    def open_turn(session: Session) -> Turn:
        return turns.ask(
            session,
            path.conversation_id,
            owner,
            question=body.content,
            parent_id=body.parent_id,
            model_of=parts.agents.model_of,
            at_root=body.at_root,
            attachments=body.attachments,
            agent=body.agent,
        )

    return _answer(parts, owner, open_turn, continued=False)


@api.post(
    "/messages/<uuid:message_id>/continue",
    responses={"200": _EVENTS, **errors(404, 409, 503)},
)
def continue_message(path: MessagePath) -> Response:
    """Go on with an answer that was cut off: stopped, interrupted, or at its greatest length.

    The response is a stream of events; what comes is put after the answer that `start` shows.
    """
    owner = current().user_id
    return _answer(
        services(),
        owner,
        lambda session: turns.go_on(session, path.message_id, owner),
        continued=True,
    )


@api.get(
    "/messages/<uuid:message_id>/events",
    responses={"200": _EVENTS, **errors(404, 503)},
)
def follow_answer(path: MessagePath, query: After) -> Response:
    """Follow an answer: from its first event, or from what follows `Last-Event-ID`.

    Of an answer whose events are gone, the stream is `snapshot` {message} and `end`.
    """
    parts = services()
    owner = current().user_id
    known = query.after or request.headers.get("Last-Event-ID")
    seat = parts.seats.take()
    try:
        reader = parts.runs.read(path.message_id, owner, known)
    except BaseException:
        seat.leave()
        raise
    if reader is None:
        seat.leave()
        return event_stream.respond(_snapshot(parts, path.message_id, owner), lambda: None)
    return _stream(parts, path.message_id, owner, reader, seat)


@api.post("/messages/<uuid:message_id>/stop", responses={"202": Stopping, **errors(404)})
def stop_message(path: MessagePath) -> tuple[dict[str, Any], int]:
    """End an answer in progress; what has come of it stays. It may already have ended."""
    stopping = services().runs.stop(path.message_id, current().user_id)
    return shown(Stopping(stopping=stopping)), 202


def _answer(
    parts: Services, owner: UUID, open_turn: Callable[[Session], Turn], *, continued: bool
) -> Response:
    seat = parts.seats.take()
    reader: Reader | None = None
    try:
        parts.admission.enter()
        try:
            with parts.database.write() as session:
                run = _begin(session, parts, owner, open_turn(session), continued=continued)
            reader = run.log.read(0)
            response = _stream(parts, run.message_id, owner, reader, seat)
            parts.runs.start(run)
        except BaseException:
            parts.admission.leave()
            raise
    except BaseException:
        seat.leave()
        if reader is not None:
            reader.close()
        raise
    return response


def _begin(session: Session, parts: Services, owner: UUID, turn: Turn, *, continued: bool) -> Run:
    """Put the run of an answer down, with its first event."""
    choices = conversations.answer_settings(turn.conversation)
    row = turn.answer
    # An agent that is gone is said before anything is written.
    parts.agents.get(row.agent)
    model = row.model or parts.files.model
    answer = Answer(model, row.agent, row if continued else None)
    if continued:
        row.status, row.error, row.finish_reason = Status.STREAMING, None, None
    asked = AnswerRequest(
        user_id=owner,
        conversation_id=turn.conversation.id,
        message_id=row.id,
        model=model,
        history=history_of(turn.path, turn.details),
        agent=row.agent,
        system_prompt=choices.system_prompt,
        sampling=choices.sampling,
        continued=continued,
    )
    run = Run(asked, answer)
    run_log.begin(session, run.id, message_id=row.id, user_id=owner, worker=parts.runs.worker)
    question = turn.path[-2 if continued else -1]
    start = {
        "conversation": shown(ShownConversation.of(turn.conversation)),
        "question": shown(ShownMessage.of(question, turn.details)),
        "answer": shown(ShownMessage.of(row, turn.details)),
    }
    run.tell("start", start)
    return run


def _stream(parts: Services, message_id: UUID, owner: UUID, reader: Reader, seat: Seat) -> Response:
    connection = ClientConnection(request.environ)

    def events() -> Iterator[bytes]:
        yield from event_stream.read(reader, connection)
        if reader.at_end and not reader.got_events:
            # Nothing follows what the client knows: it read from a worker that was killed before
            # it had written all that it had told.
            yield from _snapshot(parts, message_id, owner)

    def leave() -> None:
        reader.close()
        seat.leave()

    return event_stream.respond(events(), leave)


def _snapshot(parts: Services, message_id: UUID, owner: UUID) -> Iterator[bytes]:
    """Encode a message that has ended, where its events are not there to be read."""
    with parts.database.read() as session:
        row = conversations.own_message(session, message_id, owner)
        message = ShownMessage.of(row, MessageDetails.of_messages(session, row))
    yield event_stream.event("snapshot", {"message": shown(message)})
    end = {**recovery.columns_of(row), "id": str(row.id), "saved": True}
    yield event_stream.event("end", end)
