"""Counts of requests that all workers share, for the ``limits`` library.

Its own shared storages are servers (Redis, Memcached, MongoDB), its memory is one process's, and
the conversations' database should not take a write per request, nor be needed for a request to be
let through. So it is a SQLite file of its own in memory (``/dev/shm``): it is locked by the kernel,
costs some 20 µs, and forgets at a restart.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from limits.storage import Storage

_TABLE = """
CREATE TABLE IF NOT EXISTS counts (
    key TEXT PRIMARY KEY, count INTEGER NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID
"""
_ADD = """
INSERT INTO counts VALUES (:key, :amount, :now + :seconds)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN expires <= :now THEN :amount ELSE count + :amount END,
    expires = CASE WHEN expires <= :now THEN :now + :seconds ELSE expires END
RETURNING count
"""
# Counts that are over are removed each time so many were added.
_SWEEP_EVERY = 1_000


class RateCounts(Storage):
    """Counts in a file, or in memory where there is only one process.

    The file is opened at the first use, in the worker: SQLite's connections survive no fork.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._own = threading.Lock()
        self._added = 0

    @property
    def base_exceptions(self) -> type[Exception]:
        """What this storage raises."""
        return sqlite3.Error

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count that lasts ``expiry`` seconds from its first addition; returns it."""
        moment = time.time()
        values = {"key": key, "amount": amount, "now": moment, "seconds": expiry}
        with self._own:
            self._added += 1
            if self._added % _SWEEP_EVERY == 0:
                self._open().execute("DELETE FROM counts WHERE expires <= ?", (moment,))
            [(count,)] = self._open().execute(_ADD, values).fetchall()
        return int(count)

    def get(self, key: str) -> int:
        """Return a count; 0 where there is none."""
        row = self._row(key)
        return int(row[0]) if row else 0

    def get_expiry(self, key: str) -> float:
        """Return when a count is over, in seconds since 1970; now where there is none."""
        row = self._row(key)
        return float(row[1]) if row else time.time()

    def check(self) -> bool:
        """Whether the file can be used."""
        try:
            self.get("")
        except sqlite3.Error:
            return False
        return True

    def reset(self) -> int | None:
        """Forget all counts; returns how many there were."""
        with self._own:
            return self._open().execute("DELETE FROM counts").rowcount

    def clear(self, key: str) -> None:
        """Forget a count."""
        with self._own:
            self._open().execute("DELETE FROM counts WHERE key = ?", (key,))

    def close(self) -> None:
        """Close the file."""
        with self._own:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _row(self, key: str) -> Any:  # noqa: ANN401 - a row of (count, expires), or None
        wanted = "SELECT count, expires FROM counts WHERE key = ? AND expires > ?"
        with self._own:
            return self._open().execute(wanted, (key, time.time())).fetchone()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            made = sqlite3.connect(
                self._path or ":memory:", timeout=2, isolation_level=None, check_same_thread=False
            )
            # Nothing here is worth a sync, or a second file.
            made.execute("PRAGMA journal_mode=MEMORY")
            made.execute("PRAGMA synchronous=OFF")
            made.execute(_TABLE)
            self._connection = made
        return self._connection
