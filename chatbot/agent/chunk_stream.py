"""The chunks of a chat completion's stream, gathered for a moment where they come fast.

What LangChain makes of a chunk costs far more than reading it, and a reader sees no difference
between a token every 20 ms and two every 40. So chunks that hold nothing but text are put together
before LangChain gets them. The openai SDK's own stream gives every chunk alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self

import httpx2
from openai import APIConnectionError, APIError

# Seconds for which chunks are gathered; the first one goes out at once.
MERGE = 0.025
# What a chunk that was put together says of itself: how many it was.
CHUNKS = "archi_chunks"
# Seconds for the end of a response after its last event: a connection can be used again only when
# its response was read to the end.
_DRAIN = 0.1

_TEXTS = ("content", "reasoning", "reasoning_content")
_DONE = b"[DONE]"

Chunk = dict[str, Any]


class ChunkStream:
    """Chunks of an open response as dictionaries. Use it as a context manager, then iterate.

    Raises:
        APIError: the server said in its stream that it failed.
        APIConnectionError: the connection broke.
    """

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._chunks: list[Chunk] = []
        self._ended = False
        self._error: Exception | None = None
        self._wake = asyncio.Event()
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            if self._ended:
                await asyncio.wait([self._reading], timeout=_DRAIN)
        finally:
            await asyncio.shield(self._close())

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            chunks, self._chunks = self._chunks, []
            ended = self._ended
            # The chunk that only names the role must not hold up the first token.
            if any(_text_alone(chunk) for chunk in chunks):
                self._due = loop.time() + MERGE
            for chunk in chunks:
                yield chunk
            if ended:
                if self._error is not None:
                    raise self._error
                return

    async def _close(self) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])
        await self._response.aclose()

    async def _read(self) -> None:
        try:
            async with aclosing(_events(self._response.aiter_bytes())) as events:
                async for data in events:
                    if self._ended:
                        continue
                    if data.startswith(_DONE):
                        self._end()
                    else:
                        self._take(json.loads(data.decode(errors="replace")))
        except httpx2.TransportError as error:
            self._error = self._error or _broken(self._response, error)
        except Exception as error:
            self._error = self._error or error
        self._end()

    def _take(self, chunk: object) -> None:
        if not isinstance(chunk, dict):
            raise _refused(self._response, "The model server sent no object.", chunk)
        if error := chunk.get("error"):
            message = error.get("message") if isinstance(error, dict) else None
            raise _refused(self._response, str(message or error), error)
        if not self._chunks or not _merge(self._chunks[-1], chunk):
            self._chunks.append(chunk)
        if self._timer is None and not self._wake.is_set():
            loop = asyncio.get_running_loop()
            if (wait := self._due - loop.time()) > 0:
                self._timer = loop.call_later(wait, self._ring)
            else:
                self._ring()

    def _ring(self) -> None:
        self._timer = None
        self._wake.set()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()


async def _events(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the data of server-sent events; one without the empty line that ends it is dropped."""
    rest = b""
    data: list[bytes] = []
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []


def _merge(before: Chunk, chunk: Chunk) -> bool:
    """Put a chunk's text into the one before it, where both hold nothing but the same text."""
    named, known = _text_alone(chunk), _text_alone(before)
    if named is None or named != known:
        return False
    before["choices"][0]["delta"][named] += chunk["choices"][0]["delta"][named]
    before[CHUNKS] = before.get(CHUNKS, 1) + 1
    return True


def _text_alone(chunk: Chunk) -> str | None:
    """Return which text is all that a chunk holds; None where it holds more, or none."""
    choices = chunk.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or chunk.get("usage"):
        return None
    choice = choices[0]
    if choice.get("finish_reason") or choice.get("logprobs") or choice.get("index"):
        return None
    held = [name for name, value in (choice.get("delta") or {}).items() if value and name != "role"]
    return held[0] if len(held) == 1 and held[0] in _TEXTS else None


def _broken(response: httpx2.Response, error: Exception) -> APIConnectionError:
    made = APIConnectionError(request=response.request)
    made.__cause__ = error
    return made


def _refused(response: httpx2.Response, message: str, body: object) -> APIError:
    return APIError(message=message, request=response.request, body=body)
