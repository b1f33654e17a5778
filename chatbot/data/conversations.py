"""Reading and writing conversations and messages.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, bindparam, delete, or_, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from chatbot.agent.request import Sampling
from chatbot.data.tables import (
    Attachment,
    Conversation,
    Document,
    Message,
    Role,
    Status,
    TitleBy,
    now,
)
from chatbot.failures import Failure

TITLE_CHARS = 60
MAX_TITLE_CHARS = 200
# Conversations in one part of a list, at most.
PAGE = 500

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


# Made once: building a statement costs SQLAlchemy as much as running it.
_TREE = (
    select(Message)
    .where(Message.conversation_id == bindparam("conversation_id"))
    .order_by(Message.id)
)


@dataclass(frozen=True)
class AnswerChoices:
    """What a conversation's next answer is made with; None is the deployment's default."""

    agent: str | None
    model: str | None
    system_prompt: str | None
    sampling: Sampling


def title_from(question: str) -> str:
    """Return the first words of a question, at most ``TITLE_CHARS`` characters."""
    text = " ".join(question.split())
    if len(text) <= TITLE_CHARS:
        return text
    cut = text[: TITLE_CHARS - 1]
    # A single word longer than the title is cut inside.
    return (cut.rsplit(" ", 1)[0] if " " in cut else cut) + "…"


def create(session: Session, owner: UUID, title: str = "") -> Conversation:
    """Add a new, empty conversation."""
    conversation = Conversation(
        user_id=owner,
        title=title[:MAX_TITLE_CHARS],
        title_by=TitleBy.OWNER if title else TitleBy.QUESTION,
    )
    session.add(conversation)
    session.flush()
    return conversation


def listing(
    session: Session, owner: UUID, limit: int = PAGE, before: str | None = None
) -> list[Conversation]:
    """Return an account's conversations, the one with the newest message first.

    ``before`` is a ``mark`` of the last one that is known already.
    """
    order = (Conversation.updated_at.desc(), Conversation.id.desc())
    own = select(Conversation).where(Conversation.user_id == owner)
    if before is not None:
        moment, _, hexadecimal = before.partition("-")
        at = _EPOCH + int(moment) * _MICROSECOND
        older = Conversation.updated_at < at
        same = (Conversation.updated_at == at) & (Conversation.id < UUID(hexadecimal))
        own = own.where(or_(older, same))
    return list(session.scalars(own.order_by(*order).limit(limit)))


def mark(conversation: Conversation) -> str:
    """Return a conversation's place in the list: microseconds since 1970, and its id."""
    return f"{(conversation.updated_at - _EPOCH) // _MICROSECOND}-{conversation.id.hex}"


def get(session: Session, conversation_id: UUID, owner: UUID) -> Conversation:
    """Return one of an account's conversations.

    Raises:
        Failure: 404, there is none with that id, or it is another account's.
    """
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or conversation.user_id != owner:
        raise Failure(
            "conversation_not_found",
            "There is no such conversation.",
            "It may have been deleted in another tab: reload the page.",
            status=404,
        )
    return conversation


def remove(session: Session, conversation_id: UUID, owner: UUID) -> None:
    """Delete a conversation and, by the foreign key, all its messages."""
    session.delete(get(session, conversation_id, owner))


def remove_all(session: Session, owner: UUID) -> tuple[int, list[UUID]]:
    """Delete all of an account's conversations.

    Returns:
        How many there were, and those of them in which an answer was in progress.
    """
    own = select(Conversation.id).where(Conversation.user_id == owner)
    streaming = select(Message.conversation_id).where(
        Message.status == Status.STREAMING, Message.conversation_id.in_(own)
    )
    answering = list(session.scalars(streaming))
    done = session.execute(delete(Conversation).where(Conversation.user_id == owner))
    assert isinstance(done, CursorResult)  # noqa: S101 - what a DELETE gives
    return done.rowcount, answering


def change_settings(conversation: Conversation, changes: dict[str, Any]) -> None:
    """Change what a conversation's next answers are made with; None takes a key away."""
    merged = {**conversation.settings, **changes}
    conversation.settings = {key: value for key, value in merged.items() if value is not None}


def answer_settings(conversation: Conversation) -> AnswerChoices:
    """Return what a conversation's next answer is made with."""
    found = conversation.settings
    return AnswerChoices(
        agent=found.get("agent"),
        model=found.get("model"),
        system_prompt=found.get("system_prompt"),
        sampling=Sampling(**found.get("sampling", {})),
    )


def tree(session: Session, conversation_id: UUID) -> list[Message]:
    """Return all messages of a conversation, every branch, the oldest first."""
    return list(session.scalars(_TREE, {"conversation_id": conversation_id}))


