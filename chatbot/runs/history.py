"""From the rows of a conversation to what a responder is asked."""

from __future__ import annotations

from collections.abc import Sequence

from chatbot.agent.request import PastMessage
from chatbot.data.tables import Message, Role


def history_of(path: Sequence[Message]) -> tuple[PastMessage, ...]:
    """Return the messages that a model may see: questions with answers, the open question last.

    A question whose answer failed before its first word is left out: two questions in a row are
    what many chat templates refuse.
    """
    past: list[PastMessage] = []
    for message, answer in zip(path, [*path[1:], None], strict=True):
        answered = answer is None or bool(answer.content)
        if answered if message.role == Role.USER else message.content:
            past.append(PastMessage(Role(message.role), message.content))
    return tuple(past)
