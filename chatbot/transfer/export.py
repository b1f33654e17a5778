"""From the database to archives."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from chatbot.data import conversations
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Conversation, Message, Status, ToolStatus, now
from chatbot.transfer.archive import Archive, ArchivedConversation, ArchivedMessage

_MESSAGE = [
    "id",
    "parent_id",
    "role",
    "content",
    "reasoning",
    "model",
    "agent",
    "finish_reason",
    "error",
    "usage",
    "timings",
    "created_at",
]
_CALL = [
    "call_id",
    "name",
    "arguments",
    "content_offset",
    "result",
    "sources",
    "started_at",
    "duration_ms",
]


def archive_of(session: Session, conversation: Conversation) -> Archive:
    """Return a conversation with all its branches; an answer in progress counts as interrupted."""
    details = MessageDetails.of(session, conversation.id)
    rows = conversations.tree(session, conversation.id)
    # What lost its parent is a root, or no import would take the archive.
    known = {row.id for row in rows}
    return Archive(
        exported_at=now(),
        conversation=ArchivedConversation.model_validate(
            {
                "title": conversation.title,
                "settings": conversation.settings,
                "created_at": conversation.created_at,
                "updated_at": conversation.updated_at,
                "messages": [_message(row, details, known) for row in rows],
            }
        ),
    )


def conversation_ids(session: Session, owner: UUID) -> list[UUID]:
    """Return the ids of an account's conversations, the one with the newest message first."""
    own = select(Conversation.id).where(Conversation.user_id == owner)
    return list(session.scalars(own.order_by(Conversation.updated_at.desc())))


def archive_if_there(session: Session, conversation_id: UUID, owner: UUID) -> Archive | None:
    """Return a conversation's archive, None where it was deleted meanwhile."""
    conversation = session.get(Conversation, conversation_id)
    if conversation is None or conversation.user_id != owner:
        return None
    return archive_of(session, conversation)


def _message(row: Message, details: MessageDetails, known: set[UUID]) -> ArchivedMessage:
    unfinished = row.status == Status.STREAMING
    columns = {name: getattr(row, name) for name in _MESSAGE}
    return ArchivedMessage.model_validate(
        {
            **columns,
            "parent_id": row.parent_id if row.parent_id in known else None,
            "status": Status.INTERRUPTED if unfinished else row.status,
            "tool_calls": [
                {
                    **{name: getattr(call, name) for name in _CALL},
                    "status": ToolStatus.STOPPED
                    if call.status == ToolStatus.RUNNING
                    else call.status,
                }
                for call in details.tool_calls(row.id)
            ],
            "feedback": details.feedback(row.id),
            "attachments": details.attachments(row.id),
        }
    )
