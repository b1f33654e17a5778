"""The cap on answers that stream at the same time."""

from __future__ import annotations

import threading

from chatbot import failures


class Admission:
    """Places for concurrent answers in this process.

    Each holds a request thread until its end, so there are fewer places than threads: the rest
    keeps answering ``/healthz`` and the lists.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Take a place; ``leave`` gives it back.

        Raises:
            Failure: 503, all places are taken.
        """
        with self._lock:
            if self.free == 0:
                raise failures.busy(self.limit)
            self.free -= 1

    def leave(self) -> None:
        """Give a place back."""
        with self._lock:
            self.free += 1
