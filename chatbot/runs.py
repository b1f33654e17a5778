"""Runs: one answer each, from the prompt to the saved message.

A run lives on the background loop and writes events into a channel, from which the request thread
feeds the page. It saves the answer itself, so that a reader who leaves takes nothing along.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot import conversations, model_errors
from chatbot.admission import Admission
from chatbot.answer import Answer
from chatbot.background_loop import BackgroundLoop
from chatbot.channel import Channel
from chatbot.context import Prompt, Turn, fit
from chatbot.database import Database
from chatbot.failures import Failure
from chatbot.model_server import ModelServer
from chatbot.settings import Settings
from chatbot.tables import Status

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk

    from chatbot.chat_model import VllmChat

log = structlog.get_logger(__name__)

# Seconds before each new try while the model has not said anything yet.
_RETRY_AFTER = (0.3, 1.0)
_RETRIED = {"model_unreachable", "model_overloaded"}
# Seconds between two saves of an answer in progress: what a killed process loses at most.
_FLUSH_EVERY = 2.0
# Seconds before each new try to save a finished answer.
_SAVE_AGAIN_AFTER = (0.2, 1.0, 2.0)


@dataclass(frozen=True)
class Event:
    """Something for the page: ``delta`` {content, reasoning} or ``end`` {columns, saved}."""

    name: str
    data: dict[str, Any]


@dataclass
class Run:
    """One answer in progress; ``id`` is the answer's message id."""

    id: UUID
    conversation_id: UUID
    turns: list[Turn]
    answer: Answer
    channel: Channel[Event] = field(default_factory=Channel)
    ended_as: Status | None = None
    task: asyncio.Task[Any] | None = None


