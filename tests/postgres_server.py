"""A real Postgres for tests, as a process of its own on loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

from sqlalchemy import URL, create_engine, text
from uuid_utils.compat import uuid7

from tests.ports import free_port

_BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class PostgresServer:
    """A cluster in a folder of its own. Use it as a context manager."""

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.port = free_port()
        if os.getuid() == 0:
            # Postgres refuses to run as root.
            os.chown(self._folder, *pwd.getpwnam("postgres")[2:4])
        cluster = str(self._folder / "data")
        self._run("initdb", "-D", cluster, "-U", "archi", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} -F"
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", cluster, "-l", log, "-w", "-o", options, "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "-D", str(self._folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self._folder)

    def new_database(self) -> URL:
        """Make an empty database; returns its address."""
        name = f"chat_{uuid7().hex}"
        admin = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        admin.dispose()
        return self._url(name)

    def _url(self, name: str) -> URL:
        return URL.create(
            "postgresql+psycopg", "archi", host="127.0.0.1", port=self.port, database=name
        )

    @staticmethod
    def _run(program: str, *arguments: str) -> None:
        command = [str(_BINARIES[-1] / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr
