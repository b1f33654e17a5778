"""Reading runs that another worker makes, through the database."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Set
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot.data import run_log
from chatbot.data.database import Database
from chatbot.data.run_log import Found
from chatbot.runs.event_log import EventLog, Reader

log = structlog.get_logger(__name__)

# Seconds between two looks for new events, and between two signs that somebody reads here.
_LOOK = 0.12
SIGN = 1.0
# Seconds between two looks while the database does not answer.
_AWAY = 1.0


class RemoteRuns:
    """Copies of other workers' logs, kept up to date while somebody reads them here.

    Args:
        database: where the events are.
        call_soon: has a function run on the background loop, from any thread.
    """

    def __init__(
        self, database: Database, call_soon: Callable[[Callable[[], object]], object]
    ) -> None:
        self._database = database
        self._call_soon = call_soon
        self._lock = threading.Lock()
        self._logs: dict[UUID, EventLog] = {}
        self._signed = 0.0
        self._active = asyncio.Event()

    def read(self, run_id: UUID, event_id: str | None) -> Reader:
        """Open a reader of another worker's run."""
        with self._lock:
            copy = self._logs.get(run_id)
            if copy is None:
                copy = self._logs[run_id] = EventLog(run_id)
                self._signed = 0.0
            reader = copy.read(copy.position(event_id))
        self._call_soon(self._active.set)
        return reader

    async def work(self) -> None:
        """Copy for ever; while nobody reads it only waits."""
        pause = _LOOK
        left: set[UUID] = set()
        while True:
            positions, just_left = self._read_now()
            # What was left since the last look had a reader until now: the grace counts from here.
            left |= just_left
            if not positions and not left:
                self._active.clear()
                await self._active.wait()
                continue
            due = time.monotonic() - self._signed >= SIGN
            sign = left | positions.keys() if due else left
            try:
                found = await asyncio.to_thread(self._find, positions, sign)
            except SQLAlchemyError as error:
                if pause != _AWAY:
                    log.warning("runs_not_read", reason=str(error.__cause__ or error))
                pause = _AWAY
            else:
                pause = _LOOK
                left.clear()
                if due:
                    self._signed = time.monotonic()
                for run_id in positions:
                    self._copy(run_id, found.get(run_id))
            await asyncio.sleep(pause)

    def _read_now(self) -> tuple[dict[UUID, int], set[UUID]]:
        """Forget what nobody reads any more; return how far each of the others is, and those."""
        with self._lock:
            left = {run_id for run_id, copy in self._logs.items() if copy.left_at is not None}
            for run_id in left:
                del self._logs[run_id]
            return {run_id: len(copy) for run_id, copy in self._logs.items()}, left

    def _find(self, positions: dict[UUID, int], sign: Set[UUID]) -> dict[UUID, Found]:
        if sign:
            with self._database.write() as session:
                run_log.see_reader(session, sign)
        with self._database.read() as session:
            return run_log.events_after(session, positions)

    def _copy(self, run_id: UUID, found: Found | None) -> None:
        copy = self._logs[run_id]
        for _, name, data in found.events if found else ():
            copy.append(name, json.dumps(data, separators=(",", ":")))
        # None: deleted, with its conversation.
        if found is None or found.ended:
            copy.close()
            with self._lock:
                del self._logs[run_id]

    def close(self) -> None:
        """Let all readers go."""
        with self._lock:
            for copy in self._logs.values():
                copy.close()
