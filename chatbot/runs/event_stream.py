"""Writing server-sent events to a client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Response

from chatbot.runs.channel import Channel
from chatbot.runs.client_connection import ClientConnection
from chatbot.runs.event_log import Reader, Woken

# Seconds: how often a silent relay looks whether its client is there, how often something is said
# to keep proxies from closing the connection, and how long a relay's pieces are gathered.
_LOOK = 0.1
_HEARTBEAT = 5.0
_MERGE = 0.025

_SILENCE = b": waiting\n\n"

T = TypeVar("T")


def event(name: str, data: dict[str, Any]) -> bytes:
    """Encode one server-sent event, which has no id and is no part of a log."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def read(reader: Reader, connection: ClientConnection) -> Iterator[bytes]:
    """Yield a run's events until its end, or until the client has left.

    Args:
        reader: where in the run's log.
        connection: the client's.
    """
    while (events := reader.take()) is not None:
        if events:
            yield events
            continue
        woken = reader.wait(_HEARTBEAT, connection)
        if woken is Woken.CLIENT_LEFT:
            return
        if woken is Woken.SILENCE:
            yield _SILENCE


def follow(
    channel: Channel[T], connection: ClientConnection, encode: Callable[[list[T]], bytes]
) -> Iterator[bytes]:
    """Yield what comes through a channel until its end, or until the client has left.

    Args:
        channel: what a relay writes into.
        connection: the client's.
        encode: makes bytes of the items that came together.
    """
    spoke = time.monotonic()
    while not connection.gone():
        items = channel.take(_LOOK)
        if items is None:
            return
        if items:
            yield encode(items)
            spoke = time.monotonic()
            # The first token goes out at once; what follows is gathered.
            time.sleep(_MERGE)
        elif time.monotonic() - spoke > _HEARTBEAT:
            yield _SILENCE
            spoke = time.monotonic()


def respond(body: Iterator[bytes], on_close: Callable[[], object]) -> Response:
    """Make a streaming response of server-sent events that no proxy may gather up.

    Args:
        body: the events.
        on_close: called when the response is over, however it ended, even if nothing of ``body``
            was ever read.
    """
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    response = Response(body, mimetype="text/event-stream", headers=headers)
    response.call_on_close(on_close)
    return response
