"""Writing a channel to the client as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from flask import Response

from chatbot.runs.channel import Channel
from chatbot.runs.client_connection import ClientConnection
from chatbot.runs.runs import Event

# Seconds: how often a silent stream looks whether its client is there, says something to keep
# proxies from closing the connection, and how long deltas are gathered into one event.
_LOOK = 0.1
_HEARTBEAT = 5.0
_MERGE = 0.025

T = TypeVar("T")


def event(name: str, data: dict[str, Any]) -> bytes:
    """Encode one server-sent event with JSON data."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


def merge(events: list[Event]) -> list[Event]:
    """Join neighbouring ``delta`` events by adding up their texts."""
    merged: list[Event] = []
    for new in events:
        if new.name == "delta" and merged and merged[-1].name == "delta":
            old = merged[-1].data
            joined = {key: old.get(key, "") + new.data.get(key, "") for key in {*old, *new.data}}
            merged[-1] = Event("delta", joined)
        else:
            merged.append(new)
    return merged


def follow(
    channel: Channel[T], connection: ClientConnection, encode: Callable[[list[T]], bytes]
) -> Iterator[bytes]:
    """Yield what comes through a channel until its end, or until the client has left.

    Args:
        channel: what a run or a relay writes into.
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
            yield b": waiting\n\n"
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
