"""What a responder is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chatbot.data.tables import Role


@dataclass(frozen=True)
class PastToolCall:
    """A tool call of an earlier answer; every one has a result, be it "stopped"."""

    call_id: str
    name: str
    arguments: dict[str, Any]
    result: str
    content_offset: int


@dataclass(frozen=True)
class PastMessage:
    """A message of the conversation; ``attachments`` are ids of documents."""

    role: Role
    content: str
    tool_calls: tuple[PastToolCall, ...] = ()
    attachments: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Sampling:
    """How the model chooses its tokens; None leaves it to the model server."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class AnswerRequest:
    """A question with what came before it.

    ``history`` ends with the question; where ``continued``, with the cut answer that is to be
    gone on with. ``model`` is the served model's id, ``agent`` None for the default agent,
    ``system_prompt`` replaces the agent's where given.
    """

    user_id: UUID
    conversation_id: UUID
    message_id: UUID
    model: str
    history: tuple[PastMessage, ...]
    agent: str | None = None
    system_prompt: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    continued: bool = False
