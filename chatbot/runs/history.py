"""From the rows of a conversation to what a responder is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from chatbot.agent.request import PastMessage, PastToolCall
from chatbot.data.tables import Message, Role, ToolCall


def history_of(
    path: Sequence[Message],
    calls: Mapping[UUID, Sequence[ToolCall]],
    attachments: Mapping[UUID, Sequence[UUID]],
) -> tuple[PastMessage, ...]:
    """Return the messages that a model may see: questions with answers, the last message last.

    A question whose answer failed before its first word is left out: two questions in a row are
    what many chat templates refuse.

    Args:
        path: the messages from the first one to the open question, or to the cut answer.
        calls: the tool calls of each answer.
        attachments: the documents of each question.
    """
    past: list[PastMessage] = []
    for message, answer in zip(path, [*path[1:], None], strict=True):
        answered = answer is None or bool(answer.content)
        if answered if message.role == Role.USER else message.content:
            past.append(
                PastMessage(
                    Role(message.role),
                    message.content,
                    tuple(_past(call) for call in calls.get(message.id, ())),
                    tuple(attachments.get(message.id, ())),
                )
            )
    return tuple(past)


def _past(call: ToolCall) -> PastToolCall:
    return PastToolCall(call.call_id, call.name, call.arguments, call.result, call.content_offset)
