"""The events of one run as its readers get them: a log that only grows.

A reader is a position in it. So any number of readers (a reload, a second tab) can come at any
time, and one that is slow or absent costs nothing and holds nobody up.
"""

from __future__ import annotations

import os
import select
import threading
import time
from enum import Enum, auto
from typing import Self
from uuid import UUID

from chatbot.runs.client_connection import ClientConnection


class EventLog:
    """Server-sent events of a run, encoded once for all readers.

    Their ids are ``MARK.SEQ``: ``MARK`` is the run's (an answer that is gone on with has several
    runs), ``SEQ`` counts from 1. One thread writes; readers may be in any thread.
    """

    def __init__(self, run_id: UUID) -> None:
        self._mark = run_id.hex[-12:]
        self._events: list[bytes] = []
        self._closed = False
        self._lock = threading.Lock()
        self._readers: set[Reader] = set()
        self._left_at: float | None = time.monotonic()

    def __len__(self) -> int:
        """How many events there are: the ``SEQ`` of the last one."""
        return len(self._events)

    @property
    def closed(self) -> bool:
        """Whether no event will follow."""
        return self._closed

    @property
    def left_at(self) -> float | None:
        """When the last reader left (``time.monotonic``); None while there is one."""
        return self._left_at

    def append(self, name: str, data: str) -> int:
        """Add an event, whose data is JSON; returns its ``SEQ``."""
        seq = len(self._events) + 1
        event = f"id: {self._mark}.{seq}\nevent: {name}\ndata: {data}\n\n"
        self._events.append(event.encode())
        self._wake()
        return seq

    def close(self) -> None:
        """Say that no event will follow."""
        self._closed = True
        self._wake()

    def position(self, event_id: str | None) -> int:
        """Return how many events lie before what follows an event id, 0 for another run's."""
        mark, _, seq = (event_id or "").partition(".")
        return int(seq) if mark == self._mark and seq.isascii() and seq.isdigit() else 0

    def read(self, position: int) -> Reader:
        """Open a reader that gets what follows a position."""
        reader = Reader(self, position)
        with self._lock:
            self._readers.add(reader)
            self._left_at = None
        return reader

    def leave(self, reader: Reader) -> None:
        """Forget a reader."""
        with self._lock:
            self._readers.discard(reader)
            if not self._readers:
                self._left_at = time.monotonic()

    def tail(self, position: int) -> list[bytes]:
        """Return the events after a position."""
        return self._events[position:]

    def _wake(self) -> None:
        # The lock: a reader's file descriptor must not be closed, and given to somebody else, in
        # the middle of this.
        with self._lock:
            for reader in self._readers:
                reader.wake()


class Woken(Enum):
    """Why a reader stops waiting."""

    EVENT = auto()
    SILENCE = auto()
    CLIENT_LEFT = auto()


class Reader:
    """A position in a log, for one thread. Use it as a context manager, or close it.

    ``got_events`` and ``at_end`` say whether anything followed its position, and whether it has
    come to the last event.
    """

    def __init__(self, log: EventLog, position: int) -> None:
        self._log = log
        self._position = position
        self._wakeups = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closed = False
        self.got_events = False
        self.at_end = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wake(self) -> None:
        """Have ``wait`` return; to be called by the log."""
        os.eventfd_write(self._wakeups, 1)

    def take(self) -> bytes | None:
        """Take all events that are there; empty where there is none yet, None after the last."""
        # In this order: what was appended before the closing is seen.
        closed = self._log.closed
        events = self._log.tail(self._position)
        if events:
            self._position += len(events)
            self.got_events = True
            return b"".join(events)
        self.at_end = closed
        return None if closed else b""

    def wait(self, seconds: float, connection: ClientConnection) -> Woken:
        """Wait for an event, or for the client to leave, at most so many seconds."""
        poll = select.poll()
        poll.register(self._wakeups, select.POLLIN)
        if connection.socket is not None:
            poll.register(connection.socket, select.POLLRDHUP)
        ready = [fd for fd, _ in poll.poll(seconds * 1000)]
        if self._wakeups in ready:
            os.eventfd_read(self._wakeups)
        if any(fd != self._wakeups for fd in ready):
            return Woken.CLIENT_LEFT
        return Woken.EVENT if ready else Woken.SILENCE

    def close(self) -> None:
        """Leave the log. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._log.leave(self)
            os.close(self._wakeups)
