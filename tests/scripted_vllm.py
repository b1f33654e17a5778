"""A scripted OpenAI-compatible server for tests: real HTTP on loopback, vLLM's habits.

Tests set ``server.script`` and read ``server.requests``, ``server.running`` and
``server.aborted``. Requests for titles are in ``server.title_requests`` instead, and those for a
single token in ``server.tokens_asked``. ``server.engine`` "hangs" or is "dead" behind an API that
lives; chats do not heed it. It notices at once when a client closes its connection, as vLLM does.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

from chatbot.agent import title
from tests.ports import free_port

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@dataclass
class Script:
    """How the server answers chats.

    Args:
        tokens: the answer, one chunk each; ``repeat`` times over.
        delay: seconds before each chunk.
        error: (status, message) instead of an answer.
        error_times: how many requests get ``error`` before the rest is answered; None: all.
        cut: where the stream ends without a finish reason: "end" closes it properly, "abort"
            breaks the connection.
        in_band_error: an error object sent after the tokens.
        hang: nothing is ever said: "headers" before the status line, "first" after it, "last"
            after the tokens.
        tool_calls: (name, arguments) of the calls that answer a request with tools; streams have
            none.
        rounds: the same for streams: the calls of one answer after the other to requests with
            tools, before ``tokens`` are said; arguments come in pieces of five characters.
        said_first: the texts that stand before the calls of each of those answers.
        images: whether the model sees images; a request that carries one is refused otherwise.
        tool_error: (status, message) for a request with tools.
        hold: the answer waits after its first chunk until ``server.release()``.
        endless: a stream says the tokens again and again until then.
        title: what is written where a conversation's title is asked for.
        title_hang: as ``hang``, then.
        template_parameters: whether the model's tokenizer takes them; Mistral's do not.
    """

    tokens: list[str] = field(default_factory=lambda: ["Hello", " from", " the", " script", "."])
    repeat: int = 1
    reasoning: list[str] = field(default_factory=list)
    reasoning_field: str = "reasoning"
    delay: float = 0.0
    error: tuple[int, str] | None = None
    error_times: int | None = None
    cut: str | None = None
    in_band_error: str | None = None
    hang: str | None = None
    hold: bool = False
    endless: bool = False
    finish_reason: str = "stop"
    tool_calls: list[tuple[str, str]] = field(default_factory=list)
    tool_error: tuple[int, str] | None = None
    rounds: list[list[tuple[str, str]]] = field(default_factory=list)
    said_first: list[str] = field(default_factory=list)
    images: bool = True
    title: str = ""
    title_hang: str | None = None
    template_parameters: bool = True


class ScriptedVllm:
    """The server, in a thread. Use it as a context manager."""

    def __init__(self, port: int = 0, api_key: str | None = None) -> None:
        self.script = Script()
        self.models = [MODEL]
        self.max_model_len = 2048
        self.tokenize = True
        self.models_hang = False
        self.engine = "well"
        self.steps = 0
        self.others = 0
        self.tokens_asked = 0
        self.api_key = api_key
        self.requests: list[dict[str, Any]] = []
        self.title_requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.running = 0
        self.completed = 0
        self.aborted = 0
        self.port = port or free_port()
        self._changed = threading.Condition()
        self._released = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._writers)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def stop(self) -> None:
        """Go away: refuse connections and break those that are open, as a killed server does."""

        async def close() -> None:
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(60)

    def start_again(self) -> None:
        """Come back on the same port."""
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(60)

    def reset(self) -> None:
        """Forget what was asked, and answer as at the beginning."""
        self.script = Script()
        self.models = [MODEL]
        self.max_model_len = 2048
        self.tokenize = True
        self.models_hang = False
        self.engine = "well"
        self.others = 0
        self.requests.clear()
        self.title_requests.clear()
        self.headers.clear()
        self._released.clear()
        with self._changed:
            self.completed = self.aborted = 0

    def release(self) -> None:
        """Let held answers go on."""
        self._released.set()

    def wait(self, condition: Callable[[ScriptedVllm], bool], seconds: float = 60) -> bool:
        """Wait until a condition on the counters holds; False where it does not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), seconds)

    def _count(self, **steps: int) -> None:
        with self._changed:
            for name, step in steps.items():
                setattr(self, name, getattr(self, name) + step)
            self._changed.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while request := await self._read(reader):
                if not await self._respond(*request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> tuple[str, dict[str, str], Any] | None:
        head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
        if not head:
            return None
        first, *lines = head.decode().strip().split("\r\n")
        headers = {key.lower(): value for key, _, value in (x.partition(": ") for x in lines)}
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        return first.split()[1], headers, json.loads(content) if content else None

    async def _respond(
        self,
        path: str,
        headers: dict[str, str],
        body: Any,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        wanted = f"Bearer {self.api_key}"
        if path.startswith("/v1") and self.api_key and headers.get("authorization") != wanted:
            return self._json(writer, 401, {"error": "Unauthorized"})
        if path == "/v1/models":
            if self.models_hang:
                await reader.read(1)
                return False
            entries = [
                {"id": name, "object": "model", "created": 1, "owned_by": "vllm",
                 "max_model_len": self.max_model_len}
                for name in self.models
            ]  # fmt: skip
            return self._json(writer, 200, {"object": "list", "data": entries})
        if path == "/tokenize" and self.tokenize:
            return self._json(writer, 200, {"count": count_tokens(body["messages"])})
        if path == "/health":
            return self._json(writer, 503 if self.engine == "dead" else 200, None)
        if path == "/metrics":
            return self._text(writer, self._metrics())
        if path == "/v1/completions":
            return await self._token(body, reader, writer)
        if path != "/v1/chat/completions":
            return self._json(writer, 404, {"detail": "Not Found"})
        if body["messages"][0] == {"role": "system", "content": title.SYSTEM}:
            self.title_requests.append(body)
            return await self._chat(self._title(body, writer), reader)
        self.requests.append(body)
        self.headers.append(headers)
        return await self._chat(self._answer(body, writer), reader, completed=1)

    def _metrics(self) -> str:
        """What vLLM 0.32 has of its engine's steps and requests, among other things."""
        labels = f'{{engine="0",model_name="{MODEL}"}}'
        return (
            "# TYPE vllm:num_requests_running gauge\n"
            f"vllm:num_requests_running{labels} {float(self.others)}\n"
            f"vllm:num_requests_waiting{labels} 0.0\n"
            f'vllm:iteration_tokens_total_bucket{{le="1.0",model_name="{MODEL}"}} 7.0\n'
            f"vllm:iteration_tokens_total_count{labels} {float(self.steps)}\n"
            f"vllm:iteration_tokens_total_sum{labels} {float(9 * self.steps)}\n"
        )

    async def _token(
        self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if body["model"] not in self.models:
            return self._not_served(body["model"], writer)
        self._count(tokens_asked=1)
        if self.engine == "dead":
            return self._json(writer, 500, _error("EngineCore died", "InternalServerError", 500))
        if self.engine == "hangs":
            await reader.read(1)
            return False
        self.steps += 1
        choice = {"index": 0, "text": ",", "finish_reason": "length"}
        return self._json(writer, 200, {**_envelope(body, "text_completion"), "choices": [choice]})

    async def _title(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        if body["model"] not in self.models:
            return self._not_served(body["model"], writer)
        if not self.script.template_parameters and "chat_template_kwargs" in body:
            message = "chat_template is not supported for Mistral tokenizers."
            return self._json(writer, 400, _error(message, "BadRequestError", 400))
        script = Script(hang=self.script.title_hang)
        return await self._stream(body, script, [self.script.title], {}, writer)

    async def _chat(
        self, answer: Coroutine[Any, Any, bool], reader: asyncio.StreamReader, completed: int = 0
    ) -> bool:
        self._count(running=1)
        answering = asyncio.create_task(answer)
        leaving = asyncio.create_task(reader.read(1))
        try:
            done, _ = await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if answering in done:
                self._count(completed=completed)
                return answering.result()
            self._count(aborted=1)
            return False
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)
            self._count(running=-1)

    async def _answer(self, body: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        script = self.script
        if body["model"] not in self.models:
            return self._not_served(body["model"], writer)
        if script.error and script.error_times != 0:
            script.error_times = script.error_times and script.error_times - 1
            status, message = script.error
            return self._json(writer, status, _error(message, "Error", status))
        if script.tool_error and body.get("tools"):
            status, message = script.tool_error
            return self._json(writer, status, _error(message, "BadRequestError", status))
        if not script.images and "image_url" in json.dumps(body["messages"]):
            message = f"{body['model']} is not a multimodal model"
            return self._json(writer, 400, _error(message, "BadRequestError", 400))
        if script.hang == "headers":
            await asyncio.Event().wait()
        prompt = count_tokens(body["messages"])
        tokens = script.tokens * script.repeat
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(tokens) + len(script.reasoning),
            "total_tokens": prompt + len(tokens) + len(script.reasoning),
        }
        if not body.get("stream"):
            await asyncio.sleep(script.delay * len(tokens))
            message: dict[str, Any] = {"role": "assistant", "content": "".join(tokens)}
            if script.reasoning:
                message[script.reasoning_field] = "".join(script.reasoning)
            if script.tool_calls and body.get("tools"):
                message |= {"content": None, "tool_calls": _calls(script.tool_calls)}
            choice = {"index": 0, "message": message, "finish_reason": script.finish_reason}
            return self._json(
                writer,
                200,
                {**_envelope(body, "chat.completion"), "choices": [choice], "usage": usage},
            )
        return await self._stream(body, script, tokens, usage, writer)

    async def _stream(
        self,
        body: dict[str, Any],
        script: Script,
        tokens: list[str],
        usage: dict[str, int],
        writer: asyncio.StreamWriter,
    ) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await writer.drain()

        def framed(data: str) -> bytes:
            line = f"data: {data}\n\n".encode()
            return f"{len(line):x}\r\n".encode() + line + b"\r\n"

        async def send(data: str) -> None:
            writer.write(framed(data))
            await writer.drain()

        async def chunk(delta: dict[str, Any], finish: str | None = None) -> None:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            event = {**_envelope(body, "chat.completion.chunk"), "choices": [choice]}
            await send(json.dumps(event))

        if script.hang == "first":
            await asyncio.Event().wait()
        await chunk({"role": "assistant", "content": ""})
        calls = script.rounds.pop(0) if script.rounds and body.get("tools") else []
        if calls and script.said_first:
            await chunk({"content": script.said_first.pop(0)})
        for delta in _call_deltas(calls, len(self.requests)):
            await asyncio.sleep(script.delay)
            await chunk(delta)
        if calls:
            tokens = []
        for text in script.reasoning:
            await chunk({script.reasoning_field: text})
        for index, text in enumerate(itertools.cycle(tokens) if script.endless else tokens):
            if script.endless and self._released.is_set():
                break
            await asyncio.sleep(script.delay)
            await chunk({"content": text})
            while script.hold and index == 0 and not self._released.is_set():
                await asyncio.sleep(0.005)
        if script.hang == "last":
            await asyncio.Event().wait()
        if script.cut == "abort":
            writer.transport.abort()
            return False
        end = b"0\r\n\r\n"
        if script.in_band_error:
            await send(json.dumps(_error(script.in_band_error, "InternalServerError", 500)))
        elif script.cut is None:
            await chunk({}, "tool_calls" if calls else script.finish_reason)
            if (body.get("stream_options") or {}).get("include_usage"):
                event = {**_envelope(body, "chat.completion.chunk"), "choices": [], "usage": usage}
                await send(json.dumps(event))
            # Who has read it may leave at once, and that must not count as aborted.
            end = framed("[DONE]") + end
        writer.write(end)
        await writer.drain()
        return True

    def _not_served(self, model: str, writer: asyncio.StreamWriter) -> bool:
        message = f"The model `{model}` does not exist."
        return self._json(writer, 404, _error(message, "NotFoundError", 404))

    @classmethod
    def _json(cls, writer: asyncio.StreamWriter, status: int, body: object) -> bool:
        return cls._text(writer, json.dumps(body), status, "application/json")

    @staticmethod
    def _text(
        writer: asyncio.StreamWriter, text: str, status: int = 200, kind: str = "text/plain"
    ) -> bool:
        content = text.encode()
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n"
        writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        return True


def count_tokens(messages: list[dict[str, Any]]) -> int:
    """The scripted tokenizer: one token a word, and three for each message's frame."""
    return sum(len(str(message["content"]).split()) + 3 for message in messages)


def _envelope(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": 1, "model": body["model"]}


def _calls(calls: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for at, (name, arguments) in enumerate(calls)
    ]


def _call_deltas(calls: list[tuple[str, str]], request: int) -> list[dict[str, Any]]:
    """The calls as vLLM streams them: name first, then the arguments in pieces."""
    found = []
    for at, (name, arguments) in enumerate(calls):
        head = {"index": at, "id": f"call-{request}-{at}", "type": "function"}
        found.append({"tool_calls": [{**head, "function": {"name": name, "arguments": ""}}]})
        for begin in range(0, len(arguments), 5):
            piece = {"arguments": arguments[begin : begin + 5]}
            found.append({"tool_calls": [{"index": at, "function": piece}]})
    return found


def _error(message: str, kind: str, code: int) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
