"""From a document's bytes to the pieces of text that are searched and quoted."""

from __future__ import annotations

import re
from dataclasses import dataclass

from chatbot.documents.kinds import IMAGES, PDF, decoded
from chatbot.documents.pdf_pages import MAX_CHARS, Unreadable, pages_of
from chatbot.runs.text import storable

# Characters of a piece: a few paragraphs, so that five of them fit into a small model's context.
CHUNK_CHARS = 1_200
# Where a piece may end, the best places first.
_ENDS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"[.!?…]\s"), re.compile(r"\s"))


@dataclass(frozen=True)
class Chunk:
    """A piece of a document, as it stands there: all of them in a row are its text.

    Pages count from 1; None where there are no pages.
    """

    page: int | None
    text: str


@dataclass(frozen=True)
class Read:
    """What was read of a document. ``error`` says why its text, or the rest of it, is not there."""

    chunks: list[Chunk]
    error: str | None = None


def read(content: bytes, media_type: str) -> Read:
    """Read a document; an image has no text."""
    if media_type in IMAGES:
        return Read([])
    if media_type == PDF:
        try:
            pages = pages_of(content)
        except Unreadable as error:
            return Read([], str(error))
        chunks = [
            Chunk(number, piece)
            for number, page in enumerate(pages, 1)
            for piece in pieces(storable(page) + "\n\n" if page.strip() else "")
        ]
        if not chunks:
            return Read([], "It has no text: its pages may be pictures. Run a text recognition.")
        return Read(chunks)
    text = storable(decoded(content) or "").replace("\r\n", "\n")
    cut = f"Only its first {MAX_CHARS:,} characters can be searched."
    chunks = [Chunk(None, piece) for piece in pieces(text[:MAX_CHARS])]
    return Read(chunks, cut if len(text) > MAX_CHARS else None)


def pieces(text: str) -> list[str]:
    """Cut a text into pieces of at most ``CHUNK_CHARS``, at ends of paragraphs where there are."""
    found = []
    begin = 0
    while begin < len(text):
        end = begin + CHUNK_CHARS
        if end < len(text):
            end = _end(text, begin, end)
        found.append(text[begin:end])
        begin = end
    return [piece for piece in found if piece]


def _end(text: str, begin: int, most: int) -> int:
    # Not before the middle: pieces that are too short say too little.
    half = begin + CHUNK_CHARS // 2
    for pattern in _ENDS:
        ends = [found.end() for found in pattern.finditer(text, half, most)]
        if ends:
            return ends[-1]
    return most
