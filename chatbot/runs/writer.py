"""Writing what a worker's runs say: one writer for all of them, a few times a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from enum import Enum, auto
from uuid import UUID

import structlog
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from chatbot.data import run_log
from chatbot.data.database import Database
from chatbot.data.run_log import Batch
from chatbot.runs.run import Run

log = structlog.get_logger(__name__)

# Seconds between two writes: what a killed process loses at most of what its readers have seen.
_EVERY = 0.2
# Seconds before each new try while the database does not answer; the last one for all further.
_AGAIN_AFTER = (0.3, 0.5, 1.0, 2.0, 5.0)
# Failures in a row after which readers are told that their answer is not saved yet.
_TOLD_AFTER = 2
# Seconds for which a finished answer is kept for a database that does not come back.
_KEEP_FOR = 1800.0


class Outcome(Enum):
    """What became of a batch."""

    WRITTEN = auto()
    DELETED = auto()
    REFUSED = auto()


class Writer:
    """Writes events in batches, and answers at their end. It belongs to the background loop.

    While the database is away everything stays in memory and is written when it is back.

    Args:
        database: where to.
        on_deleted: called with a run whose conversation was deleted while it was under way.
        on_ended: called with a run just before its readers are told how it ended: who has read the
            end finds its place free, and the answer counted.
        on_settled: called with a run that is saved, or given up.
    """

    def __init__(
        self,
        database: Database,
        *,
        on_deleted: Callable[[Run], None],
        on_ended: Callable[[Run, bool], None],
        on_settled: Callable[[Run], None],
    ) -> None:
        self._database = database
        self._on_deleted = on_deleted
        self._on_ended = on_ended
        self._on_settled = on_settled
        self._running: set[Run] = set()
        # Runs that have ended and wait to be saved, with the moment of their end.
        self._ended: dict[Run, float] = {}
        self._failures = 0
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()

    def begin(self, run: Run) -> None:
        """Write this run's events from now on."""
        self._running.add(run)
        self._work.set()

    def end(self, run: Run) -> None:
        """Save a run that says nothing more."""
        self._running.discard(run)
        self._ended[run] = time.monotonic()
        if self._failures >= _TOLD_AFTER:
            self._tell_unsaved(run)
        self._work.set()
        self._hurry.set()

    async def work(self) -> None:
        """Write for ever; while there is no run it only waits."""
        while True:
            await self._work.wait()
            if not self._running and not self._ended:
                self._work.clear()
                continue
            try:
                async with asyncio.timeout(self._pause()):
                    await self._hurry.wait()
            except TimeoutError:
                pass
            self._hurry.clear()
            await self.write()

    def _pause(self) -> float:
        if not self._failures:
            return _EVERY
        return _AGAIN_AFTER[min(self._failures, len(_AGAIN_AFTER)) - 1]

    async def write(self) -> None:
        """Write what there is now."""
        ends = {
            run: run.end_data(saved=True) if not run.told_unsaved else "{}" for run in self._ended
        }
        batches = {run: run.last_batch(saved) for run, saved in ends.items()}
        batches |= {run: batch for run in self._running if (batch := run.unwritten())}
        if not batches:
            return
        try:
            outcomes = await asyncio.to_thread(self._write, list(batches.values()))
        except SQLAlchemyError as error:
            self._failed(error)
            return
        if self._failures:
            log.info("database_back", failures=self._failures)
            self._failures = 0
        for run, batch in batches.items():
            self._settle(run, batch, outcomes[run.id], ends.get(run))

    def _settle(self, run: Run, batch: Batch, outcome: Outcome, saved: str | None) -> None:
        if saved is not None:
            self._ended.pop(run, None)
            if outcome is Outcome.WRITTEN:
                if not run.told_unsaved:
                    self._on_ended(run, True)
                run.confirm(saved)
            else:
                self._give_up(run, outcome.name)
            self._on_settled(run)
        elif outcome is Outcome.DELETED:
            self._running.discard(run)
            self._on_deleted(run)
        else:
            # A batch that is refused would be refused again; the answer itself may still be saved.
            run.written(batch.seq)

    def _failed(self, error: SQLAlchemyError) -> None:
        self._failures += 1
        if self._failures in (1, _TOLD_AFTER):
            reason = str(error.__cause__ or error)
            log.warning("answers_not_written", reason=reason, failures=self._failures)
        if self._failures < _TOLD_AFTER:
            return
        for run, since in list(self._ended.items()):
            self._tell_unsaved(run)
            if time.monotonic() - since > _KEEP_FOR:
                self._ended.pop(run)
                self._give_up(run, "DATABASE_AWAY")
                self._on_settled(run)

    def _tell_unsaved(self, run: Run) -> None:
        if not run.told_unsaved:
            self._on_ended(run, False)
            run.tell_unsaved()

    def _give_up(self, run: Run, reason: str) -> None:
        self._tell_unsaved(run)
        if reason != Outcome.DELETED.name:
            log.error("answer_not_saved", run=str(run.id), reason=reason)
        run.log.close()

    async def close(self) -> None:
        """Try once more to save what is not saved, and give up the rest."""
        await self.write()
        for run in list(self._ended):
            self._give_up(run, "SHUTTING_DOWN")
            self._on_settled(run)
        self._ended.clear()

    def _write(self, batches: list[Batch]) -> dict[UUID, Outcome]:
        try:
            with self._database.write() as session:
                found = {batch.run_id: run_log.write(session, batch) for batch in batches}
        except Exception as error:
            if is_outage(error):
                raise
            # One of them is refused: which one shows when each is written alone.
            return {batch.run_id: self._write_alone(batch) for batch in batches}
        return {
            run_id: Outcome.WRITTEN if there else Outcome.DELETED for run_id, there in found.items()
        }

    def _write_alone(self, batch: Batch) -> Outcome:
        try:
            with self._database.write() as session:
                there = run_log.write(session, batch)
        except IntegrityError:
            with self._database.read() as session:
                # Where the run is still there, so is this very batch: its first commit came
                # through, but the word of it got lost.
                there = run_log.exists(session, batch.run_id)
        except Exception as error:
            if is_outage(error):
                raise
            log.exception("batch_refused", run=str(batch.run_id))
            return Outcome.REFUSED
        return Outcome.WRITTEN if there else Outcome.DELETED


def is_outage(error: Exception) -> bool:
    """Whether the database itself is at fault, and not what it was asked."""
    refusals = (DataError, IntegrityError, NotSupportedError, ProgrammingError)
    return isinstance(error, DBAPIError | PoolTimeoutError) and not isinstance(error, refusals)
