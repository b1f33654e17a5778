"""An answer while it comes into being: its text, and what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from chatbot.context import Prompt
from chatbot.failures import Failure
from chatbot.tables import Status

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk


class Answer:
    """Collects an answer's chunks. Times are taken from ``time.monotonic``, in seconds."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.status = Status.STREAMING
        self.finish_reason: str | None = None
        self.failure: Failure | None = None
        self.prompt: Prompt | None = None
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

    def add(self, chunk: AIMessageChunk) -> dict[str, str]:
        """Take a chunk in.

        Returns:
            What it adds, under ``content`` and ``reasoning``; empty for a chunk without text.
        """
        reason = chunk.response_metadata.get("finish_reason")
        if reason:
            self.finish_reason = str(reason)
        if chunk.usage_metadata:
            self._usage = {
                "prompt_tokens": chunk.usage_metadata["input_tokens"],
                "completion_tokens": chunk.usage_metadata["output_tokens"],
            }
        content = chunk.text
        reasoning = str(chunk.additional_kwargs.get("reasoning", ""))
        added = {
            key: text for key, text in (("content", content), ("reasoning", reasoning)) if text
        }
        if added:
            self._last = time.monotonic()
            self._first = self._first or self._last
            self._chunks += 1
            self._content.append(content)
            self._reasoning.append(reasoning)
        return added

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
        if self.prompt is None:
            return None
        told: dict[str, int | None]
        # The server tells the usage only at the end. An answer that was cut is counted by its
        # chunks: vLLM sends one for each token (--stream-interval 1, its default).
        told = {"prompt_tokens": self.prompt.tokens, "completion_tokens": self._chunks}
        told |= self._usage or {}
        return {
            **told,
            "estimated": self._usage is None,
            "context_limit": self.prompt.limit,
            "dropped_messages": self.prompt.dropped,
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
