"""What the smoke test asks here: a scripted vLLM, the real chat application before it, and a
server that answers whatever a test says."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from archi.smoke import Endpoints
from tests.chat_application import ChatApplication
from tests.scripted_vllm import MODEL, ScriptedVllm


@dataclass
class Page:
    """What is answered at a path; ``cut`` promises more bytes than come."""

    status: int = 200
    content: str = "{}"
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class Desk(ThreadingHTTPServer):
    """Answers ``pages`` by path, to who has ``key`` where one is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key: str | None = None
        self.keys_seen: list[str] = []
        self.pages: dict[str, Page] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Desk

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        self.server.keys_seen.append(key)
        page = self.server.pages.get(self.path, Page(404, '{"detail": "Not Found"}'))
        if self.server.key not in (None, key):
            page = Page(401, '{"error": "Unauthorized"}')
        content = page.content.encode()
        self.send_response(page.status)
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(content) + page.cut))
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    do_POST = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="session")
def _servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ScriptedVllm, ChatApplication]]:
    folder = tmp_path_factory.mktemp("smoke")
    with ScriptedVllm() as vllm, ChatApplication(folder, vllm.base_url) as chat:
        yield vllm, chat


@pytest.fixture
def vllm(_servers: tuple[ScriptedVllm, ChatApplication]) -> Iterator[ScriptedVllm]:
    yield _servers[0]
    _servers[0].api_key = None
    _servers[0].reset()


@pytest.fixture
def chat(vllm: ScriptedVllm, _servers: tuple[ScriptedVllm, ChatApplication]) -> ChatApplication:
    return _servers[1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address that nobody listens at, nor can while the test runs: its port is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def endpoints(vllm: ScriptedVllm, chat: ChatApplication) -> Endpoints:
    """Of a deployment with a chat application and a vLLM that is published."""
    return of(chat_url=chat.url, vllm_url=vllm.base_url)


def of(**given: Any) -> Endpoints:
    return Endpoints(**{"model": MODEL, "deployment": "bot", **given})
