"""From the rows of a conversation to what a responder is asked."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.agent.request import PastMessage, PastToolCall
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Message, Role, ToolCall


def history_of(
    path: Sequence[Message],
    details: MessageDetails,
) -> tuple[PastMessage, ...]:
    """Return the messages that a model may see: questions with answers, the last message last.

    A question whose answer failed before its first word is left out: two questions in a row are
    what many chat templates refuse.

    Args:
        path: the messages from the first one to the open question, or to the cut answer.
        details: the tool calls of each answer, and the documents of each question.
    """
    past: list[PastMessage] = []
    for message, answer in zip(path, [*path[1:], None], strict=True):
        answered = answer is None or bool(answer.content)
        if answered if message.role == Role.USER else message.content:
            past.append(
                PastMessage(
                    Role(message.role),
                    message.content,
                    tuple(_past(call) for call in details.tool_calls(message.id)),
                    tuple(one.id for one in details.attachments(message.id)),
                )
            )
    return tuple(past)


def _past(call: ToolCall) -> PastToolCall:
    return PastToolCall(call.call_id, call.name, call.arguments, call.result, call.content_offset)
