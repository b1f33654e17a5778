"""What kind of file some bytes are, by themselves: names and declared types may say anything."""

from __future__ import annotations

from pathlib import PurePath

import puremagic

from chatbot.failures import Failure

PDF = "application/pdf"
# How each begins. puremagic also calls JPEG 2000 a JPEG, whose decoders have been attacked.
_BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
IMAGES = frozenset(_BEGINNINGS)
PLAIN = "text/plain"

_TEXTS = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".json": "application/json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_ENCODINGS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# What a text may hold besides printable characters: tab, line ends, form feed, escape.
_CONTROLS = frozenset("\t\n\r\f\x1b")
_HEAD = 4096


def kind_of(content: bytes, name: str) -> str:
    """Return a media type: ``PDF``, one of ``IMAGES``, or a type of text.

    Raises:
        Failure: 415, it is something else, or 422, there is nothing in it.
    """
    if not content:
        raise Failure(
            "document_empty", f"{name} is empty.", "Choose another file.", status=422, param="file"
        )
    if b"%PDF-" in content[:1024]:
        return PDF
    found = magic(content)
    if found in IMAGES:
        return found
    if decoded(content) is not None:
        return _TEXTS.get(PurePath(name).suffix.lower(), PLAIN)
    raise Failure(
        "document_type_refused",
        f"{name} is {found or 'of an unknown type'}; documents are text, PDF, or an image "
        "(PNG, JPEG, GIF, WebP).",
        "Save it as PDF or as text in UTF-8, and upload that.",
        status=415,
        param="file",
    )


def decoded(content: bytes) -> str | None:
    """Return the text that the bytes are; None where they are none."""
    encoding = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    if any(character < " " and character not in _CONTROLS for character in set(text)):
        return None
    return text


def magic(content: bytes) -> str | None:
    """Return the media type that the first bytes say; None where they say none."""
    try:
        found = str(puremagic.from_string(content[:_HEAD], mime=True)) or None
    except (puremagic.PureError, ValueError):
        return None
    return found if content.startswith(_BEGINNINGS.get(found or "", b"")) else None
