"""What belongs to messages besides their own row: tool calls, feedback, attachments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Self
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from chatbot.data.tables import Attachment, Document, Feedback, Message, ToolCall


class MessageDetails:
    """The details of several messages, read in three queries."""

    def __init__(self) -> None:
        self._tool_calls: defaultdict[UUID, list[ToolCall]] = defaultdict(list)
        self._attachments: defaultdict[UUID, list[Document]] = defaultdict(list)
        self._feedback: dict[UUID, Feedback] = {}

    @classmethod
    def of(cls, session: Session, conversation_id: UUID) -> Self:
        """Read those of all messages of a conversation."""
        messages = select(Message.id).where(Message.conversation_id == conversation_id)
        return cls._read(session, messages)

    @classmethod
    def of_messages(cls, session: Session, *messages: Message) -> Self:
        """Read those of some messages."""
        if not messages:
            return cls()
        ids = [message.id for message in messages]
        return cls._read(session, select(Message.id).where(Message.id.in_(ids)))

    @classmethod
    def _read(cls, session: Session, messages: Select[UUID]) -> Self:
        found = cls()
        calls = select(ToolCall).where(ToolCall.message_id.in_(messages)).order_by(ToolCall.id)
        for call in session.scalars(calls):
            found._tool_calls[call.message_id].append(call)
        carried = (
            select(Attachment.message_id, Document)
            .join(Document, Document.id == Attachment.document_id)
            .where(Attachment.message_id.in_(messages))
            .order_by(Attachment.position)
        )
        for message_id, document in session.execute(carried):
            found._attachments[message_id].append(document)
        for feedback in session.scalars(select(Feedback).where(Feedback.message_id.in_(messages))):
            found._feedback[feedback.message_id] = feedback
        return found

    def tool_calls(self, message_id: UUID) -> Sequence[ToolCall]:
        """Return an answer's tool calls, the first one first."""
        return self._tool_calls.get(message_id, [])

    def attachments(self, message_id: UUID) -> Sequence[Document]:
        """Return the documents that a question carries, in its order."""
        return self._attachments.get(message_id, [])

    def feedback(self, message_id: UUID) -> Feedback | None:
        """Return what the reader thinks of an answer."""
        return self._feedback.get(message_id)
