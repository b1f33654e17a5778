from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, APIError

from chatbot.agent.chunk_stream import CHUNKS, Chunk, ChunkStream


def _chunk(finish: str | None = None, **delta: object) -> Chunk:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def _event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


class _Pieces(httpx2.AsyncByteStream):
    """A body that is sent piece by piece; a function among them is awaited at its place."""

    def __init__(self, *pieces: bytes | Callable[[], Awaitable[Any]]) -> None:
        self._pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await piece()

    async def aclose(self) -> None:
        self.closed = True


def _stream(body: _Pieces) -> ChunkStream:
    request = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
    return ChunkStream(httpx2.Response(200, stream=body, request=request))


async def _read(stream: ChunkStream, found: list[Chunk]) -> None:
    async with stream:
        async for chunk in stream:
            found.append(chunk)


def _chunks(*pieces: bytes) -> list[Chunk]:
    found: list[Chunk] = []
    asyncio.run(_read(_stream(_Pieces(*pieces)), found))
    return found


def _delta(chunk: Chunk) -> dict[str, Any]:
    delta: dict[str, Any] = chunk["choices"][0]["delta"]
    return delta


def test_text_that_comes_together_is_one_chunk_which_says_how_many_it_was() -> None:
    texts = ["one ", "two ", "\ud83d", "\ude00"]
    (chunk,) = _chunks(b"".join(_event(_chunk(content=text)) for text in texts))
    assert _delta(chunk) == {"content": "".join(texts)}
    assert chunk[CHUNKS] == 4


@pytest.mark.parametrize(
    "other",
    [
        _chunk(role="assistant", content=""),
        _chunk(reasoning="so"),
        _chunk(tool_calls=[{"index": 0, "function": {"name": "clock"}}]),
        _chunk(finish="stop", content="end"),
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        {"choices": [{"index": 1, "delta": {"content": "second"}}]},
        {"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": []}}]},
    ],
    ids=["role", "reasoning", "tool call", "end", "usage", "second choice", "logprobs"],
)
def test_what_is_not_the_same_text_stays_a_chunk_of_its_own(other: Chunk) -> None:
    text = _chunk(content="text")
    sent = [text, other, text]
    assert _chunks(b"".join(map(_event, sent))) == sent


def test_events_may_be_cut_anywhere_and_end_their_lines_as_windows_does() -> None:
    body = b": waiting\r\n\r\n" + _event(_chunk(content="é")).replace(b"\n", b"\r\n")
    body += b"data: " + b'{"choices":\ndata: []}\n\n' + b"data: [DONE]\n\ndata: after\n\n"
    found = _chunks(*(body[at : at + 1] for at in range(len(body))))
    assert found == [_chunk(content="é"), {"choices": []}]


def test_an_event_that_was_cut_in_the_middle_is_dropped() -> None:
    assert _chunks(_event(_chunk(content="whole")), b'data: {"choices": [') == [
        _chunk(content="whole")
    ]


def test_the_first_token_goes_out_at_once_and_the_role_before_it_does_not_hold_it_up() -> None:
    found: list[Chunk] = []

    async def until(count: int) -> None:
        async with asyncio.timeout(10):
            while len(found) < count:
                await asyncio.sleep(0)

    asyncio.run(
        _read(
            _stream(
                _Pieces(
                    _event(_chunk(role="assistant", content="")),
                    lambda: until(1),
                    _event(_chunk(content="first")),
                    lambda: until(2),
                    _event(_chunk(content=" second")),
                    _event(_chunk(content=" third")),
                )
            ),
            found,
        )
    )
    assert [_delta(chunk)["content"] for chunk in found] == ["", "first", " second third"]


def test_text_before_an_error_is_told_before_it() -> None:
    error = {"error": {"message": "CUDA out of memory", "code": 500}}
    found: list[Chunk] = []
    body = _Pieces(_event(_chunk(content="so far")), _event(error))
    with pytest.raises(APIError, match="CUDA out of memory"):
        asyncio.run(_read(_stream(body), found))
    assert found == [_chunk(content="so far")]


def test_a_connection_that_breaks_is_told_with_its_reason() -> None:
    async def break_off() -> None:
        raise httpx2.ReadError("reset by peer")

    body = _Pieces(_event(_chunk(content="so far")), break_off)
    with pytest.raises(APIConnectionError) as raised:
        asyncio.run(_read(_stream(body), []))
    assert isinstance(raised.value.__cause__, httpx2.ReadError)


def test_who_leaves_closes_the_response_though_the_server_is_silent() -> None:
    body = _Pieces(_event(_chunk(content="so far")), asyncio.Event().wait)

    async def leave() -> None:
        async with _stream(body) as stream:
            async for _ in stream:
                break

    asyncio.run(asyncio.wait_for(leave(), 10))
    assert body.closed
