"""Noticing that the client of a request has left, also before anything was written to it."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any

# Linux: how long written data may stay unacknowledged before the connection counts as broken.
_UNACKNOWLEDGED_MS = 30_000


class ClientConnection:
    """The client's side of the request in a WSGI environment.

    gunicorn hands ``socket`` over as ``gunicorn.socket``; under another server there is none, and
    only a failed write tells. Its end is asked for by ``POLLRDHUP``, because under TLS the
    socket's bytes are not the request's.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        candidate = environ.get("gunicorn.socket")
        self.socket = candidate if isinstance(candidate, socket.socket) else None
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS
                )

    def gone(self) -> bool:
        """Whether the client has closed its side of the connection."""
        if self.socket is None:
            return False
        poll = select.poll()
        try:
            poll.register(self.socket, select.POLLRDHUP)
            return bool(poll.poll(0))
        except (OSError, ValueError):
            return True
