"""Conversations and their messages, under ``/api/conversations``."""

from __future__ import annotations

from typing import Any

from flask import request

from chatbot.access import audit_trail
from chatbot.access.principal import current
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import (
    ConversationChange,
    ConversationList,
    ConversationPath,
    DeleteAll,
    Deleted,
    MessageList,
    NewConversation,
    Page,
    ShownConversation,
    ShownMessage,
    WhichMessages,
)
from chatbot.data import conversations
from chatbot.data.audit import Action
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import TitleBy
from chatbot.runs.client_connection import ClientConnection
from chatbot.services import services

api = blueprint("conversations", __name__)

_ONE = "/conversations/<uuid:conversation_id>"


@api.get("/conversations", responses={"200": ConversationList})
def list_conversations(query: Page) -> dict[str, Any]:
    """List conversations, the one with the newest message first, a part at a time."""
    with services().database.read() as session:
        # One more than is asked for says whether there is another part.
        rows = conversations.listing(session, current().user_id, query.limit + 1, query.before)
    part = rows[: query.limit]
    return shown(
        ConversationList(
            conversations=[ShownConversation.of(row) for row in part],
            next=conversations.mark(part[-1]) if len(rows) > len(part) else None,
        )
    )


@api.post("/conversations", responses={"201": ShownConversation, **errors(400, 415)})
def create_conversation(body: NewConversation) -> tuple[dict[str, Any], int]:
    """Create a conversation."""
    with services().database.write() as session:
        conversation = conversations.create(session, current().user_id, body.title)
    return shown(ShownConversation.of(conversation)), 201


@api.delete("/conversations", responses={"200": Deleted, **errors(400, 415)})
def delete_conversations(body: DeleteAll) -> dict[str, Any]:
    """Delete all of one's conversations, and end their answers in progress."""
    with services().database.write() as session:
        deleted, answering = conversations.remove_all(session, current().user_id)
        audit_trail.record(session, Action.CONVERSATIONS_DELETED, deleted=deleted)
    for conversation_id in answering:
        services().runs.end_conversation(conversation_id)
    return shown(Deleted(deleted=deleted))


@api.get(_ONE, responses={"200": ShownConversation, **errors(404)})
def show_conversation(path: ConversationPath) -> dict[str, Any]:
    """Show a conversation's title and settings."""
    with services().database.read() as session:
        conversation = conversations.get(session, path.conversation_id, current().user_id)
    return shown(ShownConversation.of(conversation))


@api.patch(_ONE, responses={"200": ShownConversation, **errors(400, 404, 415)})
def change_conversation(path: ConversationPath, body: ConversationChange) -> dict[str, Any]:
    """Change a conversation's title, or what its next answers are made with."""
    with services().database.write() as session:
        conversation = conversations.get(session, path.conversation_id, current().user_id)
        if body.title is not None:
            conversation.title, conversation.title_by = body.title, TitleBy.OWNER
        if body.settings is not None:
            changes = body.settings.model_dump(mode="json", exclude_unset=True)
            conversations.change_settings(conversation, changes)
    return shown(ShownConversation.of(conversation))


@api.delete(_ONE, responses={"204": None, **errors(404)})
def delete_conversation(path: ConversationPath) -> tuple[str, int]:
    """Delete a conversation with its messages, and end its answer in progress."""
    with services().database.write() as session:
        conversations.remove(session, path.conversation_id, current().user_id)
        audit_trail.record(session, Action.CONVERSATION_DELETED, target=str(path.conversation_id))
    services().runs.end_conversation(path.conversation_id)
    return "", 204


@api.post(f"{_ONE}/title", responses={"200": ShownConversation, **errors(404)})
def title_conversation(path: ConversationPath) -> dict[str, Any]:
    """Have the model write a conversation's title, where that still is the question's words.

    Once there is a whole answer. Where the model gives no title, or cannot be asked now, the title
    stays, and so does one that its owner has given.
    """
    connection = ClientConnection(request.environ)
    conversation = services().titles.write(path.conversation_id, current().user_id, connection.gone)
    return shown(ShownConversation.of(conversation))


@api.get(f"{_ONE}/messages", responses={"200": MessageList, **errors(404)})
def list_messages(path: ConversationPath, query: WhichMessages) -> dict[str, Any]:
    """List the messages of one branch, from the first to a leaf, or of all branches."""
    with services().database.read() as session:
        conversation = conversations.get(session, path.conversation_id, current().user_id)
        if query.tree:
            rows = conversations.tree(session, path.conversation_id)
        else:
            rows = conversations.path(session, path.conversation_id, query.leaf)
        if query.leaf is not None and query.leaf not in {row.id for row in rows}:
            raise conversations.message_not_found("leaf")
        details = MessageDetails.of(session, path.conversation_id)
    return shown(
        MessageList(
            conversation=ShownConversation.of(conversation),
            messages=[ShownMessage.of(row, details) for row in rows],
        )
    )
