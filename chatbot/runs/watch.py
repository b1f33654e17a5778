"""What a worker looks at ten times a second, and what it does every few seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatbot.data import audit, recovery, run_log
from chatbot.data.database import Database
from chatbot.data.run_log import Wishes
from chatbot.data.tables import Status, now
from chatbot.runs.remote import SIGN
from chatbot.runs.run import Run
from chatbot.runs.worker_name import is_alive

log = structlog.get_logger(__name__)

# Seconds between two looks at what other workers want of this one's runs.
_LOOK = 0.1
# Seconds between two signs of life, and the silence after which a run has lost its worker.
_BEAT = 5.0
_SILENT = 20.0
# Seconds for which the events of an ended run stay readable, and between two prunings.
_KEEP_EVENTS = 600.0
_PRUNE = 60.0
# Another worker's sign that it has a reader may be late by one and a half. Of one who leaves it
# says so at once, but the sign may come late too: an answer goes on rather a second too long.
_SIGN_LATE = 2.5 * SIGN
# The last part of the time for draining is for saving what is cut off.
_SAVING_SHARE = 0.1
_SAVING_MOST = 5.0


@dataclass(frozen=True)
class Limits:
    """Seconds: for an answer whose last reader has left, and for all when the process ends."""

    leave_grace: float
    drain_timeout: float


class Watch:
    """Ends this worker's runs where somebody wants that, or nobody reads any more.

    Args:
        database: where other workers say what they want.
        limits: how long runs may go on.
        runs: returns the runs under way, and those that are not saved yet.
        end: ends a run early with a status.
        draining: whether the process is to end.
    """

    def __init__(
        self,
        database: Database,
        limits: Limits,
        *,
        runs: Callable[[], Collection[Run]],
        end: Callable[[Run, Status], None],
        draining: Callable[[], bool],
    ) -> None:
        self._database = database
        self._limits = limits
        self._runs = runs
        self._end = end
        self._draining = draining
        self._draining_since: float | None = None
        self._beaten = time.monotonic()
        self._pruned = time.monotonic()
        # Since when this worker has heard of all others' signs of life without a gap.
        self._hearing_since = now()
        self._heard = now()
        # Since when this worker has looked at what others sign without a gap.
        self._looking_since = now()
        self._looked = time.monotonic()
        self.active = asyncio.Event()

    async def work(self) -> None:
        """Look for ever: often while there are runs, else only for others' dead ones."""
        while True:
            runs = self._runs()
            if runs:
                await asyncio.sleep(_LOOK)
            else:
                self.active.clear()
                try:
                    async with asyncio.timeout(_BEAT):
                        await self.active.wait()
                except TimeoutError:
                    pass
            runs = self._runs()
            if runs:
                await self._look(runs)
            if time.monotonic() - self._beaten >= _BEAT:
                self._beaten = time.monotonic()
                await self._beat(runs)

    async def _look(self, runs: Collection[Run]) -> None:
        if time.monotonic() - self._looked > SIGN:
            # This machine slept, or is busy: whoever signs elsewhere was held up as well.
            self._looking_since = now()
        self._looked = time.monotonic()
        ids = [run.id for run in runs]
        try:
            wishes = await asyncio.to_thread(self._wishes, ids)
        except SQLAlchemyError:
            # The writer tells of it. Who reads on another worker is not known now, so only those
            # that never had such a reader can have lost their last one.
            for run in runs:
                if run.reader_seen_at is None:
                    self._end_unread(run)
        else:
            for run in runs:
                self._heed(run, wishes.get(run.id))
        self._end_drained(runs)

    def _wishes(self, ids: list[UUID]) -> dict[UUID, Wishes]:
        with self._database.read() as session:
            return run_log.wishes(session, ids)

    def _heed(self, run: Run, wishes: Wishes | None) -> None:
        if wishes is None or wishes.stop:
            # None: its conversation was deleted.
            self._end(run, Status.STOPPED)
            return
        run.reader_seen_at = wishes.reader_seen_at
        self._end_unread(run)

    def _end_unread(self, run: Run) -> None:
        grace = self._limits.leave_grace
        left_at = run.log.left_at
        if left_at is None or time.monotonic() - left_at < grace:
            return
        if (seen := run.reader_seen_at) is not None:
            silence = now() - max(seen, self._looking_since)
            if silence < timedelta(seconds=max(grace + SIGN, _SIGN_LATE)):
                return
        log.info("answer_unread", run=str(run.id))
        self._end(run, Status.INTERRUPTED)

    def _end_drained(self, runs: Collection[Run]) -> None:
        if not self._draining():
            return
        self._draining_since = self._draining_since or time.monotonic()
        for run in runs:
            if run.told_unsaved:
                # Its readers wait for a database that may not come back before the process ends.
                run.log.close()
        limit = self._limits.drain_timeout
        limit -= min(_SAVING_MOST, limit * _SAVING_SHARE)
        if time.monotonic() - self._draining_since >= limit:
            for run in runs:
                self._end(run, Status.INTERRUPTED)

    async def _beat(self, runs: Collection[Run]) -> None:
        ids = [run.id for run in runs]
        prune = time.monotonic() - self._pruned >= _PRUNE
        if prune:
            self._pruned = time.monotonic()
        if now() - self._heard > timedelta(seconds=2 * _BEAT):
            # The database was away, or this machine slept: others could not say that they live.
            self._hearing_since = now()
        try:
            await asyncio.to_thread(self._keep_order, ids, prune)
        except SQLAlchemyError as error:
            log.warning("runs_not_kept", reason=str(error.__cause__ or error))
        else:
            self._heard = now()

    def _keep_order(self, ids: list[UUID], prune: bool) -> None:
        with self._database.write() as session:
            if ids:
                run_log.beat(session, ids)
            self._recover(session)
            if prune:
                run_log.prune(session, _ago(_KEEP_EVENTS))
                audit.forget_old(session)

    def _recover(self, session: Session) -> None:
        if self._hearing_since < _ago(_SILENT):
            recovery.recover_stale(session, _ago(_SILENT), is_alive)


def _ago(seconds: float) -> datetime:
    return now() - timedelta(seconds=seconds)
