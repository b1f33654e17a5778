"""The content of ``/v1``'s messages: texts, and images and sounds that are sent along.

vLLM also fetches what an address leads to, from wherever it runs: other services of its network
would answer it. So what is handed on carries its bytes, and nothing else is.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

from chatbot.documents.images import check_image
from chatbot.documents.kinds import IMAGES, magic
from chatbot.failures import Failure

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_DETAILS = ("auto", "low", "high")


def checked_messages(messages: Sequence[object]) -> list[dict[str, Any]]:
    """Return the messages as they are handed on.

    Raises:
        Failure: 400 for a part that is not known or leads elsewhere, 422 for an image that no model
            should get.
    """
    return [_message(message, f"messages[{at}]") for at, message in enumerate(messages)]


def _message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, dict):
        raise _refused(where, "is no object")
    content = message.get("content")
    if isinstance(content, list):
        parts = [_part(part, f"{where}.content[{at}]") for at, part in enumerate(content)]
        return {**message, "content": parts}
    if content is not None and not isinstance(content, str):
        raise _refused(f"{where}.content", "is neither a text nor a list of parts")
    return message


def _part(part: object, where: str) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    if not isinstance(part, dict):
        raise _refused(where, "is no part of a message")
    # vLLM also takes parts that name no type.
    kind = part.get("type") or next((name for name in _KINDS if name in part), None)
    if not isinstance(kind, str) or kind not in _KINDS or kind not in part:
        raise _refused(where, f"is of a type that is not taken here: {kind or sorted(part)}")
    return {"type": kind, kind: _KINDS[kind](part[kind], f"{where}.{kind}")}


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _refused(where, "is no text")
    return value


def _image(value: object, where: str) -> dict[str, str]:
    given: Mapping[str, object] = value if isinstance(value, dict) else {"url": value}
    url = given.get("url")
    head = _DATA_URL.match(url) if isinstance(url, str) else None
    if not isinstance(url, str) or head is None:
        raise _refused(where, "is no image that is sent along; nothing is fetched from an address")
    try:
        content = base64.b64decode(url[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise _refused(where, "is not encoded in base64") from None
    if magic(content) not in IMAGES:
        raise _refused(where, "is neither PNG, JPEG, GIF nor WebP")
    check_image(content, "The image", where)
    detail = given.get("detail")
    return {"url": url, **({"detail": str(detail)} if detail in _DETAILS else {})}


def _audio(value: object, where: str) -> dict[str, str]:
    found = value if isinstance(value, dict) else {}
    data, form = found.get("data"), found.get("format")
    if not isinstance(data, str) or not isinstance(form, str):
        raise _refused(where, "has no data and format")
    return {"data": data, "format": form}


_KINDS = {"text": _text, "refusal": _text, "image_url": _image, "input_audio": _audio}


def _refused(where: str, what: str) -> Failure:
    return Failure(
        "invalid_content",
        f"`{where}` {what}.",
        "Send text, `input_audio`, or an `image_url` that begins with data:image/png;base64, (or "
        "jpeg, gif, webp).",
        status=400,
        param=where,
    )
