"""The connection to SQLite (WAL) or Postgres, with one code for both."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlalchemy.orm import Session, sessionmaker

from chatbot.deployment_files import DeploymentFiles
from chatbot.settings import Settings

# Seconds that a request waits for a lock or a free connection before it gives up, and for the
# server to let it in: one that is not there refuses at once.
WAIT = 5
_CONNECT = 10
# Seconds that a thread waits for the other threads of its process to have written.
_TURN = 5


class Encoded(str):
    """JSON that is text already: a JSON column takes it as it is."""

    __slots__ = ()


class Database:
    """Sessions on one database. They are short: none is open while an answer streams."""

    def __init__(self, url: URL, password: str | None = None) -> None:
        if password is not None and url.get_backend_name() == "postgresql":
            url = url.set(password=password)
        self.engine = _engine(url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # SQLite lets one write at a time, and has the others sleep and try again: with many
        # threads somebody waits for ever. So this process' threads queue up here.
        self._turn = threading.Lock() if url.get_backend_name() == "sqlite" else None

    @classmethod
    def of(cls, settings: Settings, files: DeploymentFiles) -> Self:
        """Return the deployment's database, with its password from the files.

        Raises:
            SettingsError: the password's file cannot be read.
        """
        return cls(settings.database, files.secret("postgres_password"))

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open a session that only reads."""
        with self._sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Open a session that commits at its end, or rolls back when an exception leaves it.

        Raises:
            SQLAlchemyError: the database does not answer, or others write for too long.
        """
        with self._my_turn(), self._sessions.begin() as session:
            session.connection(execution_options={"archi_write": True})
            yield session

    @contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=_TURN):
            raise WaitedTooLong(f"others have been writing for {_TURN} seconds")
        try:
            yield
        finally:
            self._turn.release()

    def ping(self) -> None:
        """Ask the database for its schema's version.

        Raises:
            SQLAlchemyError: it does not answer, or was never migrated.
        """
        with self.read() as session:
            session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _engine(url: URL) -> Engine:
    # hide_parameters: an error's text, which is logged, must not hold what people wrote.
    if url.get_backend_name() == "postgresql":
        timeouts = f"-c lock_timeout={WAIT * 1000} -c statement_timeout={WAIT * 2000}"
        return create_engine(
            url,
            json_serializer=_encode,
            pool_pre_ping=True,
            hide_parameters=True,
            pool_size=10,
            max_overflow=20,
            pool_timeout=WAIT,
            connect_args={"connect_timeout": _CONNECT, "options": timeouts},
        )
    engine = create_engine(
        url,
        hide_parameters=True,
        json_serializer=_encode,
        pool_size=10,
        max_overflow=20,
        pool_timeout=WAIT,
        connect_args={"timeout": WAIT},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _encode(value: object) -> str:
    return value if isinstance(value, Encoded) else json.dumps(value)


def _prepare_sqlite(connection: DBAPIConnection, _record: object) -> None:
    # The driver must not begin transactions by itself: _begin_sqlite says which kind it is.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later fails at once, without waiting, when another
    # one has written in between; taking the write lock at its beginning makes it wait instead.
    write = connection.get_execution_options().get("archi_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
