"""Noticing that the client of a request has left, also before anything was written to it."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

# Linux: how long written data may stay unacknowledged before the connection counts as broken.
_UNACKNOWLEDGED_MS = 30_000


class ClientConnection:
    """The client's side of the request in a WSGI environment.

    gunicorn hands the socket over as ``gunicorn.socket``. Under another server, and under TLS
    (where the socket's bytes are not the request's), only a failed write tells ``gone``;
    ``socket`` is also that under TLS, to be polled for the end of the client's side.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        candidate = environ.get("gunicorn.socket")
        self.socket = candidate if isinstance(candidate, socket.socket) else None
        self._socket = candidate if type(candidate) is socket.socket else None
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS
                )

    def gone(self) -> bool:
        """Whether the client has closed its side of the connection."""
        if self._socket is None:
            return False
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
