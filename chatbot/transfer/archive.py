"""The file format of exported conversations: what a conversation is outside of the database.

A file holds one archive as JSON, or one on each line (JSON Lines). Ids in it only say what follows
what: an import gives everything new ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from chatbot.api.schemas import MAX_COMMENT_CHARS, MAX_NAME_CHARS, AnswerSettings, ErrorDetail
from chatbot.data.conversations import MAX_TITLE_CHARS
from chatbot.data.tables import Role, Status, ToolStatus

FORMAT: Final = "archi-chat"
VERSION: Final = 1
MAX_MESSAGES = 10_000
MAX_TEXT_CHARS = 1_000_000

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _in_reach(moment: datetime) -> datetime:
    if not _FIRST <= moment < _LAST:
        raise ValueError("must lie between 1970 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_in_reach)]
Name = Annotated[str, Field(max_length=MAX_NAME_CHARS)]
LongText = Annotated[str, Field(max_length=MAX_TEXT_CHARS)]
Figures = dict[str, bool | int | float | None]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True, allow_inf_nan=False)


class ArchivedToolCall(_Part):
    """A tool that an answer called."""

    call_id: Name
    name: Name
    arguments: dict[str, Any]
    content_offset: int = Field(default=0, ge=0, le=MAX_TEXT_CHARS)
    status: Literal[ToolStatus.COMPLETE, ToolStatus.ERROR, ToolStatus.STOPPED]
    result: LongText = ""
    sources: list[dict[str, Any]] = Field(default_factory=list, max_length=100)
    started_at: Moment
    duration_ms: int | None = Field(default=None, ge=0, lt=2**31)


class ArchivedFeedback(_Part):
    """What a reader thought of an answer."""

    rating: Literal[1, -1]
    comment: str = Field(default="", max_length=MAX_COMMENT_CHARS)
    created_at: Moment


class ArchivedAttachment(_Part):
    """A document that a question carried; its content is not in the archive."""

    name: str = Field(max_length=255)
    media_type: str = Field(max_length=100)
    size: int = Field(ge=0, lt=2**63)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class ArchivedMessage(_Part):
    """A message; ``parent_id`` is the id of one before it in the list, or null."""

    id: UUID
    parent_id: UUID | None
    role: Role
    status: Literal[Status.COMPLETE, Status.STOPPED, Status.INTERRUPTED, Status.ERROR]
    content: LongText
    reasoning: LongText = ""
    model: Name | None = None
    agent: Name | None = None
    finish_reason: str | None = Field(default=None, max_length=32)
    error: ErrorDetail | None = None
    usage: Figures | None = None
    timings: Figures | None = None
    created_at: Moment
    tool_calls: list[ArchivedToolCall] = Field(default_factory=list, max_length=1_000)
    feedback: ArchivedFeedback | None = None
    attachments: list[ArchivedAttachment] = Field(default_factory=list, max_length=100)


class ArchivedConversation(_Part):
    """A conversation with all its branches, the oldest message first."""

    title: str = Field(default="", max_length=MAX_TITLE_CHARS)
    settings: AnswerSettings = Field(default_factory=AnswerSettings)
    created_at: Moment
    updated_at: Moment
    messages: list[ArchivedMessage] = Field(max_length=MAX_MESSAGES)

    @model_validator(mode="after")
    def _check_tree(self) -> ArchivedConversation:
        known: set[UUID] = set()
        for message in self.messages:
            if message.id in known:
                raise ValueError(f"two messages have the id {message.id}")
            if message.parent_id is not None and message.parent_id not in known:
                raise ValueError(f"the parent of message {message.id} does not come before it")
            known.add(message.id)
        return self


class Archive(_Part):
    """One conversation as a file, or as a line of one."""

    format: Literal["archi-chat"] = FORMAT
    version: Literal[1] = VERSION
    exported_at: Moment | None = None
    conversation: ArchivedConversation
