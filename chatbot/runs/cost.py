"""What an answer costs: tokens and time."""

from __future__ import annotations

import time
from typing import Any

from chatbot.agent.events import ContextFitted, ModelCallEnded


class Cost:
    """Counts an answer's tokens and measures its pace, over all its requests to the model.

    Args:
        before: the column ``usage`` of the cut answer that is gone on with.
    """

    def __init__(self, before: dict[str, Any] | None = None) -> None:
        self._context: ContextFitted | None = None
        self._prompt_tokens: int | None = None
        self._told = int((before or {}).get("completion_tokens") or 0)
        self._estimated = bool((before or {}).get("estimated"))
        self._untold = 0
        self._before = self._told
        self._open = True
        self._started = time.monotonic()
        self._first: float | None = None
        self._last: float | None = None

    @property
    def begun(self) -> bool:
        """Whether the model has said anything yet."""
        return self._first is not None

    def fit(self, context: ContextFitted) -> None:
        """Take down how long the prompt is."""
        self._context = context

    def count(self, chunks: int) -> None:
        """Count chunks of the model's stream, which have come together."""
        self._last = time.monotonic()
        self._first = self._first or self._last
        self._untold += chunks
        self._open = True

    def end_call(self, event: ModelCallEnded) -> None:
        """Take down what the server tells at the end of a request."""
        self._open = False
        if event.prompt_tokens is None or event.completion_tokens is None:
            # An answer that was cut is counted by its chunks: vLLM sends one for each token
            # (--stream-interval 1, its default).
            self._told += self._untold
            self._estimated = True
        else:
            self._prompt_tokens = event.prompt_tokens
            self._told += event.completion_tokens
        self._untold = 0

    def usage(self) -> dict[str, Any] | None:
        """Return the column ``usage``; None before the prompt was ready."""
        if self._context is None:
            return None
        prompt = self._prompt_tokens
        return {
            "prompt_tokens": self._context.tokens if prompt is None else prompt,
            "completion_tokens": self._told + self._untold,
            "estimated": self._estimated or self._open,
            "context_limit": self._context.limit,
            "dropped_messages": self._context.dropped,
        }

    def timings(self) -> dict[str, Any] | None:
        """Return the column ``timings``; None before the first token."""
        if self._first is None or self._last is None:
            return None
        tokens = self._told + self._untold - self._before
        writing = self._last - self._first
        return {
            "first_token_ms": round((self._first - self._started) * 1000),
            "duration_ms": round((self._last - self._started) * 1000),
            "tokens_per_second": round((tokens - 1) / writing, 1)
            if tokens > 1 and writing > 0
            else None,
        }