def own_message(session: Session, message_id: UUID, owner: UUID) -> Message:
    """Return a message of one of an account's conversations.

    Raises:
        Failure: 404, there is none with that id, or it is another account's.
    """
    own = (
        select(Message)
        .join(Conversation, Message.conversation_id == Conversation.id)
        .where(Message.id == message_id, Conversation.user_id == owner)
    )
    found = session.scalars(own).first()
    if found is None:
        raise message_not_found()
    return found


def message_not_found(param: str | None = None) -> Failure:
    """Say that a message's id is unknown, or another account's."""
    return Failure(
        "message_not_found",
        "There is no such message.",
        "It may have been deleted in another tab: reload the page.",
        status=404,
        param=param,
    )


def path(session: Session, conversation_id: UUID, leaf_id: UUID | None = None) -> list[Message]:
    """Return the messages from the first one to a leaf, by default the newest leaf."""
    return _path(tree(session, conversation_id), leaf_id)


def _path(rows: Sequence[Message], leaf_id: UUID | None) -> list[Message]:
    by_id = {row.id: row for row in rows}
    node = by_id.get(leaf_id) if leaf_id is not None else (rows[-1] if rows else None)
    found: list[Message] = []
    while node is not None:
        found.append(node)
        node = by_id.get(node.parent_id) if node.parent_id is not None else None
    return found[::-1]


def open_turn(
    session: Session,
    conversation_id: UUID,
    owner: UUID,
    *,
    question: str | None,
    parent_id: UUID | None,
    model: str,
    at_root: bool = False,
    attachments: Sequence[UUID] = (),
    agent: str | None = None,
) -> tuple[list[Message], Message]:
    """Put down a question and the empty answer that is about to stream.

    Args:
        session: an open session that may write.
        conversation_id: the conversation.
        owner: the account whose conversation it is.
        question: the question's text; None to answer the question ``parent_id`` again.
        parent_id: the message that the question follows; None for the newest one.
        model: the model that will answer.
        at_root: the question follows no message, whatever else the conversation holds.
        attachments: ids of documents that the question carries.
        agent: the agent that will answer; None for the default one.

    Returns:
        The path up to and including the question, and the answer.

    Raises:
        Failure: 404 for an unknown id or another account's, 409 while another answer of the
            conversation streams, 422 where there is no question to answer.
    """
    conversation = get(session, conversation_id, owner)
    rows = tree(session, conversation_id)
    if any(row.status == Status.STREAMING for row in rows):
        raise _answer_in_progress()
    history = [] if at_root else _path(rows, parent_id)
    if parent_id is not None and not history:
        raise message_not_found("parent_id")
    moment = now()
    if question is not None:
        asked = Message(
            id=uuid7(),
            conversation_id=conversation_id,
            parent_id=history[-1].id if history else None,
            role=Role.USER,
            status=Status.COMPLETE,
            content=question,
            created_at=moment,
        )
        session.add(asked)
        if attachments:
            session.flush()
            _attach(session, asked.id, owner, attachments)
        history.append(asked)
        conversation.title = conversation.title or title_from(question)
    elif not history or history[-1].role != Role.USER:
        raise Failure(
            "nothing_to_answer",
            "Only a question can be answered again.",
            "Send `content`, or the id of a user's message as `parent_id`.",
            status=422,
            param="parent_id",
        )
    answer = Message(
        id=uuid7(),
        conversation_id=conversation_id,
        parent_id=history[-1].id,
        role=Role.ASSISTANT,
        status=Status.STREAMING,
        model=model,
        agent=agent,
        created_at=moment,
    )
    session.add(answer)
    conversation.updated_at = moment
    session.flush()
    return history, answer


def _attach(session: Session, message_id: UUID, owner: UUID, documents: Sequence[UUID]) -> None:
    """Have a question carry documents: the account's own, or the deployment's mounted ones."""
    wanted = list(dict.fromkeys(documents))
    readable = select(Document.id).where(
        Document.id.in_(wanted), or_(Document.user_id == owner, Document.user_id.is_(None))
    )
    if set(session.scalars(readable)) != set(wanted):
        raise Failure(
            "document_not_found",
            "There is no such document.",
            "It may have been deleted: upload it again.",
            status=404,
            param="attachments",
        )
    session.add_all(
        Attachment(message_id=message_id, document_id=found, position=position)
        for position, found in enumerate(wanted)
    )
    session.flush()


def refuse_while_streaming(session: Session, conversation_id: UUID) -> None:
    """Let a conversation have one answer in progress at a time.

    Raises:
        Failure: 409, an answer of the conversation streams.
    """
    streaming = select(Message.id).where(
        Message.conversation_id == conversation_id, Message.status == Status.STREAMING
    )
    if session.scalars(streaming.limit(1)).first() is not None:
        raise _answer_in_progress()


def _answer_in_progress() -> Failure:
    return Failure(
        "answer_in_progress",
        "An answer in this conversation is still being written.",
        "Wait for its end or stop it.",
        status=409,
    )
