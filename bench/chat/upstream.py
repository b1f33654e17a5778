"""A model server that costs next to nothing: vLLM's stream, at a steady pace, and no model.

The last message of a request says what it wants: ``tokens=200 rate=50``. Every token holds the
character that ``load`` counts, so that answers can be counted however they are packed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re

MODEL = "bench/model"
MARK = "~"
# Seconds from a request to its first token.
FIRST = 0.02

_ENVELOPE = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1}
_WANTED = re.compile(r"tokens=(\d+) rate=([\d.]+)")
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def _event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
    return _chunked(json.dumps({**_ENVELOPE, "model": MODEL, "choices": choices}))


def _chunked(data: str) -> bytes:
    line = f"data: {data}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(line), line)


_TOKEN = _event({"content": f" to{MARK}en"})
_ROLE = _event({"role": "assistant", "content": ""})
_END = _event({}, "stop")


class Connection(asyncio.Protocol):
    """One client's connection; requests come one after another."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what start_server gives
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_lost(self, error: Exception | None) -> None:
        """Compute nothing more for a client that has left."""
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Take the next request as soon as it is whole."""
        self._received += data
        head, there, rest = self._received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        size = int(length[1]) if length else 0
        if there and len(rest) >= size:
            self._received = rest[size:]
            path = head.split(b" ", 2)[1]
            self._answer(path, json.loads(rest[:size]) if size else {})

    def _answer(self, path: bytes, body: dict[str, object]) -> None:
        if path == b"/v1/models":
            entry = {"id": MODEL, "object": "model", "owned_by": "vllm", "max_model_len": 32768}
            self._json({"object": "list", "data": [entry]})
        elif path == b"/tokenize":
            self._json({"count": len(json.dumps(body)) // 4, "max_model_len": 32768})
        else:
            wanted = _WANTED.findall(json.dumps(body["messages"]))
            tokens, rate = wanted[-1] if wanted else ("20", "1000")
            self._left, self._usage = int(tokens), self._usage_of(body, int(tokens))
            self._pace = 1 / float(rate)
            self._due = self._loop.time() + FIRST
            self._transport.write(_HEAD + _ROLE)
            self._timer = self._loop.call_at(self._due, self._step)

    def _usage_of(self, body: dict[str, object], tokens: int) -> bytes:
        options = body.get("stream_options")
        if not (isinstance(options, dict) and options.get("include_usage")):
            return b""
        usage = {"prompt_tokens": 20, "completion_tokens": tokens, "total_tokens": 20 + tokens}
        return _chunked(json.dumps({**_ENVELOPE, "model": MODEL, "choices": [], "usage": usage}))

    def _step(self) -> None:
        self._left -= 1
        if self._left > 0:
            self._transport.write(_TOKEN)
            self._due += self._pace
            self._timer = self._loop.call_at(self._due, self._step)
        else:
            end = _TOKEN + _END + self._usage + _chunked("[DONE]") + b"0\r\n\r\n"
            self._transport.write(end)

    def _json(self, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(content) + content)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(
        Connection, "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
