"""The chat application for tests: in this process, or as the real one under gunicorn."""

from __future__ import annotations

import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chatbot.services import Services
from tests.chat_database import database_password, database_url, drop_database
from tests.ports import free_port
from tests.scripted_vllm import MODEL

ROOT = Path(__file__).parent.parent


def write_files(folder: Path, model: str = MODEL) -> Path:
    """Write the deployment's files as the deployer does; returns the folder."""
    (folder / "secrets").mkdir(parents=True, exist_ok=True)
    write_pipelines(folder, model)
    (folder / "secrets" / "session_key").write_text(secrets.token_hex(32) + "\n")
    password = database_password()
    if password is not None:
        (folder / "secrets" / "postgres_password").write_text(password)
    return folder


def write_pipelines(folder: Path, model: str) -> None:
    """Write ``pipelines.yaml`` for a model, by replacing the file."""
    new = folder / "pipelines.new"
    new.write_text(f"model: {model}\npipelines:\n  ChatAgent:\n    chat_model: vllm/{model}\n")
    new.replace(folder / "pipelines.yaml")


def environment(folder: Path, base_url: str, port: int = 7861, **more: str) -> dict[str, str]:
    """The application's environment, with its files and its database in a folder."""
    return {
        "VLLM_BASE_URL": base_url,
        "DATABASE_URL": database_url(folder),
        "ARCHI_FILES": str(folder / "files"),
        "ARCHI_PUBLISHED_BIND": "127.0.0.1",
        "ARCHI_LISTEN": f"127.0.0.1:{port}",
        **more,
    }


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Ask again and again until a condition holds; it must within so many seconds.

    By default that is what a busy machine may take to start the application's workers again.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never held"
        time.sleep(0.02)


@contextmanager
def posting(url: str, body: object) -> Iterator[socket.socket]:
    """A client that has sent a request and leaves at the end, whatever it has read by then."""
    where, content = urlsplit(url), json.dumps(body)
    with socket.create_connection((where.hostname, where.port)) as client:
        client.sendall(
            f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
        )
        yield client


class ChatApplication:
    """``python -m chatbot`` as a process of its own. Use it as a context manager.

    ``ca`` is the file of the authority that its certificate is of, where it has one.
    """

    def __init__(self, folder: Path, base_url: str, *, ca: Path | None = None, **more: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"{'https' if ca else 'http'}://127.0.0.1:{self.port}"
        self._verify = str(ca) if ca else True
        self.log = folder / "chat.log"
        write_files(folder / "files")
        self._environment = environment(folder, base_url, self.port, **more)
        self._process: subprocess.Popen[bytes] | None = None

    def told(self, **more: str) -> None:
        """Add to its environment what is known only now, such as its address."""
        self._environment |= more

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        drop_database(self.folder)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that gunicorn has forked."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def start(self) -> None:
        """Start it and wait until it is alive."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chatbot"],
                cwd=ROOT,
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + 180
        while not self._alive():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _alive(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=10, verify=self._verify).ok
        except requests.RequestException:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send its processes a signal and wait for their end."""
        if self._process is None:
            return
        if how is signal.SIGKILL:
            os.killpg(self._process.pid, how)
        else:
            self._process.send_signal(how)
        try:
            # A worker that has just been started ends when it has imported LangChain.
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise
        self._process = None


def read_events(lines: Iterator[bytes | str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The server-sent events of a stream of lines."""
    name = ""
    for raw in lines:
        line = raw.decode() if isinstance(raw, bytes) else raw
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@dataclass
class Chat:
    """The application in this process, and what a client of its API needs."""

    client: FlaskClient
    parts: Services
    folder: Path

    def new(self) -> str:
        return str(self.client.post("/api/conversations", json={}).json["id"])

    def post(self, conversation: str, **body: Any) -> TestResponse:
        return self.client.post(f"/api/conversations/{conversation}/messages", json=body)

    def events(self, response: TestResponse) -> Iterator[tuple[str, dict[str, Any]]]:
        assert response.status_code == 200, response.json
        lines = (line for part in response.response for line in part.decode().split("\n"))
        return read_events(lines)

    def ask(self, conversation: str, content: str) -> dict[str, Any]:
        """Ask and wait for the end; returns the last event's data."""
        name, data = list(self.events(self.post(conversation, content=content)))[-1]
        assert name == "end"
        return data

    def import_file(self, content: bytes | str) -> TestResponse:
        raw = content.encode() if isinstance(content, str) else content
        data = {"file": (io.BytesIO(raw), "export.json")}
        return self.client.post("/api/import", data=data, content_type="multipart/form-data")

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        answer = self.client.get(f"/api/conversations/{conversation}/messages")
        assert answer.status_code == 200, answer.json
        found: list[dict[str, Any]] = answer.json["messages"]
        for parent, child in pairwise(found):
            assert child["parent_id"] == parent["id"]
        return found
