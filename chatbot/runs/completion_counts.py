"""Counting what accounts use by ``/v1``, and writing it down every few seconds."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot.data import usage
from chatbot.data.database import Database
from chatbot.data.tables import now
from chatbot.data.usage import Counts

log = structlog.get_logger(__name__)

# Seconds between two writes: what a killed process loses at most.
_EVERY = 5.0


class CompletionCounts:
    """The counts that are not written yet. It belongs to the background loop.

    One row for an account's day, so neither memory nor the table grows with the requests. While the
    database is away the counts stay in memory.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[tuple[UUID, date], Counts] = {}
        self._work = asyncio.Event()

    def add(self, user_id: UUID, counts: Counts) -> None:
        """Count what an account has used."""
        self._counted.setdefault((user_id, now().date()), Counts()).add(counts)
        self._work.set()

    async def work(self) -> None:
        """Write for ever."""
        while True:
            await self._work.wait()
            self._work.clear()
            await asyncio.sleep(_EVERY)
            await self.write()

    async def write(self) -> None:
        """Write what there is now."""
        counted, self._counted = self._counted, {}
        if not counted:
            return
        try:
            await asyncio.to_thread(self._write, counted)
        except SQLAlchemyError as error:
            log.warning("completions_not_counted", reason=str(error.__cause__ or error))
            for (user_id, day), counts in counted.items():
                self._counted.setdefault((user_id, day), Counts()).add(counts)
            self._work.set()

    def _write(self, counted: dict[tuple[UUID, date], Counts]) -> None:
        with self._database.write() as session:
            usage.count_completions(session, counted)
