"""One request to the model: its stream as events, and the message that it adds up to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog

from chatbot.agent.context import Prompt, Turn, estimate, fit
from chatbot.agent.events import AgentEvent, ContextFitted, Delta, ModelCallEnded
from chatbot.agent.providers import Endpoint
from chatbot.agent.request import Sampling
from chatbot.model import errors as model_errors
from chatbot.settings import Settings

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

log = structlog.get_logger(__name__)

# Seconds before each new try while the model has not said anything yet.
_RETRY_AFTER = (0.3, 1.0)
_RETRIED = model_errors.AWAY | {"model_overloaded"}


@dataclass
class CalledTool:
    """A call as the model made it: ``arguments`` is its text, whatever that holds."""

    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def parsed(self) -> dict[str, Any] | None:
        """Return the arguments; None where they are no JSON object."""
        try:
            found = json.loads(self.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None


@dataclass(frozen=True)
class Call:
    """What one request to the model is made of.

    ``turns`` are without the system prompt; ``tools`` are as OpenAI's API describes them;
    ``continued``: the last of the turns is an answer that the model goes on with. ``thinking``
    False: a model that can also answer without reasoning does so.
    """

    endpoint: Endpoint
    system: str
    turns: Sequence[Turn]
    tools: Sequence[dict[str, Any]] = ()
    sampling: Sampling = field(default_factory=Sampling)
    continued: bool = False
    thinking: bool = True


class ModelCall:
    """Sends a request and collects what comes.

    After ``events`` has ended, ``content``, ``called`` and ``finish_reason`` hold the message;
    ``finish_reason`` None: the stream ended before the model did.
    """

    def __init__(self, call: Call, settings: Settings) -> None:
        self.called: list[CalledTool] = []
        self.finish_reason: str | None = None
        self._call = call
        self._settings = settings
        self._pieces: list[str] = []
        self._usage: tuple[int | None, int | None] = (None, None)
        self._begun = False

    @property
    def content(self) -> str:
        """The text that has come."""
        return "".join(self._pieces)

    async def events(self) -> AsyncGenerator[AgentEvent, None]:
        """Ask; a request that fails before its first token is tried again.

        Raises:
            Failure: why there is no (whole) answer.
        """
        prompt = await self._prompt()
        # A prompt that surely fits is counted when the first token is there, and estimated before:
        # the answer may be stopped.
        later = prompt.tokens is None and prompt.limit is not None
        tokens = estimate(prompt.messages) if later else prompt.tokens
        yield ContextFitted(tokens, prompt.limit, prompt.dropped)
        counting: asyncio.Task[int | None] | None = None
        try:
            async with aclosing(self._answer(prompt)) as deltas:
                async for delta in deltas:
                    yield delta
                    if later and counting is None:
                        counting = asyncio.create_task(self._count(prompt.messages))
                    elif later and counting is not None and counting.done():
                        later = False
                        if (counted := counting.result()) is not None:
                            yield ContextFitted(counted, prompt.limit, prompt.dropped)
        finally:
            if counting is not None:
                counting.cancel()
        yield ModelCallEnded(self.finish_reason, *self._usage)

    async def _answer(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        for pause in (*_RETRY_AFTER, None):
            try:
                async with aclosing(self._attempt(prompt)) as deltas:
                    async for delta in deltas:
                        yield delta
            except Exception as error:
                failure = await self._call.endpoint.explained(error)
                if pause is None or self._begun or failure.code not in _RETRIED:
                    raise failure from error
                log.info("answer_retried", failure=failure.code, after=pause)
            else:
                return
            await asyncio.sleep(pause)

    async def _prompt(self) -> Prompt:
        call = self._call
        name, server = call.endpoint.name, call.endpoint.server
        for pause in (*_RETRY_AFTER, None):
            try:
                limit = None if server is None else await server.context_length(name)
                break
            except Exception as error:
                failure = await call.endpoint.explained(error)
                if pause is None or failure.code not in _RETRIED:
                    raise failure from error
                log.info("answer_retried", failure=failure.code, after=pause)
                await asyncio.sleep(pause)
        return await fit(
            call.turns,
            limit,
            self._count,
            system=call.system,
            tools=call.tools,
            most=call.sampling.max_tokens,
        )

    async def _count(self, messages: list[Turn]) -> int | None:
        call, server = self._call, self._call.endpoint.server
        if server is None:
            return None
        return await server.count_tokens(
            call.endpoint.name, messages, tools=call.tools, continued=call.continued
        )

    async def _attempt(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        stream = self._call.endpoint.chat.astream(prompt.messages, **self._options(prompt))
        limits = self._settings
        async with aclosing(stream):  # type: ignore[type-var]
            while True:
                seconds = limits.token_timeout if self._begun else limits.first_token_timeout
                try:
                    async with asyncio.timeout(seconds):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise model_errors.stalled(seconds, first=not self._begun) from None
                if (delta := self._take(chunk)) is not None:
                    yield delta

    def _options(self, prompt: Prompt) -> dict[str, Any]:
        call = self._call
        # vLLM knows `max_tokens`; ChatOpenAI would send `max_completion_tokens`, which OpenAI-like
        # servers understand less often.
        extra: dict[str, Any] = {}
        if prompt.max_tokens is not None:
            extra[call.endpoint.max_tokens_field] = prompt.max_tokens
        if call.continued:
            extra |= {"continue_final_message": True, "add_generation_prompt": False}
        if not call.thinking and call.endpoint.server is not None:
            # What the templates of Qwen3, DeepSeek and others look at; the rest ignores it.
            extra["chat_template_kwargs"] = {"enable_thinking": False, "thinking": False}
        options: dict[str, Any] = {"extra_body": extra} if extra else {}
        if call.tools:
            options["tools"] = list(call.tools)
        for name in ("temperature", "top_p"):
            if (value := getattr(call.sampling, name)) is not None:
                options[name] = value
        return options

    def _take(self, chunk: AIMessageChunk) -> Delta | None:
        self.finish_reason = chunk.response_metadata.get("finish_reason") or self.finish_reason
        if chunk.usage_metadata:
            told = chunk.usage_metadata
            self._usage = (told["input_tokens"], told["output_tokens"])
        for piece in chunk.tool_call_chunks:
            self._begun = True
            self._gather(piece["index"], piece["id"], piece["name"], piece["args"])
        text, reasoning = chunk.text, str(chunk.additional_kwargs.get("reasoning", ""))
        if not text and not reasoning:
            return None
        self._begun = True
        self._pieces.append(text)
        return Delta(text, reasoning, int(chunk.additional_kwargs.get("chunks", 1)))

    def _gather(
        self, index: int | None, call_id: str | None, name: str | None, arguments: str | None
    ) -> None:
        # A server that tells no index sends whole calls; the id comes with the first piece only.
        at = index if index is not None else len(self.called) - (not call_id)
        while len(self.called) <= max(at, 0):
            self.called.append(CalledTool())
        call = self.called[max(at, 0)]
        call.call_id = call.call_id or call_id or ""
        call.name += name or ""
        call.arguments += arguments or ""
