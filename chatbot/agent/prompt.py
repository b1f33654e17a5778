"""From a conversation to the messages that are sent, as OpenAI's API has them."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chatbot.agent.context import Turn, cut
from chatbot.agent.events import Notice
from chatbot.agent.request import PastMessage, PastToolCall
from chatbot.data.documents import Attached
from chatbot.data.tables import Role

# Bytes of attached text where the model's context is unknown, and for each token of half of it.
_UNKNOWN_CONTEXT_BYTES = 100_000
_BYTES_PER_TOKEN = 3
_CONTINUE = "Your last answer was cut off. Go on exactly where it stops; repeat nothing of it."


@dataclass
class Conversation:
    """The messages without the system prompt, and what the reader should know about them.

    ``continued``: the last of them is an answer that the model goes on with.
    """

    turns: list[Turn] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    continued: bool = False


def conversation(
    history: Sequence[PastMessage],
    attached: Mapping[UUID, Attached],
    limit: int | None,
    *,
    continued: bool,
    continues: bool = True,
    images: bool = True,
) -> Conversation:
    """Make the messages of a conversation.

    Args:
        history: ends with the question, or with the cut answer.
        attached: what its questions carry; what is not there is gone.
        limit: the model's context in tokens: what is attached gets half of it.
        continued: the last message is a cut answer that is to be gone on with.
        continues: whether the server can go on with an answer; otherwise it is asked to.
        images: whether images are sent; otherwise only named.
    """
    made = Conversation()
    room = _UNKNOWN_CONTEXT_BYTES if limit is None else limit * _BYTES_PER_TOKEN // 2
    parts: list[list[Turn]] = []
    # The newest question's documents come first where there is not room for all.
    for message in reversed(history):
        if message.role == Role.USER:
            carried = [attached[one] for one in message.attachments if one in attached]
            texts, room = _texts(carried, room, made.notices)
            parts.append([_question(message.content, texts, carried, images)])
        else:
            parts.append(list(_answer(message)))
    made.turns = [turn for part in reversed(parts) for turn in part]
    if continued and made.turns[-1]["role"] == Role.ASSISTANT:
        if continues:
            made.continued = True
        else:
            made.turns.append({"role": "user", "content": _CONTINUE})
    return made


def _texts(carried: Sequence[Attached], room: int, notices: list[Notice]) -> tuple[list[str], int]:
    """Return the texts of documents, and how many bytes of room are left."""
    texts = []
    for one in carried:
        if one.media_type.startswith("image/"):
            continue
        if not one.text:
            notices.append(
                Notice("attachment_unread", f"{one.name} was not read. {one.error or ''}".strip())
            )
            continue
        whole = len(one.text.encode())
        text = one.text
        if whole > room:
            # Bytes to characters, by this text's own measure.
            text = cut(text, max(0, room) * len(text) // whole)
            share = max(0, room) * 100 // whole
            notices.append(
                Notice(
                    "attachment_cut",
                    f"Only the first {share} % of {one.name} fit into what the model reads.",
                )
            )
        room -= min(whole, max(0, room))
        texts.append(f"[Attached document: {one.name}]\n{text}\n[End of {one.name}]")
    return texts, room


def _question(content: str, texts: list[str], carried: Sequence[Attached], images: bool) -> Turn:
    pictures = [one for one in carried if one.media_type.startswith("image/")]
    if not images or any(one.image is None for one in pictures):
        texts = [*texts, *(f"[Attached image, not shown here: {one.name}]" for one in pictures)]
        pictures = []
    text = "\n\n".join([*texts, content])
    if not pictures:
        return {"role": "user", "content": text}
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_url(one)}} for one in pictures
    ]
    return {"role": "user", "content": [*parts, {"type": "text", "text": text}]}


def _data_url(one: Attached) -> str:
    return f"data:{one.media_type};base64,{base64.b64encode(one.image or b'').decode()}"


def _answer(message: PastMessage) -> Iterator[Turn]:
    """Split an answer at its tool calls; calls at one place were made together."""
    begin = 0
    offsets = sorted({call.content_offset for call in message.tool_calls})
    for offset in offsets:
        calls = [call for call in message.tool_calls if call.content_offset == offset]
        yield {
            "role": "assistant",
            "content": message.content[begin:offset],
            "tool_calls": [called(one.call_id, one.name, one.arguments) for one in calls],
        }
        yield from (_result(one) for one in calls)
        begin = offset
    if message.content[begin:] or not offsets:
        yield {"role": "assistant", "content": message.content[begin:]}


def called(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a tool call as a message of an assistant has it."""
    function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    return {"id": call_id, "type": "function", "function": function}


def _result(call: PastToolCall) -> Turn:
    return {"role": "tool", "tool_call_id": call.call_id, "content": call.result}
