"""Search over messages and titles: SQLite's FTS5, Postgres' full text search.

A query is split into words, and everything else in it is dropped, so that no query can be wrong.
A text is found when each word is the beginning of one of its words. The newest come first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    Integer,
    Select,
    Text,
    Uuid,
    column,
    func,
    literal,
    null,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.orm import Session

from chatbot.data.tables import Conversation, Message, Status

MAX_WORDS = 16
# Characters of a snippet, about, and of them before the first word that was found.
_SNIPPET = 200
_BEFORE = 60

# SQLite's tables, which the migration 0003 describes.
_ENTRIES = table(
    "search_entries",
    column("id", Integer), column("conversation_id", Uuid), column("message_id", Uuid),
)  # fmt: skip
_INDEX = table("search_index", column("rowid", Integer), column("search_index", Text))

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Hit:
    """A text that was found. ``message`` is None where it is the conversation's title.

    ``marks`` are the places of the words in ``snippet``: (from, to), in characters.
    """

    conversation: Conversation
    message: Message | None
    snippet: str
    marks: list[tuple[int, int]]


def find(session: Session, owner: UUID, query: str, limit: int = 20, offset: int = 0) -> list[Hit]:
    """Find an account's messages and titles, the newest first; titles before messages."""
    words = words_of(query)
    if not words:
        return []
    titles = owned(owner, words, session.get_bind().dialect.name, messages=False)
    texts = owned(owner, words, session.get_bind().dialect.name, messages=True)
    both = union_all(titles, texts).subquery()
    order = (both.c.rank, both.c.moment.desc(), both.c.id.desc())
    rows = session.execute(select(both).order_by(*order).limit(limit).offset(offset)).all()
    by_id: dict[UUID, Conversation] = {
        row.id: row
        for row in session.scalars(
            select(Conversation).where(Conversation.id.in_({row.conversation_id for row in rows}))
        )
    }
    messages: dict[UUID, Message] = {
        row.id: row
        for row in session.scalars(
            select(Message).where(Message.id.in_({row.message_id for row in rows}))
        )
    }
    hits = []
    for row in rows:
        conversation, message = by_id[row.conversation_id], messages.get(row.message_id)
        content = message.content if message is not None else conversation.title
        hits.append(Hit(conversation, message, *snippet(content, words)))
    return hits


def words_of(query: str) -> list[str]:
    """Return a query's words in lower case, at most ``MAX_WORDS``."""
    return [word.lower() for word in _WORD.findall(query)][:MAX_WORDS]


def owned(
    owner: UUID, words: Sequence[str], dialect: str, *, messages: bool
) -> Select[tuple[int, UUID, UUID, UUID | None, object]]:
    """Select what is found: rank, id, conversation, message, and when it was written."""
    subject = Message if messages else Conversation
    query = (
        select(
            literal(1 if messages else 0).label("rank"),
            subject.id.label("id"),
            Conversation.id.label("conversation_id"),
            (Message.id if messages else null().cast(Uuid)).label("message_id"),
            (Message.created_at if messages else Conversation.updated_at).label("moment"),
        )
        .select_from(Conversation)
        .where(Conversation.user_id == owner)
    )
    if messages:
        query = query.join(Message, Message.conversation_id == Conversation.id)
        query = query.where(Message.status != Status.STREAMING)
    if dialect == "postgresql":
        column = Message.content if messages else Conversation.title
        wanted = " & ".join(f"'{word}':*" for word in words)
        return query.where(
            func.search_words(column).op("@@")(func.to_tsquery(text("'simple'"), wanted))
        )
    found = _ENTRIES.c.message_id if messages else _ENTRIES.c.conversation_id
    wanted = " AND ".join(f'"{word}"*' for word in words)
    known = (
        select(found)
        .select_from(_INDEX.join(_ENTRIES, _ENTRIES.c.id == _INDEX.c.rowid))
        .where(_INDEX.c.search_index.op("MATCH")(wanted))
    )
    if not messages:
        known = known.where(_ENTRIES.c.message_id.is_(None))
    return query.where(subject.id.in_(known))


def snippet(content: str, words: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Cut the part around the first word that was found, in one line, and say where words are."""
    pattern = re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, words))})", re.IGNORECASE)
    first = pattern.search(content)
    begin = max(0, (first.start() if first else 0) - _BEFORE)
    if begin:
        # Not in the middle of a word.
        begin = content.find(" ", begin, begin + _BEFORE) + 1 or begin
    cut = re.sub(r"\s", " ", content[begin : begin + _SNIPPET])
    shown = ("…" if begin else "") + cut + ("…" if begin + _SNIPPET < len(content) else "")
    return shown, [found.span() for found in pattern.finditer(shown)]
