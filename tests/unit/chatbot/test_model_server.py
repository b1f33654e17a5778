from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest

from chatbot.failures import Failure
from chatbot.model.server import ModelServer, http_client

MODEL = "org/model"
UNREACHABLE = "model_unreachable"


class _Server(httpx2.AsyncBaseTransport):
    """Fails with each of the errors in turn, and lists the model for None and after them."""

    def __init__(self, *errors: Exception | None) -> None:
        self.asked = 0
        self._errors = errors

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self.asked <= len(self._errors) and (error := self._errors[self.asked - 1]):
            raise error
        listed = {"data": [{"id": MODEL, "max_model_len": 4096}]}
        return httpx2.Response(200, json=listed, request=request)


def _contexts(server: _Server, *, look_between: bool = False) -> list[int | str | None]:
    """Ask twice for the context, a code where that fails; the page's look at the model between."""

    async def ask() -> list[int | str | None]:
        found: list[int | str | None] = []
        async with httpx2.AsyncClient(transport=server) as client:
            model_server = ModelServer("http://vllm-server:8000/v1", client)
            for turn in range(2):
                if turn and look_between:
                    await model_server.served(MODEL)
                try:
                    found.append(await model_server.context_length(MODEL))
                except Failure as failure:
                    found.append(failure.code)
        return found

    return asyncio.run(ask())


def test_a_silent_server_is_not_waited_for_twice() -> None:
    server = _Server(httpx2.ReadTimeout("silent"))
    assert _contexts(server) == [None, None]
    assert server.asked == 1


def test_what_a_silent_server_said_before_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatbot.model.server._FRESH", 0)
    server = _Server(None, httpx2.ReadTimeout("silent"))
    assert _contexts(server) == [4096, 4096]
    assert server.asked == 2


def test_a_server_that_answers_again_is_asked_again() -> None:
    server = _Server(httpx2.ReadTimeout("silent"))
    assert _contexts(server, look_between=True) == [None, 4096]


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.ReadError("reset")])
def test_a_connection_that_is_refused_or_broken_is_tried_again_at_once(error: Exception) -> None:
    server = _Server(error)
    assert _contexts(server) == [UNREACHABLE, 4096]


@pytest.mark.parametrize(
    ("base_url", "code"),
    [
        ("http://vllm-server:8000/v1", "model_not_running"),
        ("https://models.example.org/v1", UNREACHABLE),
    ],
)
def test_a_name_that_is_unknown_is_a_container_that_does_not_run(
    base_url: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    async def ask() -> Failure | None:
        async with http_client(base_url, "EMPTY") as client:
            return await ModelServer(base_url, client).mismatch(MODEL)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    failure = asyncio.run(ask())
    assert failure is not None
    assert failure.code == code
    assert "its name is not known" in failure.message
