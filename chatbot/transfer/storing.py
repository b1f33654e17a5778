"""From archives to the database, under new ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import insert, or_, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from chatbot.data.tables import (
    Attachment,
    Base,
    Conversation,
    Document,
    Feedback,
    Message,
    TitleBy,
    ToolCall,
)
from chatbot.transfer.archive import ArchivedConversation, ArchivedMessage

# Rows of one statement: Postgres and SQLite both have a time limit for each.
_AT_ONCE = 500


@dataclass
class Stored:
    """What an import has made; ``missing`` are attachments whose document is not here."""

    conversations: list[UUID] = field(default_factory=list)
    messages: int = 0
    missing: int = 0


def store(session: Session, owner: UUID, archived: Sequence[ArchivedConversation]) -> Stored:
    """Give an account the conversations of a file; its caller commits all of them or none.

    A document that a question carried is attached again where the account has one of the same
    content.
    """
    stored = Stored()
    documents = _documents(session, owner, archived)
    rows: dict[type[Base], list[dict[str, Any]]] = {}
    for conversation in archived:
        made = uuid7()
        stored.conversations.append(made)
        rows.setdefault(Conversation, []).append(
            {
                "id": made,
                "user_id": owner,
                "title": conversation.title,
                "title_by": TitleBy.OWNER if conversation.title else TitleBy.QUESTION,
                "settings": conversation.settings.model_dump(mode="json", exclude_none=True),
                "created_at": conversation.created_at,
                "updated_at": conversation.updated_at,
            }
        )
        ids: dict[UUID, UUID] = {}
        for message in conversation.messages:
            ids[message.id] = uuid7()
            parent = None if message.parent_id is None else ids[message.parent_id]
            stored.messages += 1
            stored.missing += _add(rows, message, ids[message.id], parent, made, documents)
    for table in (Conversation, Message, ToolCall, Feedback, Attachment):
        found = rows.get(table, [])
        for begin in range(0, len(found), _AT_ONCE):
            session.execute(insert(table), found[begin : begin + _AT_ONCE])
    return stored


def _add(
    rows: dict[type[Base], list[dict[str, Any]]],
    message: ArchivedMessage,
    made: UUID,
    parent: UUID | None,
    conversation: UUID,
    documents: dict[str, UUID],
) -> int:
    columns = message.model_dump(
        mode="python", exclude={"id", "parent_id", "tool_calls", "feedback", "attachments"}
    )
    rows.setdefault(Message, []).append(
        {**columns, "id": made, "parent_id": parent, "conversation_id": conversation}
    )
    rows.setdefault(ToolCall, []).extend(
        {**call.model_dump(), "id": uuid7(), "message_id": made} for call in message.tool_calls
    )
    if message.feedback is not None:
        rows.setdefault(Feedback, []).append({**message.feedback.model_dump(), "message_id": made})
    carried = dict.fromkeys(attached.sha256 for attached in message.attachments)
    there = [documents[sha256] for sha256 in carried if sha256 in documents]
    rows.setdefault(Attachment, []).extend(
        {"message_id": made, "document_id": document, "position": position}
        for position, document in enumerate(there)
    )
    return len(carried) - len(there)


def _documents(
    session: Session, owner: UUID, archived: Iterable[ArchivedConversation]
) -> dict[str, UUID]:
    """Return the documents that the account may read, by the hash of their content."""
    wanted = {
        attached.sha256
        for conversation in archived
        for message in conversation.messages
        for attached in message.attachments
    }
    if not wanted:
        return {}
    readable = select(Document.sha256, Document.id).where(
        or_(Document.user_id == owner, Document.user_id.is_(None))
    )
    return {sha256: found for sha256, found in session.execute(readable) if sha256 in wanted}
