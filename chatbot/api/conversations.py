"""Conversations and their messages, under ``/api/conversations``."""

from __future__ import annotations

from typing import Any

from chatbot.access.principal import current
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import (
    ConversationList,
    ConversationPath,
    MessageList,
    NewConversation,
    Renaming,
    ShownConversation,
    ShownMessage,
)
from chatbot.data import conversations
from chatbot.services import services

api = blueprint("conversations", __name__)


@api.get("/conversations", responses={"200": ConversationList})
def list_conversations() -> dict[str, Any]:
    """List all conversations, the newest first."""
    with services().database.read() as session:
        rows = conversations.listing(session, current().user_id)
    return shown(ConversationList(conversations=[ShownConversation.of(row) for row in rows]))


@api.post("/conversations", responses={"201": ShownConversation, **errors(415)})
def create_conversation(body: NewConversation) -> tuple[dict[str, Any], int]:
    """Create a conversation."""
    with services().database.write() as session:
        conversation = conversations.create(session, current().user_id, body.title)
    return shown(ShownConversation.of(conversation)), 201


@api.patch(
    "/conversations/<uuid:conversation_id>",
    responses={"200": ShownConversation, **errors(404, 415)},
)
def rename_conversation(path: ConversationPath, body: Renaming) -> dict[str, Any]:
    """Give a conversation another title."""
    with services().database.write() as session:
        conversation = conversations.get(session, path.conversation_id, current().user_id)
        conversation.title = body.title
    return shown(ShownConversation.of(conversation))


@api.delete("/conversations/<uuid:conversation_id>", responses={"204": None, **errors(404)})
def delete_conversation(path: ConversationPath) -> tuple[str, int]:
    """Delete a conversation with its messages, and end its answer in progress."""
    with services().database.write() as session:
        conversations.remove(session, path.conversation_id, current().user_id)
    services().runs.end_conversation(path.conversation_id)
    return "", 204


@api.get(
    "/conversations/<uuid:conversation_id>/messages",
    responses={"200": MessageList, **errors(404)},
)
def list_messages(path: ConversationPath) -> dict[str, Any]:
    """List the messages from the first to the newest."""
    with services().database.read() as session:
        conversation = conversations.get(session, path.conversation_id, current().user_id)
        rows = conversations.path(session, path.conversation_id)
    return shown(
        MessageList(
            conversation=ShownConversation.of(conversation),
            messages=[ShownMessage.of(row) for row in rows],
        )
    )
