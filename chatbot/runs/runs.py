"""Runs: one answer each, from the prompt to the saved message.

A run lives on the background loop and writes events into a channel, from which the request thread
feeds the page. It saves the answer itself, so that a reader who leaves takes nothing along.
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot import metrics, request_id
from chatbot.agent.request import AnswerRequest
from chatbot.agent.responder import Responder
from chatbot.data import conversations
from chatbot.data.database import Database
from chatbot.data.tables import Status
from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.runs.admission import Admission
from chatbot.runs.answer import Answer
from chatbot.runs.background_loop import BackgroundLoop
from chatbot.runs.channel import Channel

log = structlog.get_logger(__name__)

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
    request: AnswerRequest
    answer: Answer
    channel: Channel[Event] = field(default_factory=Channel)
    ended_as: Status | None = None
    task: asyncio.Task[Any] | None = None


class Runs:
    """The runs of this process."""

    def __init__(
        self,
        loop: BackgroundLoop,
        database: Database,
        responder: Responder,
        admission: Admission,
    ) -> None:
        self._loop = loop
        self._database = database
        self._responder = responder
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
        request_id.bind_run(run.id, run.conversation_id)
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
            log.exception("run_failed")
            answer.failure = model_errors.unreadable(error)
            answer.status = Status.ERROR
        run.ended_as = run.ended_as or answer.status
        flusher.cancel()
        await asyncio.wait([flusher])
        saved = await self._save(run)
        await run.channel.put(Event("end", {"columns": answer.columns(), "saved": saved}))
        usage = answer.columns()["usage"] or {}
        metrics.answer_ended("agent", answer.status, usage, answer.columns()["timings"])
        log.info(
            "run_ended",
            status=answer.status,
            finish_reason=answer.finish_reason,
            failure=answer.failure.code if answer.failure else None,
            saved=saved,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            **(answer.columns()["timings"] or {}),
        )

    async def _generate(self, run: Run) -> None:
        async with aclosing(self._responder.respond(run.request)) as events:
            async for event in events:
                added = run.answer.add(event)
                if added:
                    await run.channel.put(Event("delta", added))

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
                    log.warning("answer_not_flushed", error=str(error))

    async def _save(self, run: Run) -> bool:
        for pause in (*_SAVE_AGAIN_AFTER, None):
            try:
                return await asyncio.to_thread(self._write, run)
            except SQLAlchemyError as error:
                reason = str(error.__cause__ or error)
                log.warning("answer_not_saved", reason=reason, again_after=pause)
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
