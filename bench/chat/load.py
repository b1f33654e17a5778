"""A client that costs little: many streams at once, each counted by its marks.

It is a process of its own: it reads a job as JSON from its standard input, and writes what it
found as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench.chat.upstream import MARK, MODEL

_MARK = MARK.encode()
_END = b"event: end"
# Seconds over which the streams of a job arrive.
_ARRIVING = 1.0


@dataclass(frozen=True)
class Job:
    """What to ask.

    Args:
        port: where, on this machine.
        way: "direct" and "v1" ask ``/v1/chat/completions``; "agent" asks the application's own API,
            in a new conversation each time.
        streams: answers at the same time.
        rounds: answers that each of them gets, one after another.
        tokens: tokens of an answer.
        rate: tokens per second of an answer.
    """

    port: int
    way: str
    streams: int
    rounds: int = 1
    tokens: int = 200
    rate: float = 50.0


@dataclass(frozen=True)
class Found:
    """What came back; times are in seconds, ``first`` until the first token of each answer."""

    tokens: int
    seconds: float
    first: list[float]
    failed: list[str]


class _Answer(asyncio.Protocol):
    """One request, on a connection of its own."""

    def __init__(self, request: bytes) -> None:
        self.tokens = 0
        self.first: float | None = None
        self.head = b""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._tail = b""
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of create_connection
        self._transport = transport
        self.asked = time.perf_counter()
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self.head:
            self.head = data
        count = self._before_end(data).count(_MARK)
        if count:
            if self.first is None:
                self.first = time.perf_counter() - self.asked
            self.tokens += count
        if data.endswith(b"0\r\n\r\n"):
            self._transport.close()

    def _before_end(self, data: bytes) -> bytes:
        """Leave out the agent's last event, which repeats the whole answer."""
        if self._ended:
            return b""
        known, self._tail = self._tail, data[-len(_END) :]
        self._ended = _END in known + data
        return data.partition(_END)[0] if self._ended else data

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _post(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Connection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    ).encode() + content


async def _conversation(port: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_post("/api/conversations", {}))
    content = await reader.read()
    writer.close()
    made: dict[str, str] = json.loads(content.partition(b"\r\n\r\n")[2])
    return made["id"]


def _asking(job: Job, conversation: str | None) -> bytes:
    content = f"Go on. tokens={job.tokens} rate={job.rate:g}"
    if conversation is not None:
        return _post(f"/api/conversations/{conversation}/messages", {"content": content})
    messages = [{"role": "user", "content": content}]
    body = {"model": MODEL, "messages": messages, "stream": True}
    body["stream_options"] = {"include_usage": True}
    return _post("/v1/chat/completions", body)


async def run(job: Job) -> Found:
    """Ask all that the job says, and wait for the end."""
    loop = asyncio.get_running_loop()
    answers: list[_Answer] = []
    conversations: list[list[str | None]] = []
    for _ in range(job.streams):
        wanted = [
            await _conversation(job.port) if job.way == "agent" else None for _ in range(job.rounds)
        ]
        conversations.append(wanted)

    async def stream(place: int) -> None:
        # Streams that begin together would stay in step, which no crowd of people does.
        await asyncio.sleep(place / job.streams * _ARRIVING)
        for conversation in conversations[place]:
            request = _asking(job, conversation)
            _, answer = await loop.create_connection(
                lambda r=request: _Answer(r), "127.0.0.1", job.port
            )
            answers.append(answer)
            await answer.ended

    begun = time.perf_counter()
    await asyncio.gather(*(stream(place) for place in range(job.streams)))
    seconds = time.perf_counter() - begun
    short = [answer for answer in answers if answer.tokens != job.tokens]
    return Found(
        tokens=sum(answer.tokens for answer in answers),
        seconds=seconds,
        first=sorted(answer.first for answer in answers if answer.first is not None),
        failed=[f"{x.tokens} tokens: {x.head[:300].decode(errors='replace')}" for x in short],
    )


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(Job(**json.load(sys.stdin)))))))
