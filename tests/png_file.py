"""A PNG made by hand, for tests."""

from __future__ import annotations

import struct
import zlib


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """A grey image; with ``rows`` it holds fewer than it says, as a decompression bomb does."""
    lines = (b"\0" + b"\x80" * width) * (height if rows is None else rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
