"""A bounded hand-over from the loop to the request thread that writes to the client."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Channel(Generic[T]):
    """Items from one coroutine to one thread.

    The coroutine waits while ``capacity`` items lie unread, so a slow reader costs bounded memory
    and slows its own answer down, nobody else's.
    """

    def __init__(self, capacity: int = 256) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._abandoned = False
        self._room: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def put(self, item: T) -> None:
        """Hand an item over, waiting for room. Does nothing once the reader has left."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._room = asyncio.Event()
        assert self._room is not None  # noqa: S101 - set together with the loop
        while True:
            with self._changed:
                if self._abandoned:
                    return
                if len(self._items) < self._capacity:
                    self._items.append(item)
                    self._changed.notify()
                    return
                self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Say that no item will follow."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def abandon(self) -> None:
        """Drop what lies here and let the writer go on: the reader has left."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._wake_writer()

    def take(self, timeout: float) -> list[T] | None:
        """Take all items that are there, waiting at most ``timeout`` seconds for the first.

        Returns:
            The items, oldest first; empty after the timeout; None at the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            if not self._items and self._closed:
                return None
            items = list(self._items)
            self._items.clear()
            self._wake_writer()
            return items

    def _wake_writer(self) -> None:
        if self._loop is not None and self._room is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._room.set)
