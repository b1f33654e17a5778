"""Where the chat application's tests keep their data: in SQLite, or in Postgres where one is named.

``tests/e2e/test_postgres.py`` runs all of ``tests/unit/chatbot`` again with these variables set.
"""

from __future__ import annotations

import functools
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from psycopg.errors import ObjectInUse
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from chatbot.data import migrate
from chatbot.data.database import Database

SERVER = "ARCHI_TEST_POSTGRES"
"""``postgresql://USER@HOST:PORT/DATABASE`` of a server on which databases may be made."""
PASSWORD = "ARCHI_TEST_POSTGRES_PASSWORD"

_made: dict[Path, str] = {}


def database_url(folder: Path) -> str:
    """The address of a folder's own database, without its password; the same one every time."""
    if SERVER not in os.environ:
        return f"sqlite:///{folder / 'chat.db'}"
    if folder not in _made:
        _made[folder] = _create()
    return make_url(os.environ[SERVER]).set(database=_made[folder]).render_as_string()


def database_password() -> str | None:
    """The password that goes with it; None for SQLite."""
    return os.environ.get(PASSWORD)


def opened(folder: Path) -> Database:
    """A folder's database, from outside of the application; close it."""
    return Database(make_url(database_url(folder)), database_password())


def give_migrated(folder: Path) -> None:
    """Give a folder the database that the migrations make, unless it has one.

    A copy: migrating takes half a second, and nearly every test has a database of its own.
    """
    if SERVER in os.environ:
        if folder not in _made:
            _made[folder] = _create(template=_migrated_server_database())
    elif not (path := folder / "chat.db").exists():
        path.write_bytes(_migrated_file())


@functools.cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with closing(opened(Path(folder))) as database:
            migrate.upgrade(database)
        return (Path(folder) / "chat.db").read_bytes()


@functools.cache
def _migrated_server_database() -> str:
    name = _create()
    url = make_url(os.environ[SERVER]).set(database=name)
    with closing(Database(url, database_password())) as database:
        migrate.upgrade(database)
    return name


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Have every write to a folder's database wait in vain; reading goes on.

    It waits for those that are at work for longer than the application would.
    """
    with closing(opened(folder)) as database, database.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = '60s'"))
            connection.execute(text("LOCK TABLE messages, runs, run_events IN SHARE MODE"))
        else:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA busy_timeout = 60000")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield
        connection.rollback()


def drop_database(folder: Path) -> None:
    """Remove a folder's database from the server."""
    name = _made.pop(folder, None)
    if name is not None:
        _run(f"DROP DATABASE {name} WITH (FORCE)")


def _create(template: str = "template1") -> str:
    """Make a database on the server; returns its name."""
    name = f"case_{secrets.token_hex(6)}"
    _run(f"CREATE DATABASE {name} TEMPLATE {template}")
    return name


def _run(statement: str) -> None:
    url: URL = make_url(os.environ[SERVER]).set(
        drivername="postgresql+psycopg", password=database_password()
    )
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    deadline = time.monotonic() + 60
    with engine.connect() as connection:
        while not _executed(connection, statement):
            assert time.monotonic() < deadline, "somebody still uses the database"
    engine.dispose()


def _executed(connection: Connection, statement: str) -> bool:
    """Execute a statement; False where Postgres waited five seconds in vain for others to leave."""
    try:
        connection.execute(text(statement))
    except OperationalError as error:
        if isinstance(error.orig, ObjectInUse):
            return False
        raise
    return True