class Runs:
    """The runs of this process."""

    def __init__(
        self,
        settings: Settings,
        loop: BackgroundLoop,
        database: Database,
        server: ModelServer,
        client: httpx2.AsyncClient,
        api_key: str,
        admission: Admission,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._database = database
        self._server = server
        self._client = client
        self._api_key = api_key
        self._admission = admission
        self._lock = threading.Lock()
        self._running: dict[UUID, Run] = {}

    def start(self, run: Run) -> None:
        """Begin an answer. The caller has entered ``admission``; the run leaves it at its end."""
        with self._lock:
            self._running[run.id] = run
        self._loop.submit(self._work(run)).add_done_callback(lambda _: self._forget(run))

    def _forget(self, run: Run) -> None:
        with self._lock:
            self._running.pop(run.id, None)
        run.channel.close()
        self._admission.leave()

    def end(self, run_id: UUID, status: Status) -> bool:
        """End a run early with ``status``; False where no such run is under way here."""
        with self._lock:
            run = self._running.get(run_id)
        if run is None:
            return False
        self._loop.loop.call_soon_threadsafe(self._cancel, run, status)
        return True

    def end_conversation(self, conversation_id: UUID) -> None:
        """End the conversation's run, if there is one."""
        with self._lock:
            runs = [run for run in self._running.values() if run.conversation_id == conversation_id]
        for run in runs:
            self.end(run.id, Status.STOPPED)

    @staticmethod
    def _cancel(run: Run, status: Status) -> None:
        # On the loop, and once only: a second cancellation would hit the saving of the answer.
        if run.ended_as is None:
            run.ended_as = status
            if run.task is not None:
                run.task.cancel()

    async def _work(self, run: Run) -> None:
        answer = run.answer
        run.task = asyncio.current_task()
        flusher = asyncio.create_task(self._flush(run))
        try:
            if run.ended_as is None:
                await self._generate(run)
            answer.status = _ending(answer, run.ended_as)
        except asyncio.CancelledError:
            answer.status = run.ended_as or Status.INTERRUPTED
        except Failure as failure:
            answer.failure = failure
            broken = answer.begun and failure.code in ("model_unreachable", "model_stalled")
            answer.status = Status.INTERRUPTED if broken else Status.ERROR
        except Exception as error:
            log.exception("run_failed", run=str(run.id))
            answer.failure = model_errors.from_exception(
                error, base_url=self._server.base_url, model=answer.model
            )
            answer.status = Status.ERROR
        run.ended_as = run.ended_as or answer.status
        flusher.cancel()
        await asyncio.wait([flusher])
        saved = await self._save(run)
        await run.channel.put(Event("end", {"columns": answer.columns(), "saved": saved}))
        usage = answer.columns()["usage"] or {}
        log.info(
            "run_ended",
            run=str(run.id),
            status=answer.status,
            finish_reason=answer.finish_reason,
            failure=answer.failure.code if answer.failure else None,
            saved=saved,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            **(answer.columns()["timings"] or {}),
        )

    async def _generate(self, run: Run) -> None:
        """Answer, and try again while nothing has been said.

        Raises:
            Failure: why there is no (whole) answer.
        """
        for pause in (*_RETRY_AFTER, None):
            failure = await self._attempt(run)
            if failure is None:
                return
            if pause is None or run.answer.begun or failure.code not in _RETRIED:
                raise failure
            log.info("run_retried", run=str(run.id), failure=failure.code, after=pause)
            await asyncio.sleep(pause)

    async def _attempt(self, run: Run) -> Failure | None:
        answer = run.answer
        try:
            if answer.prompt is None:
                answer.prompt = await self._prompt(run)
            async with aclosing(self._chunks(answer, answer.prompt)) as chunks:
                async for chunk in chunks:
                    added = answer.add(chunk)
                    if added:
                        await run.channel.put(Event("delta", added))
        except Exception as error:
            url = self._server.base_url
            failure = model_errors.from_exception(error, base_url=url, model=answer.model)
            if failure.code == "model_not_found" and not isinstance(error, Failure):
                # The list of models says what is served; the error of the chat does not.
                return await self._server.mismatch(answer.model) or failure
            return failure
        return None

    async def _prompt(self, run: Run) -> Prompt:
        model = run.answer.model
        limit = await self._server.context_length(model)
        return await fit(run.turns, limit, lambda turns: self._server.count_tokens(model, turns))

    async def _chunks(self, answer: Answer, prompt: Prompt) -> AsyncGenerator[AIMessageChunk, None]:
        """Yield the model's chunks.

        Raises:
            Failure: nothing came for too long.
            openai.APIError: the model server failed.
        """
        model = await asyncio.to_thread(self._model, answer.model, prompt.max_tokens)
        stream = model.astream(prompt.messages)
        async with aclosing(stream):  # type: ignore[type-var]
            while True:
                first = not answer.begun
                limits = self._settings
                seconds = limits.first_token_timeout if first else limits.token_timeout
                try:
                    async with asyncio.timeout(seconds):
                        chunk = await anext(stream)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    raise model_errors.stalled(seconds, first=first) from None
                yield chunk

    def _model(self, model: str, max_tokens: int | None) -> VllmChat:
        # Importing LangChain takes seconds: the page must not wait for it, nor the loop.
        from chatbot.chat_model import chat_model

        return chat_model(
            base_url=self._server.base_url,
            model=model,
            api_key=self._api_key,
            client=self._client,
            max_tokens=max_tokens,
        )

    async def warm_up(self) -> None:
        """Import LangChain now, so that the first answer need not wait for it."""
        await asyncio.to_thread(import_module, "chatbot.chat_model")

    async def _flush(self, run: Run) -> None:
        while True:
            await asyncio.sleep(_FLUSH_EVERY)
            if run.answer.begun:
                saving = asyncio.create_task(asyncio.to_thread(self._write, run))
                try:
                    await asyncio.shield(saving)
                except asyncio.CancelledError:
                    # The final save must come after this one.
                    await asyncio.wait([saving])
                    raise
                except SQLAlchemyError as error:
                    log.warning("answer_not_flushed", run=str(run.id), error=str(error))

    async def _save(self, run: Run) -> bool:
        for pause in (*_SAVE_AGAIN_AFTER, None):
            try:
                return await asyncio.to_thread(self._write, run)
            except SQLAlchemyError as error:
                reason = str(error.__cause__ or error)
                log.warning("answer_not_saved", run=str(run.id), reason=reason, again_after=pause)
                if pause is None:
                    return False
                await asyncio.sleep(pause)
        return False

    def _write(self, run: Run) -> bool:
        with self._database.write() as session:
            return conversations.save_answer(session, run.id, run.answer.columns())


def _ending(answer: Answer, ended_as: Status | None) -> Status:
    """How a stream that came to its end without an error is to be called."""
    if ended_as is not None:
        return ended_as
    # A server that is killed often closes its connections properly: no error, only no reason.
    return Status.COMPLETE if answer.finish_reason else Status.INTERRUPTED
