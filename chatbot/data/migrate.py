"""Bringing the database to the newest schema, one process at a time."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from chatbot.data.database import Database

log = structlog.get_logger(__name__)

# Any constant will do; it only has to be the same in every process of this application.
_ADVISORY_LOCK = 0x61726368


def upgrade(database: Database, to: str = "head") -> str:
    """Migrate to a revision, by default the newest, and return it.

    A second process waits for the first.

    Raises:
        SQLAlchemyError: the database cannot be reached or refuses a migration.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with _alone(database.engine) as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        connection.commit()
        after = MigrationContext.configure(connection).get_current_revision()
    log.info("database_migrated", before=before, after=after)
    return str(after)


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """Open a connection while no other process of this application migrates."""
    if engine.dialect.name != "postgresql":
        # Before the first connection: turning a new file to WAL wants it alone, and SQLite does
        # not wait for that ("database is locked" at once, whatever the timeout).
        with Path(f"{engine.url.database}.migrate.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            with engine.connect() as connection:
                # SQLite changes a table by copying and dropping it, and with foreign keys on a
                # dropped table takes along, by CASCADE, what refers to it. They can be turned off
                # only outside a transaction, so past SQLAlchemy, which begins one.
                raw = connection.connection.cursor()
                raw.execute("PRAGMA foreign_keys=OFF")
                try:
                    yield connection
                    dangling = raw.execute("PRAGMA foreign_key_check").fetchall()
                finally:
                    # Not back into the pool without them.
                    connection.invalidate()
            if dangling:
                raise DBAPIError.instance(
                    "PRAGMA foreign_key_check",
                    None,
                    sqlite3.IntegrityError(str(dangling[:5])),
                    sqlite3.Error,
                )
        return
    with engine.connect() as connection:
        # The connection's lock_timeout is short; another process's migration may be long.
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:id)"), {"id": _ADVISORY_LOCK})
        connection.commit()
        try:
            yield connection
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:id)"), {"id": _ADVISORY_LOCK})
            connection.commit()
            # The session's timeouts were changed: it must not go back into the pool.
            connection.invalidate()
