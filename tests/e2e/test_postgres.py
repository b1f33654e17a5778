"""The database's start script on real Postgres, and the chat application's own tests on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from sqlalchemy import make_url, text

from archi import render
from archi.diagnosis import diagnose
from archi.docker_engine import connect
from archi.images import image
from archi.postgres import volume_problem
from archi.readiness import NotReady, Target, wait
from archi.settings import from_mapping
from chatbot.data.database import Database
from tests import chat_database
from tests.chat_application import ROOT
from tests.ports import free_port

NAME = "archi-e2e-postgres"
VOLUME = f"archi-{NAME}-postgres"
PASSWORD = 'it\'s "quoted" \\ and $HOME, é'


class Server:
    """Postgres in a container as components/postgres.py makes it, with files of the test's own."""

    def __init__(self, client: docker.DockerClient, files: Path) -> None:
        self.client, self.files, self.port = client, files, free_port()
        self.image = image("postgres", "packages").tag
        self.settings = from_mapping("bot", {"services": {"postgres": {"memory": "256m"}}})

    def start(self, password: str = PASSWORD) -> Container:
        """A new container on the volume; the one before is gone."""
        self.remove()
        script = Path(render.__file__).parents[1] / "in_container" / "postgres_start.sh"
        (self.files / "secrets").mkdir(exist_ok=True)
        (self.files / "postgres_start.sh").write_bytes(script.read_bytes())
        (self.files / "secrets" / "postgres_password").write_text(password)
        for path in (self.files, self.files / "secrets"):
            path.chmod(0o755)
        return self.client.containers.run(
            self.image,
            render.postgres_command(self.settings)[1:],
            name=NAME,
            entrypoint=["sh"],
            user="999:999",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            tmpfs={"/tmp": "size=64m", render.POSTGRES_SOCKETS: "uid=999,gid=999,mode=0775"},
            volumes=[f"{VOLUME}:{render.POSTGRES_DATA}", f"{self.files}:/run/archi:ro"],
            ports={"5432/tcp": ("127.0.0.1", self.port)},
            detach=True,
        )

    def wait(self) -> None:
        """At the gate that the deployment has too."""
        probe = render.postgres_readiness_command(self.settings)
        wait(self.client, Target("postgres", NAME, probe, None, (), 600), lambda _line: None)

    def sql(self, statement: str, password: str = PASSWORD, database: str = "archi") -> list[Any]:
        found = self.database(password, database)
        try:
            with found.engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            ) as connection:
                result = connection.execute(text(statement))
                return [tuple(row) for row in result] if result.returns_rows else []
        finally:
            found.close()

    def database(self, password: str = PASSWORD, name: str = "archi") -> Database:
        url = make_url(f"postgresql+psycopg://archi@127.0.0.1:{self.port}/{name}")
        return Database(url, password)

    def in_volume(self, command: str) -> None:
        self.client.containers.run(
            self.image,
            ["sh", "-c", command],
            user="999:999",
            volumes=[f"{VOLUME}:{render.POSTGRES_DATA}"],
            remove=True,
        )

    def remove(self) -> None:
        for container in self.client.containers.list(all=True, filters={"name": f"^/{NAME}$"}):
            container.remove(force=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    client = connect()
    made = Server(client, tmp_path_factory.mktemp("files"))
    made.files.parent.chmod(0o755)
    made.remove()
    for volume in client.volumes.list(filters={"name": VOLUME}):
        volume.remove()
    yield made
    made.remove()
    client.volumes.get(VOLUME).remove()


@pytest.fixture
def running(server: Server) -> Server:
    """It, up with the usual password."""
    server.start()
    server.wait()
    return server


def test_an_interrupted_first_start_is_begun_again(server: Server) -> None:
    unfinished = f"{render.POSTGRES_DATA}/initialising"
    server.in_volume(f"mkdir -p {unfinished} && echo 15 > {unfinished}/PG_VERSION")
    server.start()
    server.wait()
    assert server.sql("SELECT 1") == [(1,)]
    server.in_volume(f"test ! -e {unfinished}")


def test_only_the_right_password_logs_in(running: Server) -> None:
    assert running.sql("SELECT current_user::text") == [("archi",)]
    with pytest.raises(Exception, match="password authentication failed"):
        running.sql("SELECT 1", password="wrong")


def test_the_password_is_the_files_at_every_start_and_data_stays(running: Server) -> None:
    running.sql("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    container = running.start(password="another; one'")
    running.wait()
    assert running.sql("SELECT answer FROM kept", password="another; one'") == [(42,)]
    with pytest.raises(Exception, match="password authentication failed"):
        running.sql("SELECT 1")
    shown = container.logs().decode() + str(container.attrs)
    assert "another; one" not in shown


def test_what_was_committed_survives_a_kill(running: Server) -> None:
    running.sql("CREATE TABLE IF NOT EXISTS survived (n int)")
    running.sql("INSERT INTO survived VALUES (7)")
    running.client.containers.get(NAME).kill()
    running.start()
    running.wait()
    assert (7,) in running.sql("SELECT n FROM survived")


def test_another_major_version_is_refused_by_the_server_and_before_it(running: Server) -> None:
    version = f"{render.POSTGRES_DATA}/pgdata/PG_VERSION"
    assert volume_problem(running.client, NAME, running.image) is None
    running.remove()
    running.in_volume(f"echo 13 > {version}")
    try:
        before = volume_problem(running.client, NAME, running.image)
        assert before is not None
        assert "holds a database of Postgres 13" in before
        assert f"{running.image} is Postgres 15" in before
        running.start()
        with pytest.raises(NotReady) as refused:
            running.wait()
    finally:
        running.remove()
        running.in_volume(f"echo 15 > {version}")
    assert "The volume holds a database of Postgres 13, and this is Postgres 15." in str(
        refused.value
    )
    assert "archi:services.postgres.image" in str(refused.value)


def test_a_volume_that_is_not_there_is_no_problem_and_not_made(running: Server) -> None:
    assert volume_problem(running.client, "archi-e2e-nowhere", running.image) is None
    assert running.client.volumes.list(filters={"name": "archi-archi-e2e-nowhere"}) == []


def test_the_way_to_migrate_that_the_refusal_names_brings_everything_over(running: Server) -> None:
    running.sql("CREATE TABLE IF NOT EXISTS moved AS SELECT 'x' AS y")
    container = running.client.containers.get(NAME)
    dumped = container.exec_run(
        ["sh", "-c", "pg_dump -U archi --clean --if-exists archi > /tmp/archi.sql"]
    )
    assert dumped.exit_code == 0
    running.sql("DROP TABLE moved")
    loaded = container.exec_run(["sh", "-c", "psql -U archi archi < /tmp/archi.sql"])
    assert loaded.exit_code == 0
    assert running.sql("SELECT y FROM moved") == [("x",)]


def test_a_missing_password_is_named() -> None:
    line = "postgres_start: /run/archi/secrets/postgres_password is missing or empty"
    assert diagnose([line], 65).cause == "postgres-password-missing"


def test_the_chat_application_does_the_same_on_postgres(server: Server) -> None:
    if not server.client.containers.list(filters={"name": f"^/{NAME}$"}):
        server.start()
        server.wait()
    address = f"postgresql://archi@127.0.0.1:{server.port}/archi"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/unit/chatbot", "-m", "not sqlite"],
        cwd=ROOT,
        env={**os.environ, chat_database.SERVER: address, chat_database.PASSWORD: PASSWORD},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
