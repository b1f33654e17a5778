"""LangChain's ChatOpenAI as vLLM needs it."""

from __future__ import annotations

from typing import Any

import httpx2
from langchain_core.outputs import ChatGenerationChunk
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, AsyncStream
from pydantic import SecretStr

from chatbot.agent.chunk_stream import CHUNKS, ChunkStream

# The names of the reasoning field: vLLM's since 0.12, and the one before it.
_REASONING_FIELDS = ("reasoning", "reasoning_content")


class VllmChat(ChatOpenAI):
    """ChatOpenAI that keeps the reasoning which it would drop.

    A chunk's reasoning lies in ``additional_kwargs["reasoning"]``, and how many chunks of the model
    server it is made of in ``additional_kwargs["chunks"]``.
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
            if chunk.get(CHUNKS):
                converted.message.additional_kwargs["chunks"] = chunk[CHUNKS]
        return converted


class _Completions:
    """Streams chunks as dictionaries, in place of openai's own client.

    That one makes a pydantic object of each chunk, and LangChain a dictionary of that again.
    """

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def create(self, **body: Any) -> ChunkStream:  # noqa: ANN401 - OpenAI's request
        extra = body.pop("extra_body", None) or {}
        opened = await self._client.post(
            "/chat/completions",
            body={**body, **extra},
            cast_to=object,
            stream=True,
            stream_cls=AsyncStream[object],
        )
        return ChunkStream(opened.response)


def chat_model(*, base_url: str, model: str, api_key: str, client: httpx2.AsyncClient) -> VllmChat:
    """Make a chat model that only streams; what differs from call to call is given to the call."""
    made = VllmChat(
        model=model,
        base_url=base_url,
        api_key=SecretStr(api_key),
        http_async_client=client,
        # Retried by the model call, and only before the first token.
        max_retries=0,
        # Off by default as soon as base_url is set.
        stream_usage=True,
        # The model call has its own limits, which differ before and after the first token.
        stream_chunk_timeout=None,
    )
    made.async_client = _Completions(made.root_async_client)
    return made
