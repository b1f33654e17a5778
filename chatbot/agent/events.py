"""What a responder says while it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatbot.data.tables import ToolStatus


@dataclass(frozen=True)
class ContextFitted:
    """The prompt is ready. Lengths are in tokens, None where they are unknown.

    ``limit`` is the model's context; ``dropped`` messages of the conversation were left out.
    """

    tokens: int | None
    limit: int | None
    dropped: int = 0


@dataclass(frozen=True)
class Delta:
    """The next piece of the answer, or of the reasoning that leads to it.

    ``chunks`` of the model server's stream are in it.
    """

    content: str = ""
    reasoning: str = ""
    chunks: int = 1


@dataclass(frozen=True)
class ToolStarted:
    """The model has called a tool; ``call_id`` is the model's own name for the call."""

    call_id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class ToolEnded:
    """A tool has answered. ``result`` is the text that the model gets.

    ``sources`` are ``{document_id, name, page, text}`` each.
    """

    call_id: str
    status: ToolStatus
    result: str
    sources: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Notice:
    """Something that the reader should know about the answer, such as a limit that ended it."""

    code: str
    message: str


@dataclass(frozen=True)
class ModelCallEnded:
    """One request to the model is over; an answer with tools takes several.

    Tokens are None where the server has not told them. ``finish_reason`` None: the stream ended
    before the model did.
    """

    finish_reason: str | None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


AgentEvent = ContextFitted | Delta | ToolStarted | ToolEnded | Notice | ModelCallEnded
