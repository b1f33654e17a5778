"""Search over one's own messages and titles: ``/api/search``."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from chatbot.access.principal import current
from chatbot.api.description import blueprint, shown
from chatbot.api.schemas import Query, ShownConversation, Text
from chatbot.data import search
from chatbot.data.tables import Role
from chatbot.services import services

api = blueprint("search", __name__)

MAX_QUERY_CHARS = 200


class Searching(Query):
    """What to look for: all words, each of which may be the beginning of one in the text."""

    q: Text = Field(max_length=MAX_QUERY_CHARS)
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=10_000)


class ShownHit(BaseModel):
    """A text that was found: a message, or a conversation's title where ``message_id`` is null.

    ``marks`` are the places in ``snippet`` where the words stand: [from, to], in code points.
    """

    conversation: ShownConversation
    message_id: UUID | None
    role: Role | None
    created_at: datetime
    snippet: str
    marks: list[tuple[int, int]]


class HitList(BaseModel):
    """What was found: titles first, then messages, the newest first."""

    hits: list[ShownHit]


@api.get("/search", responses={"200": HitList})
def search_messages(query: Searching) -> dict[str, Any]:
    """Search one's conversations."""
    with services().database.read() as session:
        hits = search.find(session, current().user_id, query.q, query.limit, query.offset)
    return shown(HitList(hits=[_shown(hit) for hit in hits]))


def _shown(hit: search.Hit) -> ShownHit:
    message = hit.message
    return ShownHit(
        conversation=ShownConversation.of(hit.conversation),
        message_id=message.id if message else None,
        role=Role(message.role) if message else None,
        created_at=message.created_at if message else hit.conversation.created_at,
        snippet=hit.snippet,
        marks=hit.marks,
    )
