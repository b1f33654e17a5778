"""Text that comes in pieces, in a form that every database takes."""

from __future__ import annotations

_FIRST_HALVES = ("\ud800", "\udbff")


def storable(text: str) -> str:
    """Put UTF-16 halves together; a lone half, and NUL (Postgres refuses it), become U+FFFD."""
    if not text.isascii():
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text.replace("\0", "\ufffd") if "\0" in text else text


class Text:
    """Gathers pieces of text.

    A model server may cut a character between two chunks into the halves of its UTF-16 form; the
    first half waits for the second.
    """

    def __init__(self, beginning: str = "") -> None:
        self._pieces = [beginning]
        self._half = ""
        self.length = len(beginning)

    def add(self, piece: str) -> str:
        """Add a piece; returns what there is to show of it, which may come with the next one."""
        piece = self._half + piece
        self._half = ""
        if _FIRST_HALVES[0] <= piece[-1] <= _FIRST_HALVES[1]:
            self._half = piece[-1]
            piece = piece[:-1]
        piece = storable(piece)
        self._pieces.append(piece)
        self.length += len(piece)
        return piece

    def whole(self) -> str:
        """Return all that has come."""
        return "".join(self._pieces)
