"""The smoke test, against small servers that answer as vLLM and the chat application do."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from archi.smoke import Endpoints, SmokeError, run


class Server(ThreadingHTTPServer):
    """Serves ``model``; asks for ``key`` where one is set."""

    model = "o/m"
    key: str | None = None
    message: dict[str, Any] = {"content": "Hello."}  # noqa: RUF012 - a default

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def _answer(self, body: object) -> None:
        allowed = self.server.key in (
            None,
            self.headers.get("Authorization", "").removeprefix("Bearer "),
        )
        content = json.dumps(body if allowed else {"error": "Unauthorized"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self._answer({"data": [{"id": self.server.model}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"choices": [{"message": self.server.message}]})

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def endpoints(server: Server, **changes: Any) -> Endpoints:
    given = {"chat_url": server.url, "vllm_url": f"{server.url}/v1", "model": "o/m"}
    return Endpoints(**{**given, **changes})


def test_an_answer_through_the_chat_application_is_the_proof(server: Server) -> None:
    said: list[str] = []
    assert run(endpoints(server), said.append) == "Hello."
    assert said[0].startswith("vLLM serves o/m")
    assert said[1].startswith("an answer came through the chat application")


def test_a_model_that_only_reasons_in_so_few_tokens_has_answered(server: Server) -> None:
    server.message = {"content": None, "reasoning": "The user greets me"}
    assert run(endpoints(server), lambda _line: None) == "The user greets me"


def test_an_empty_answer_is_none(server: Server) -> None:
    server.message = {"content": "  "}
    with pytest.raises(SmokeError, match="gave an empty answer"):
        run(endpoints(server), lambda _line: None)


def test_another_model_than_the_stacks_is_named(server: Server) -> None:
    server.model = "o/other"
    with pytest.raises(SmokeError, match="serves o/other, not o/m"):
        run(endpoints(server), lambda _line: None)


def test_the_key_is_sent_only_where_one_is_asked_for(server: Server) -> None:
    server.key = "a-key"
    assert run(endpoints(server, vllm_key=lambda: "a-key"), lambda _line: None) == "Hello."
    with pytest.raises(SmokeError, match="SMOKE_VLLM_API_KEY"):
        run(endpoints(server), lambda _line: None)


def test_a_vllm_that_is_not_published_is_proved_by_the_answer(server: Server) -> None:
    said: list[str] = []
    run(endpoints(server, vllm_url=None), said.append)
    assert said[0].startswith("vLLM is not published")


def test_a_model_server_alone_is_asked_itself(server: Server) -> None:
    said: list[str] = []
    run(endpoints(server, chat_url=None), said.append)
    assert said[1].startswith("an answer came from vLLM")


def test_what_cannot_be_reached_is_named_with_where_to_look() -> None:
    nowhere = Endpoints("http://127.0.0.1:9", "http://127.0.0.1:9/v1", "o/m")
    with pytest.raises(SmokeError, match=r"http://127\.0\.0\.1:9/v1/models can't be reached"):
        run(nowhere, lambda _line: None)
