"""The id by which a request is known in every log, from the page to the model server."""

from __future__ import annotations

import re
import secrets
from uuid import uuid4

import httpx2
import structlog

HEADER = "X-Request-Id"

_VALID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def begin(given: str | None) -> str:
    """Take the client's id, or a new one where it sends none or an unfit one, and return it."""
    made = given if given and _VALID.fullmatch(given) else uuid4().hex
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=made)
    return made


def bind_run(run: object, conversation: object) -> None:
    """Have all further log lines of this thread or task name a run and its conversation."""
    structlog.contextvars.bind_contextvars(run=str(run), conversation=str(conversation))


async def hand_on(request: httpx2.Request) -> None:
    """Send the id to the model server, as a hook of its client.

    Each request gets an end of its own: vLLM takes the header for the request's own id, and the
    agent asks several times.
    """
    known = structlog.contextvars.get_contextvars().get("request_id")
    if known is not None and HEADER not in request.headers:
        request.headers[HEADER] = f"{known}-{secrets.token_hex(3)}"
