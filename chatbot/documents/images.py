"""Images, before a model gets them: that there is one, and that it has a size that servers take.

Nothing is decoded here, only the size in the header read: decoding is what such files attack.
"""

from __future__ import annotations

import io
import struct

import imagesize  # type: ignore[import-untyped]

from chatbot.failures import Failure

# A side as short as an image has channels made vLLM take one for the other, and end
# (CVE-2026-22773).
MIN_SIDE = 8
MAX_SIDE = 20_000
# 150 MB as the model's server holds it; photos of telephones have 12 to 50 million.
MAX_PIXELS = 50_000_000


def check_image(content: bytes, name: str, param: str = "file") -> None:
    """Check an image's size in pixels.

    Raises:
        Failure: 422, it is too small or too large, or no size stands in it.
    """
    width, height = _size(content)
    if width <= 0 or height <= 0:
        raise Failure(
            "image_unreadable",
            f"{name} does not say how large it is: it may be damaged.",
            "Save it again, as PNG or JPEG.",
            status=422,
            param=param,
        )
    if min(width, height) < MIN_SIDE:
        mend = f"Choose one with at least {MIN_SIDE} pixels on each side."
    elif max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        mend = (
            f"Make it smaller: at most {MAX_SIDE:,} pixels on a side and "
            f"{MAX_PIXELS // 1_000_000} million in all."
        )
    else:
        return
    raise Failure(
        "image_size_refused",
        f"{name} has {width:,} × {height:,} pixels.",
        mend,
        status=422,
        param=param,
    )


def _size(content: bytes) -> tuple[int, int]:
    try:
        width, height = imagesize.get(io.BytesIO(content))
    except (ValueError, struct.error, OSError, IndexError, OverflowError):
        return 0, 0
    return int(width), int(height)
