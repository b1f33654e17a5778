"""A conversation as Markdown, for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Conversation, Message, Role, Status, ToolCall

_NAMES = {Role.USER: "Question", Role.ASSISTANT: "Answer"}


def markdown_of(
    conversation: Conversation, messages: Sequence[Message], details: MessageDetails
) -> str:
    """Write one branch of a conversation."""
    title = " ".join(conversation.title.split()) or "Conversation"
    parts = [f"# {title}"]
    for message in messages:
        parts += _message(message, details)
    return "\n\n".join(parts) + "\n"


def _message(message: Message, details: MessageDetails) -> Iterator[str]:
    yield f"## {_NAMES[Role(message.role)]}"
    about = [f"{message.created_at:%Y-%m-%d %H:%M} UTC", message.model, message.agent]
    if message.status != Status.COMPLETE:
        about.append(message.status)
    yield f"*{' · '.join(text for text in about if text)}*"
    for document in details.attachments(message.id):
        yield f"Attached: `{document.name}`"
    if message.reasoning:
        yield _quote(["Reasoning:", "", *message.reasoning.split("\n")])
    for call in details.tool_calls(message.id):
        yield from _call(call)
    if message.content:
        yield message.content
    if message.error:
        yield _quote([f"Error: {message.error.get('message', '')}"])


def _call(call: ToolCall) -> Iterator[str]:
    yield f"Tool `{call.name}` ({call.status}):"
    yield _fenced(json.dumps(call.arguments, ensure_ascii=False), "json")
    if call.result:
        yield _fenced(call.result, "")
    for source in call.sources:
        yield f"- Source: {source.get('name', '')}"


def _quote(lines: Iterable[str]) -> str:
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _fenced(text: str, language: str) -> str:
    """Put a text between fences that are longer than any in it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"
