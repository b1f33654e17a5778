"""From a question to the events of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

import httpx2
import structlog

from chatbot.agent.context import Prompt, Turn, fit
from chatbot.agent.events import AgentEvent, ContextFitted, Delta, ModelCallEnded
from chatbot.agent.request import AnswerRequest
from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.model.server import ModelServer
from chatbot.settings import Settings

if TYPE_CHECKING:
    from chatbot.agent.chat_model import VllmChat

log = structlog.get_logger(__name__)

# Seconds before each new try while the model has not said anything yet.
_RETRY_AFTER = (0.3, 1.0)
_RETRIED = {"model_unreachable", "model_overloaded"}


class Responder(Protocol):
    """Something that answers. Closing the generator ends its requests to the model at once."""

    def respond(self, request: AnswerRequest) -> AsyncGenerator[AgentEvent, None]:
        """Answer on the background loop.

        Raises:
            Failure: why there is no (whole) answer; what was said before it stays said.
        """
        ...


class ChatResponder:
    """Answers with the served model."""

    def __init__(
        self, settings: Settings, server: ModelServer, client: httpx2.AsyncClient, api_key: str
    ) -> None:
        self._settings = settings
        self._server = server
        self._client = client
        self._api_key = api_key

    async def warm_up(self) -> None:
        """Import LangChain now, so that the first answer need not wait for it."""
        await asyncio.to_thread(import_module, "chatbot.agent.chat_model")

    async def respond(self, request: AnswerRequest) -> AsyncGenerator[AgentEvent, None]:
        """Answer; a request that fails before its first token is tried again.

        Raises:
            Failure: why there is no (whole) answer.
        """
        begun = False
        for pause in (*_RETRY_AFTER, None):
            try:
                async with aclosing(self._attempt(request)) as events:
                    async for event in events:
                        begun = begun or isinstance(event, Delta)
                        yield event
                    return
            except Exception as error:
                failure = await self._explained(error, request.model)
                if pause is None or begun or failure.code not in _RETRIED:
                    raise failure from error
            log.info("answer_retried", failure=failure.code, after=pause)
            await asyncio.sleep(pause)

    async def _explained(self, error: Exception, model: str) -> Failure:
        url = self._server.base_url
        failure = model_errors.from_exception(error, base_url=url, model=model)
        if failure.code == "model_not_found" and not isinstance(error, Failure):
            # The list of models says what is served; the error of the chat does not.
            return await self._server.mismatch(model) or failure
        return failure

    async def _attempt(self, request: AnswerRequest) -> AsyncGenerator[AgentEvent, None]:
        prompt = await self._prompt(request)
        yield ContextFitted(prompt.tokens, prompt.limit, prompt.dropped)
        model = await asyncio.to_thread(self._model, request.model, prompt.max_tokens)
        stream = model.astream(prompt.messages)
        finish_reason: str | None = None
        usage: tuple[int | None, int | None] = (None, None)
        begun = False
        async with aclosing(stream):  # type: ignore[type-var]
            while True:
                limits = self._settings
                seconds = limits.token_timeout if begun else limits.first_token_timeout
                try:
                    async with asyncio.timeout(seconds):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    raise model_errors.stalled(seconds, first=not begun) from None
                finish_reason = chunk.response_metadata.get("finish_reason") or finish_reason
                if chunk.usage_metadata:
                    told = chunk.usage_metadata
                    usage = (told["input_tokens"], told["output_tokens"])
                delta = Delta(chunk.text, str(chunk.additional_kwargs.get("reasoning", "")))
                if delta.content or delta.reasoning:
                    begun = True
                    yield delta
        yield ModelCallEnded(finish_reason, *usage)

    async def _prompt(self, request: AnswerRequest) -> Prompt:
        limit = await self._server.context_length(request.model)
        turns: list[Turn] = [
            {"role": message.role, "content": message.content} for message in request.history
        ]
        return await fit(
            turns, limit, lambda messages: self._server.count_tokens(request.model, messages)
        )

    def _model(self, model: str, max_tokens: int | None) -> VllmChat:
        # Importing LangChain takes seconds: the page must not wait for it, nor the loop.
        from chatbot.agent.chat_model import chat_model

        return chat_model(
            base_url=self._server.base_url,
            model=model,
            api_key=self._api_key,
            client=self._client,
            max_tokens=max_tokens,
        )
