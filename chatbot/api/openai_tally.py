"""Counting what passes through ``/v1``, without reading it."""

from __future__ import annotations

import re
import time

from chatbot import metrics
from chatbot.data.tables import Status
from chatbot.data.usage import Counts

# The usage and [DONE] stand at the end, in far less than this.
_TAIL = 2048
_USAGE = re.compile(rb'"(prompt_tokens|completion_tokens)" *: *(\d+)')
# A chunk for the role, one for the finish reason, and [DONE] come with each answer.
_OTHER_CHUNKS = 3


class Tally:
    """The count of one answer. Chunks stand for tokens where the client asks for no usage."""

    def __init__(self, *, streaming: bool) -> None:
        self._streaming = streaming
        self._started = time.monotonic()
        self._first: float | None = None
        self._last = self._started
        self._chunks = 0
        self._tail = b""

    @property
    def begun(self) -> bool:
        """Whether anything has come yet."""
        return self._first is not None

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its proper end."""
        return not self._streaming or b"[DONE]" in self._tail

    def add(self, piece: bytes) -> None:
        """Take a piece of the answer."""
        self._last = time.monotonic()
        if self._first is None:
            self._first = self._last
        self._chunks += piece.count(b"data:")
        self._tail = (self._tail + piece)[-_TAIL:]

    def ended(self, status: Status) -> Counts:
        """Tell the metrics how the answer ended, and return what it cost."""
        usage = {key.decode(): int(value) for key, value in _USAGE.findall(self._tail)}
        if self._streaming:
            usage.setdefault("completion_tokens", max(0, self._chunks - _OTHER_CHUNKS))
        metrics.answer_ended("v1", status, usage, self._timings(usage.get("completion_tokens", 0)))
        return Counts(
            answers=1,
            errors=int(status == Status.ERROR),
            interrupted=int(status == Status.INTERRUPTED),
            **usage,
        )

    def _timings(self, tokens: int) -> dict[str, float]:
        # What is not streamed comes at once, at its end.
        if self._first is None or not self._streaming:
            return {}
        writing = self._last - self._first
        rate = (tokens - 1) / writing if tokens > 1 and writing > 0 else 0.0
        return {"first_token_ms": (self._first - self._started) * 1000, "tokens_per_second": rate}
