"""What the API takes and gives, as its OpenAPI description says it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chatbot.data.conversations import MAX_TITLE_CHARS, PAGE
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Conversation, Message, Role, Status, TitleBy, ToolStatus
from chatbot.failures import Failure

MAX_QUESTION_CHARS = 200_000
MAX_SYSTEM_PROMPT_CHARS = 50_000
MAX_COMMENT_CHARS = 4_000
MAX_ATTACHMENTS = 20
MAX_NAME_CHARS = 200

# What json_body refuses everywhere, for readers of the description: Postgres takes no NUL.
_NO_NUL = {"pattern": r"^[^\u0000]*$"}
# The space around a text is taken off, so a text of spaces is none.
_NOT_BLANK = {"pattern": r"^[^\u0000]*[^\s\u0000][^\u0000]*$"}
Text = Annotated[str, Field(json_schema_extra=_NO_NUL)]
NotBlank = Annotated[str, Field(min_length=1, json_schema_extra=_NOT_BLANK)]


class Body(BaseModel):
    """A request's JSON body: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Query(BaseModel):
    """A request's query: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


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

    title: Text = Field(default="", max_length=MAX_TITLE_CHARS)


class SamplingChoice(Body):
    """How the model chooses its tokens; what is null or absent is left to the model server."""

    # Strict: true and false are no numbers.
    temperature: float | None = Field(default=None, ge=0, le=2, allow_inf_nan=False, strict=True)
    top_p: float | None = Field(default=None, gt=0, le=1, allow_inf_nan=False, strict=True)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000, strict=True)


class AnswerSettings(Body):
    """What a conversation's next answers are made with; null is the deployment's default."""

    agent: NotBlank | None = Field(default=None, max_length=MAX_NAME_CHARS)
    model: NotBlank | None = Field(default=None, max_length=MAX_NAME_CHARS)
    system_prompt: NotBlank | None = Field(default=None, max_length=MAX_SYSTEM_PROMPT_CHARS)
    sampling: SamplingChoice | None = None


class ConversationChange(Body):
    """What is to be changed. In ``settings`` absent keys stay and null ones are taken away."""

    title: NotBlank | None = Field(default=None, max_length=MAX_TITLE_CHARS)
    settings: AnswerSettings | None = None


class DeleteAll(Body):
    """The word that is asked for before everything is deleted."""

    confirm: Literal["delete all conversations"]


class Page(Query):
    """Which part of a list: at most ``limit``, after the end ``before`` of an earlier part."""

    limit: int = Field(default=PAGE, ge=1, le=PAGE)
    before: str | None = Field(
        default=None,
        pattern=r"^[0-9]{1,16}-[0-9a-f]{32}$",
        description="`next` of the part before",
    )


class WhichMessages(Query):
    """Which messages: those up to ``leaf`` (default: the newest), or all branches."""

    leaf: UUID | None = None
    tree: bool = False


class Question(Body):
    """A question.

    Without ``content`` the question ``parent_id`` is answered again. ``parent_id`` is the message
    that it follows: absent the newest, null none, so that it begins a branch of its own.
    ``attachments`` are ids of documents; ``agent`` answers this question, whatever the
    conversation's settings say.
    """

    content: NotBlank | None = Field(default=None, max_length=MAX_QUESTION_CHARS)
    parent_id: UUID | None = None
    attachments: list[UUID] = Field(default_factory=list, max_length=MAX_ATTACHMENTS)
    agent: NotBlank | None = Field(default=None, max_length=MAX_NAME_CHARS)

    @property
    def at_root(self) -> bool:
        """Whether the question follows no other message: ``parent_id`` is there, and null."""
        return "parent_id" in self.model_fields_set and self.parent_id is None


class Rating(Body):
    """What a reader thinks of an answer: 1 or -1."""

    rating: Literal[1, -1]
    comment: Text = Field(default="", max_length=MAX_COMMENT_CHARS)


class ShownConversation(Shown):
    """A conversation in a list."""

    id: UUID
    title: str
    title_by: TitleBy
    settings: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Conversation) -> Self:
        """Show a row."""
        return cls.model_validate(row)


class ShownToolCall(Shown):
    """A tool that an answer called after ``content_offset`` characters of it.

    ``sources`` are ``{document_id, name, page, text}`` each.
    """

    id: UUID
    call_id: str
    name: str
    arguments: dict[str, Any]
    content_offset: int
    status: ToolStatus
    result: str
    sources: list[dict[str, Any]]
    started_at: datetime
    duration_ms: int | None


class ShownFeedback(Shown):
    """What a reader thinks of an answer."""

    rating: int
    comment: str
    created_at: datetime


class ShownAttachment(Shown):
    """A document that a question carries; ``size`` is in bytes."""

    id: UUID
    name: str
    media_type: str
    size: int


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
    agent: str | None
    finish_reason: str | None
    error: dict[str, Any] | None
    usage: dict[str, Any] | None
    timings: dict[str, Any] | None
    created_at: datetime
    tool_calls: list[ShownToolCall] = Field(default_factory=list)
    feedback: ShownFeedback | None = None
    attachments: list[ShownAttachment] = Field(default_factory=list)

    @classmethod
    def of(cls, row: Message, details: MessageDetails) -> Self:
        """Show a row, with its tool calls, feedback and attachments."""
        made = cls.model_validate(row)
        made.tool_calls = [ShownToolCall.model_validate(x) for x in details.tool_calls(row.id)]
        made.attachments = [ShownAttachment.model_validate(x) for x in details.attachments(row.id)]
        feedback = details.feedback(row.id)
        made.feedback = ShownFeedback.model_validate(feedback) if feedback else None
        return made


class ConversationList(BaseModel):
    """Conversations, the one with the newest message first; ``next`` is null at the end."""

    conversations: list[ShownConversation]
    next: str | None


class Deleted(BaseModel):
    """How many there were."""

    deleted: int


class MessageList(BaseModel):
    """A conversation's messages from the first to the newest, of one branch or of all."""

    conversation: ShownConversation
    messages: list[ShownMessage]


class Stopping(BaseModel):
    """Whether an answer was in progress."""

    stopping: bool


class ModelState(BaseModel):
    """Which model is served, whether it answers, and how many tokens it reads.

    ``models`` are those that a conversation may choose: the served one, those of other servers
    that pipelines name, and while vLLM answers what else it lists.
    """

    model: str
    models: list[str]
    ready: bool
    max_model_len: int | None
    error: ErrorDetail | None


def refused(error: ValidationError) -> Failure:
    """Say what is wrong with a request, by its first mistake."""
    first = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"]) or None
    message = f"{param or 'The body'}: {first['msg']}."
    return Failure("invalid_body", message, status=422, param=param)
