"""Runs: one answer each, from the prompt to the saved message.

A run lives on the background loop and puts what it says into its log, from which any number of
request threads feed pages. What it says is written to the database as it comes, so that readers
can be on other workers, and a killed worker takes nothing along.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import aclosing
from uuid import UUID

import structlog

from chatbot import metrics, request_id
from chatbot.agent.responder import Responder
from chatbot.data import conversations, run_log
from chatbot.data.database import Database
from chatbot.data.tables import Status
from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.runs.admission import Admission
from chatbot.runs.answer import Answer
from chatbot.runs.background_loop import BackgroundLoop
from chatbot.runs.event_log import EventLog, Reader
from chatbot.runs.nudges import Nudges
from chatbot.runs.remote import RemoteRuns
from chatbot.runs.run import Run
from chatbot.runs.watch import Limits, Watch
from chatbot.runs.worker_name import this_worker
from chatbot.runs.writer import Writer

log = structlog.get_logger(__name__)

# Seconds for the clean-up of runs that are ended because the process ends.
_CLEAN_UP = 5.0


class Runs:
    """The runs of this worker, and the way to those of the others.

    ``on_ended`` are called, on the background loop, with every answer that has ended.
    """

    def __init__(
        self,
        loop: BackgroundLoop,
        database: Database,
        responder: Responder,
        admission: Admission,
        limits: Limits,
    ) -> None:
        self.worker = this_worker()
        self.on_ended: list[Callable[[Answer], object]] = []
        self._loop = loop
        self._database = database
        self._responder = responder
        self._admission = admission
        self._lock = threading.Lock()
        # By message: those under way, and those that are not saved yet.
        self._runs: dict[UUID, Run] = {}
        self._active: set[Run] = set()
        self._writer = Writer(
            database,
            on_deleted=lambda run: self._cancel(run, Status.STOPPED),
            on_ended=self._ended,
            on_settled=self._settled,
        )
        self._watch = Watch(
            database,
            limits,
            runs=self._all,
            end=self._cancel,
            draining=lambda: self._admission.draining(),
        )
        self._remote = RemoteRuns(database, loop.loop.call_soon_threadsafe)
        self._nudges = Nudges(loop.loop, self._nudged)
        self._upkeep = [
            loop.keep_up(work) for work in (self._writer.work, self._watch.work, self._remote.work)
        ]

    @property
    def active(self) -> int:
        """How many answers are under way in this worker."""
        return len(self._active)

    def _all(self) -> list[Run]:
        with self._lock:
            return list(self._runs.values())

    def start(self, run: Run) -> None:
        """Begin an answer, whose row is in the database.

        The caller has entered the admission; the run leaves it when it has ended.
        """
        with self._lock:
            self._runs[run.message_id] = run
            self._active.add(run)
        self._loop.submit(self._work(run))

    def read(self, message_id: UUID, owner: UUID, event_id: str | None) -> Reader | None:
        """Open a reader of a message's newest run, wherever it is made.

        Args:
            message_id: the answer's message.
            owner: the account that asks.
            event_id: the last event that is known already; unknown ones count as none.

        Returns:
            None where nothing but the message itself is left of it.

        Raises:
            Failure: 404, the account has no such message.
        """
        with self._lock:
            run = self._runs.get(message_id)
        if run is not None and run.request.user_id == owner:
            return run.log.read(run.log.position(event_id))
        with self._database.read() as session:
            conversations.own_message(session, message_id, owner)
            row = run_log.newest(session, message_id)
            if row is None:
                return None
            if row.ended_at is None:
                return self._remote.read(row.id, event_id)
            events = run_log.events_after(session, {row.id: 0})[row.id].events
        whole = EventLog(row.id)
        for _, name, data in events:
            whole.append(name, json.dumps(data, separators=(",", ":")))
        whole.close()
        return whole.read(whole.position(event_id))

    def stop(self, message_id: UUID, owner: UUID) -> bool:
        """End a message's run, wherever it is made; False where none is under way.

        Raises:
            Failure: 404, the account has no such message.
        """
        with self._lock:
            run = self._runs.get(message_id)
        if run is not None and run.request.user_id == owner:
            # Not whether it is active: it is until its readers have been told of its end.
            under_way = run.answer.status is Status.STREAMING
            self._end(run)
            return under_way
        with self._database.read() as session:
            conversations.own_message(session, message_id, owner)
            row = run_log.newest(session, message_id)
        if row is None or row.ended_at is not None:
            return False
        self._nudges.stop(row.worker, message_id)
        # For the case that the nudge does not arrive.
        with self._database.write() as session:
            run_log.request_stop(session, message_id)
        return True

    def _nudged(self, message_id: UUID) -> None:
        with self._lock:
            run = self._runs.get(message_id)
        if run is not None:
            self._cancel(run, Status.STOPPED)

    def end_conversation(self, conversation_id: UUID) -> None:
        """End the run of a conversation that was deleted; other workers notice by themselves."""
        for run in self._all():
            if run.request.conversation_id == conversation_id:
                self._end(run)

    def _end(self, run: Run) -> None:
        self._loop.loop.call_soon_threadsafe(self._cancel, run, Status.STOPPED)

    @staticmethod
    def _cancel(run: Run, status: Status) -> None:
        # On the loop, and once only: a second cancellation would hit what follows the first.
        if run.ended_as is None:
            run.ended_as = status
            if run.task is not None:
                run.task.cancel()

    async def _work(self, run: Run) -> None:
        answer = run.answer
        run.task = asyncio.current_task()
        request_id.bind_run(run.id, run.request.conversation_id)
        self._writer.begin(run)
        self._watch.active.set()
        try:
            if run.ended_as is None:
                async with aclosing(self._responder.respond(run.request)) as events:
                    async for event in events:
                        run.add(event)
            answer.end(run.ended_as)
        except asyncio.CancelledError:
            answer.end(run.ended_as or Status.INTERRUPTED)
        except Exception as error:
            if not isinstance(error, Failure):
                log.exception("run_failed", run=str(run.id))
                error = model_errors.unreadable(error)
            answer.fail(error)
        run.ended_as = run.ended_as or answer.status
        for call in answer.stop_calls():
            run.tell("tool", call)
        self._writer.end(run)

    def _ended(self, run: Run, saved: bool) -> None:
        with self._lock:
            self._active.discard(run)
        self._admission.leave()
        answer = run.answer
        columns = answer.columns()
        usage = columns["usage"] or {}
        metrics.answer_ended("agent", answer.status, usage, columns["timings"])
        for call in answer.call_columns(run.message_id):
            metrics.tool_ended(call["name"], call["status"])
        log.info(
            "run_ended",
            run=str(run.id),
            message=str(run.message_id),
            status=answer.status,
            finish_reason=answer.finish_reason,
            failure=answer.failure.code if answer.failure else None,
            saved=saved,
            prompt_tokens=usage.get("prompt_tokens"),
            completion_tokens=usage.get("completion_tokens"),
            **(columns["timings"] or {}),
        )
        for callback in self.on_ended:
            callback(answer)

    def _settled(self, run: Run) -> None:
        with self._lock:
            self._runs.pop(run.message_id, None)

    def close(self) -> None:
        """End what is under way, save it, and let all readers go.

        A process that drains lets its answers end first, within the time for that.
        """
        self._loop.run(self._close())

    async def _close(self) -> None:
        while self._active and self._admission.draining():
            await asyncio.sleep(0.05)
        tasks = [run.task for run in self._active if run.task is not None]
        for run in list(self._active):
            self._cancel(run, Status.INTERRUPTED)
        if tasks:
            await asyncio.wait(tasks, timeout=_CLEAN_UP)
        for future in self._upkeep:
            future.cancel()
        self._nudges.close()
        await self._writer.close()
        for run in self._all():
            run.log.close()
        self._remote.close()
