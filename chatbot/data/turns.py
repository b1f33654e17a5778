"""Opening a turn: what an answer is made from, and the row that it will fill.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from chatbot.data import conversations
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Conversation, Message, Role, Status
from chatbot.failures import Failure


@dataclass(frozen=True)
class Turn:
    """An answer that is to be made, with what came before it.

    ``path`` ends with the question; where a cut answer is gone on with, with that answer.
    """

    conversation: Conversation
    path: list[Message]
    answer: Message
    details: MessageDetails


def ask(
    session: Session,
    conversation_id: UUID,
    owner: UUID,
    *,
    question: str | None,
    parent_id: UUID | None,
    model_of: Callable[[str | None], str],
    at_root: bool = False,
    attachments: Sequence[UUID] = (),
    agent: str | None = None,
) -> Turn:
    """Put down a question, and the empty answer that is about to stream.

    The arguments are those of ``conversations.open_turn``. ``agent`` comes before the
    conversation's own; ``model_of`` says which model an agent has (None: the default agent), and
    the conversation's own comes before that.

    Raises:
        Failure: as ``conversations.open_turn``, and as ``model_of``.
    """
    # Held, so that the session need not read it again.
    conversation = conversations.get(session, conversation_id, owner)
    choices = conversations.answer_settings(conversation)
    agent = agent or choices.agent
    model = model_of(agent)
    path, answer = conversations.open_turn(
        session,
        conversation_id,
        owner,
        question=question,
        parent_id=parent_id,
        model=choices.model or model,
        at_root=at_root,
        attachments=attachments,
        agent=agent,
    )
    # A question that was put down just now carries what it was asked with, and nothing else.
    plain = question is not None and not attachments
    carrying = path[:-1] if plain else path
    return Turn(conversation, path, answer, MessageDetails.of_messages(session, *carrying))


def go_on(session: Session, message_id: UUID, owner: UUID) -> Turn:
    """Reopen a cut answer, whose text is to be gone on with.

    Raises:
        Failure: 404 for an unknown message or another account's, 409 while an answer of the
            conversation streams, 422 for a message that is no cut answer.
    """
    answer = conversations.own_message(session, message_id, owner)
    conversations.refuse_while_streaming(session, answer.conversation_id)
    if answer.role != Role.ASSISTANT or not answer.content or not _is_cut(answer):
        raise Failure(
            "nothing_to_continue",
            "Only an answer that was cut off can be continued.",
            "Ask the question again: send its id as `parent_id`.",
            status=422,
        )
    conversation = conversations.get(session, answer.conversation_id, owner)
    path = conversations.path(session, conversation.id, message_id)
    return Turn(conversation, path, answer, MessageDetails.of_messages(session, *path))


def _is_cut(answer: Message) -> bool:
    return answer.status != Status.COMPLETE or answer.finish_reason == "length"
