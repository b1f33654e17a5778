"""An answer while it comes into being: its text, and what it cost."""

from __future__ import annotations

import time
from typing import Any

from chatbot.agent.events import AgentEvent, ContextFitted, Delta, ModelCallEnded
from chatbot.data.tables import Status
from chatbot.failures import Failure


class Answer:
    """Collects an answer's events. Times are taken from ``time.monotonic``, in seconds."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.status = Status.STREAMING
        self.finish_reason: str | None = None
        self.failure: Failure | None = None
        self._context: ContextFitted | None = None
        self._content: list[str] = []
        self._reasoning: list[str] = []
        self._chunks = 0
        self._usage: dict[str, int] | None = None
        self._started = time.monotonic()
        self._first: float | None = None
        self._last: float | None = None

    @property
    def begun(self) -> bool:
        """Whether the model has said anything yet."""
        return self._first is not None

    def add(self, event: AgentEvent) -> dict[str, str]:
        """Take an event in.

        Returns:
            What it adds to the text, under ``content`` and ``reasoning``; empty for events without.
        """
        if isinstance(event, ContextFitted):
            self._context = event
        elif isinstance(event, ModelCallEnded):
            self.finish_reason = event.finish_reason
            if event.prompt_tokens is not None and event.completion_tokens is not None:
                self._usage = {
                    "prompt_tokens": event.prompt_tokens,
                    "completion_tokens": event.completion_tokens,
                }
        elif isinstance(event, Delta):
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._chunks += 1
            self._content.append(event.content)
            self._reasoning.append(event.reasoning)
            parts = {"content": event.content, "reasoning": event.reasoning}
            return {key: text for key, text in parts.items() if text}
        return {}

    def columns(self) -> dict[str, Any]:
        """Return the answer as columns of the table ``messages``."""
        return {
            "status": self.status,
            "content": "".join(self._content),
            "reasoning": "".join(self._reasoning),
            "model": self.model,
            "finish_reason": self.finish_reason,
            "error": self.failure.detail if self.failure else None,
            "usage": self._usage_column(),
            "timings": self._timings_column(),
        }

    def _usage_column(self) -> dict[str, Any] | None:
        if self._context is None:
            return None
        told: dict[str, int | None]
        # The server tells the usage only at the end. An answer that was cut is counted by its
        # chunks: vLLM sends one for each token (--stream-interval 1, its default).
        told = {"prompt_tokens": self._context.tokens, "completion_tokens": self._chunks}
        told |= self._usage or {}
        return {
            **told,
            "estimated": self._usage is None,
            "context_limit": self._context.limit,
            "dropped_messages": self._context.dropped,
        }

    def _timings_column(self) -> dict[str, Any] | None:
        if self._first is None or self._last is None:
            return None
        usage = self._usage_column() or {}
        tokens = usage.get("completion_tokens") or 0
        writing = self._last - self._first
        return {
            "first_token_ms": round((self._first - self._started) * 1000),
            "duration_ms": round((self._last - self._started) * 1000),
            "tokens_per_second": round((tokens - 1) / writing, 1)
            if tokens > 1 and writing > 0
            else None,
        }
