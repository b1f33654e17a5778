"""The script that runs inside vllm-server, against a server of the test's own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from archi.project import ROOT

SCRIPT = ROOT / "archi" / "in_container" / "vllm_health.py"


class Server(ThreadingHTTPServer):
    asked: list[dict[str, object]]
    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self, body: dict[str, object]) -> None:
        self.server.asked.append({"path": self.path, **body})
        content = b'{"data": []}'
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def run(port: int, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), "--port", str(port), *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        # A proxy in the environment is for the outside.
        env={"http_proxy": "http://127.0.0.1:9", "PATH": ""},
    )


def test_it_asks_what_the_seed_asks(server: Server) -> None:
    assert run(server.server_port).returncode == 0
    assert [asked["path"] for asked in server.asked] == ["/v1/models"]


def test_an_error_is_a_failure_and_is_told(server: Server) -> None:
    server.status = 503
    done = run(server.server_port)
    assert done.returncode == 1
    assert "HTTP 503" in done.stdout


def test_silence_is_a_failure() -> None:
    done = run(9)
    assert done.returncode == 1
    assert "refused" in done.stdout


def test_the_warm_up_is_one_token_with_a_tool(server: Server) -> None:
    assert run(server.server_port, "--warm-up", "o/m").returncode == 0
    [asked] = server.asked
    assert asked["path"] == "/v1/chat/completions"
    assert asked["model"] == "o/m"
    assert asked["max_tokens"] == 1
    assert asked["tools"]
