"""LangChain's ChatOpenAI as vLLM needs it."""

from __future__ import annotations

from typing import Any

import httpx2
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

# The names of the reasoning field: vLLM's since 0.12, and the one before it.
_REASONING_FIELDS = ("reasoning", "reasoning_content")


class VllmChat(ChatOpenAI):
    """ChatOpenAI that keeps the reasoning which it would drop.

    A chunk's reasoning lies in ``additional_kwargs["reasoning"]``.
    """

    def _convert_chunk_to_generation_chunk(
        self,
        chunk: dict[str, Any],
        default_chunk_class: type,
        base_generation_info: dict[str, Any] | None,
    ) -> ChatGenerationChunk | None:
        converted = super()._convert_chunk_to_generation_chunk(
            chunk, default_chunk_class, base_generation_info
        )
        choices = chunk.get("choices") or []
        if converted is not None and choices:
            delta = choices[0].get("delta") or {}
            reasoning = next((delta[key] for key in _REASONING_FIELDS if delta.get(key)), None)
            if reasoning:
                converted.message.additional_kwargs["reasoning"] = reasoning
        return converted


def chat_model(
    *,
    base_url: str,
    model: str,
    api_key: str,
    client: httpx2.AsyncClient,
    max_tokens: int | None,
) -> VllmChat:
    """Make a chat model for one answer of at most ``max_tokens`` (None: the server's limit)."""
    # vLLM knows `max_tokens`; ChatOpenAI would send `max_completion_tokens`, which OpenAI-like
    # servers understand less often.
    extra = {} if max_tokens is None else {"max_tokens": max_tokens}
    return VllmChat(
        model=model,
        base_url=base_url,
        api_key=SecretStr(api_key),
        http_async_client=client,
        # Retried by the run, and only before the first token.
        max_retries=0,
        # Off by default as soon as base_url is set.
        stream_usage=True,
        # The run has its own limits, which differ before and after the first token.
        stream_chunk_timeout=None,
        extra_body=extra,
    )
