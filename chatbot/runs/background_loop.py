"""One asyncio loop in a thread of its own, beside the worker's request threads.

A synchronous stream cannot be cancelled while it waits for the model, so the model would go on
computing for a reader who has left. On a loop every request to the model can be.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

T = TypeVar("T")


class BackgroundLoop:
    """Runs coroutines for threads. It must be made after gunicorn has forked its worker."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine; cancelling the returned future cancels it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def keep_up(self, work: Callable[[], Awaitable[None]]) -> Future[None]:
        """Start work that has no end; a mistake in it is logged, and must not end it either."""
        return self.submit(_for_ever(work))

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end and return its result, from any thread but the loop's."""
        return self.submit(coroutine).result()

    def close(self, patience: float = 5.0) -> None:
        """Cancel what still runs, wait for its clean-up at most ``patience`` seconds, and end."""

        async def cancel_all() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks, timeout=patience)

        self.run(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(patience)


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("upkeep_failed")
            await asyncio.sleep(1)
