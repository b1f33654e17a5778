"""Reading, writing and searching documents.

An account sees its own documents and those of the deployment's mounted folder. Every function
takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Integer,
    Text,
    column,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    table,
)
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from chatbot.data.search import words_of
from chatbot.data.tables import Document, DocumentChunk, DocumentContent, now
from chatbot.documents.reading import Chunk, Read
from chatbot.failures import Failure

# SQLite's index, which the migration 0004 describes.
_INDEX = table("document_index", column("rowid", Integer), column("document_index", Text))

# An account's documents, at most.
MAX_DOCUMENTS = 1_000


@dataclass(frozen=True)
class Found:
    """A piece of a document that was found."""

    document_id: UUID
    name: str
    page: int | None
    text: str


@dataclass(frozen=True)
class Attached:
    """What a question carries: a document's text, or an image's bytes.

    ``error`` says why there is no text.
    """

    id: UUID
    name: str
    media_type: str
    text: str
    image: bytes | None
    error: str | None


def add(
    session: Session, owner: UUID, *, name: str, media_type: str, content: bytes, read: Read
) -> Document:
    """Add an uploaded document with its text.

    Raises:
        Failure: 409, the account has as many as it may.
    """
    own = select(func.count()).select_from(Document).where(Document.user_id == owner)
    if session.scalar(own) >= MAX_DOCUMENTS:  # type: ignore[operator]
        raise Failure(
            "too_many_documents",
            f"An account has at most {MAX_DOCUMENTS:,} documents.",
            "Delete some that you do not need any more.",
            status=409,
        )
    document = _row(owner, None, name, media_type, content, read)
    session.add(document)
    session.flush()
    session.add(DocumentContent(document_id=document.id, content=content))
    _add_chunks(session, document.id, read.chunks)
    session.flush()
    return document


def put_mounted(
    session: Session, path: str, *, name: str, media_type: str, content: bytes, read: Read
) -> None:
    """Take a file of the mounted folder in, in place of what was there under its path."""
    known = session.scalars(select(Document).where(Document.path == path)).first()
    made = _row(None, path, name, media_type, content, read)
    if known is None:
        session.add(made)
        session.flush()
        known = made
    else:
        for column in ("name", "media_type", "size", "sha256", "error"):
            setattr(known, column, getattr(made, column))
        known.created_at = now()
        session.execute(delete(DocumentChunk).where(DocumentChunk.document_id == known.id))
    _add_chunks(session, known.id, read.chunks)


def mounted(session: Session) -> dict[str, str]:
    """Return the mounted documents: path to SHA-256."""
    rows = select(Document.path, Document.sha256).where(Document.path.is_not(None))
    return {str(path): sha256 for path, sha256 in session.execute(rows)}


def remove_mounted(session: Session, paths: Iterable[str]) -> None:
    """Forget files that are not in the mounted folder any more."""
    for path in paths:
        session.execute(delete(Document).where(Document.path == path))


def listing(session: Session, owner: UUID) -> list[Document]:
    """Return the documents that an account may read, the newest first."""
    readable = select(Document).where(_readable(owner))
    return list(session.scalars(readable.order_by(Document.created_at.desc(), Document.id.desc())))


def any_readable(session: Session, owner: UUID) -> bool:
    """Say whether an account may read any document that has text."""
    chunks = select(DocumentChunk.id).join(Document, Document.id == DocumentChunk.document_id)
    return session.scalars(chunks.where(_readable(owner)).limit(1)).first() is not None


def get(session: Session, document_id: UUID, owner: UUID) -> Document:
    """Return a document that an account may read.

    Raises:
        Failure: 404, there is none with that id, or it is another account's.
    """
    document = session.get(Document, document_id)
    if document is None or document.user_id not in (owner, None):
        raise Failure(
            "document_not_found",
            "There is no such document.",
            "It may have been deleted in another tab: reload the page.",
            status=404,
        )
    return document


def content(session: Session, document_id: UUID) -> bytes:
    """Return an uploaded document's bytes."""
    return session.get_one(DocumentContent, document_id).content


def remove(session: Session, document_id: UUID, owner: UUID) -> None:
    """Delete a document, and with it its text; answers keep what they quoted.

    Raises:
        Failure: as ``get``; 403 for one of the mounted folder.
    """
    document = get(session, document_id, owner)
    if document.user_id is None:
        raise Failure(
            "document_mounted",
            f"{document.name} lies in the deployment's folder of documents.",
            "Whoever keeps that folder can remove it there.",
            status=403,
        )
    session.delete(document)


def attached(session: Session, document_ids: Sequence[UUID], owner: UUID) -> dict[UUID, Attached]:
    """Return what questions carry, by id; documents that are gone are left out."""
    rows = select(Document).where(Document.id.in_(document_ids), _readable(owner))
    found = {}
    for row in session.scalars(rows):
        image = None
        if row.media_type.startswith("image/") and row.user_id is not None:
            image = content(session, row.id)
        chunks = select(DocumentChunk.text).where(DocumentChunk.document_id == row.id)
        pieces = session.scalars(chunks.order_by(DocumentChunk.position))
        found[row.id] = Attached(
            row.id, row.name, row.media_type, "".join(pieces), image, row.error
        )
    return found


def search(session: Session, owner: UUID, query: str, limit: int = 5) -> list[Found]:
    """Find the pieces that have most of a query's words, the best first.

    A piece need not have all the words; rare ones and many of them count more.
    """
    words = words_of(query)
    if not words:
        return []
    rows = (
        select(Document.id, Document.name, DocumentChunk.page, DocumentChunk.text)
        .join(DocumentChunk, DocumentChunk.document_id == Document.id)
        .where(_readable(owner))
        .limit(limit)
    )
    if session.get_bind().dialect.name == "postgresql":
        # Each word apart: stop words become nothing, and the rest is or-ed.
        wanted = func.document_query(" ".join(words))
        document = func.document_words(DocumentChunk.text)
        rows = rows.where(document.op("@@")(wanted))
        rows = rows.order_by(func.ts_rank(document, wanted, 1).desc(), DocumentChunk.id)
    else:
        wanted_words = " OR ".join(f'"{word}"' for word in words)
        rows = (
            rows.join(_INDEX, _INDEX.c.rowid == DocumentChunk.id)
            .where(_INDEX.c.document_index.op("MATCH")(wanted_words))
            .order_by(literal_column("bm25(document_index)"), DocumentChunk.id)
        )
    return [Found(*row) for row in session.execute(rows)]


def _readable(owner: UUID) -> ColumnElement[bool]:
    return or_(Document.user_id == owner, Document.user_id.is_(None))


def _row(
    owner: UUID | None, path: str | None, name: str, media_type: str, content: bytes, read: Read
) -> Document:
    return Document(
        id=uuid7(),
        user_id=owner,
        path=path,
        name=name,
        media_type=media_type,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        error=read.error,
        created_at=now(),
    )


def _add_chunks(session: Session, document_id: UUID, chunks: Sequence[Chunk]) -> None:
    rows = [
        {"document_id": document_id, "position": at, "page": chunk.page, "text": chunk.text}
        for at, chunk in enumerate(chunks)
    ]
    if rows:
        session.execute(insert(DocumentChunk), rows)
