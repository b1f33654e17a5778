"""What the API takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.data.conversations import MAX_TITLE_CHARS
from chatbot.data.tables import Conversation, Message, Role, Status
from chatbot.failures import Failure

MAX_QUESTION_CHARS = 200_000


class Body(BaseModel):
    """A request's JSON body: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Shown(BaseModel):
    """Something that a response shows; made from the table's row."""

    model_config = ConfigDict(from_attributes=True)


class ErrorDetail(BaseModel):
    """OpenAI's error object, and what the reader can do about it."""

    message: str
    type: str
    param: str | None
    code: str
    next_step: str


class Error(BaseModel):
    """Every error of this application."""

    error: ErrorDetail


class ConversationPath(BaseModel):
    """The path of one conversation."""

    conversation_id: UUID


class MessagePath(BaseModel):
    """The path of one message."""

    message_id: UUID


class NewConversation(Body):
    """A conversation that is to be created."""

    title: str = Field(default="", max_length=MAX_TITLE_CHARS)


class Renaming(Body):
    """A conversation's new title."""

    title: str = Field(min_length=1, max_length=MAX_TITLE_CHARS)


class Question(Body):
    """A question. Without ``content`` the question ``parent_id`` is answered again."""

    content: str | None = Field(default=None, min_length=1, max_length=MAX_QUESTION_CHARS)
    parent_id: UUID | None = None


class ShownConversation(Shown):
    """A conversation in a list."""

    id: UUID
    title: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Conversation) -> Self:
        """Show a row."""
        return cls.model_validate(row)


class ShownMessage(Shown):
    """A message; ``usage`` counts tokens, ``timings`` are milliseconds and tokens per second."""

    id: UUID
    conversation_id: UUID
    parent_id: UUID | None
    role: Role
    status: Status
    content: str
    reasoning: str
    model: str | None
    finish_reason: str | None
    error: dict[str, Any] | None
    usage: dict[str, Any] | None
    timings: dict[str, Any] | None
    created_at: datetime

    @classmethod
    def of(cls, row: Message) -> Self:
        """Show a row."""
        return cls.model_validate(row)


class ConversationList(BaseModel):
    """Conversations, the one with the newest message first."""

    conversations: list[ShownConversation]


class MessageList(BaseModel):
    """A conversation's messages from the first to the newest."""

    conversation: ShownConversation
    messages: list[ShownMessage]


class Stopping(BaseModel):
    """Whether an answer was in progress."""

    stopping: bool


class ModelState(BaseModel):
    """Which model is served, whether it answers, and how many tokens it reads."""

    model: str
    ready: bool
    max_model_len: int | None
    error: ErrorDetail | None


def refused(error: ValidationError) -> Failure:
    """Say what is wrong with a request, by its first mistake."""
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"]) or None
    message = f"{param or 'The body'}: {first['msg']}."
    return Failure("invalid_body", message, status=422, param=param)
