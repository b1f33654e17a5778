"""Streams of answers over real HTTP, and the choice of the worker that serves them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import uuid4

import requests

from tests.chat_application import until


@dataclass(frozen=True)
class Event:
    """A server-sent event."""

    id: str | None
    name: str
    data: dict[str, Any]


class Stream:
    """An open stream of events. Iterate over it; close it, or use it as a context manager."""

    def __init__(self, response: requests.Response) -> None:
        assert response.status_code == 200, response.text
        self.worker = int(response.headers["X-Archi-Worker"])
        self._response = response
        self._events = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def next(self) -> Event:
        return next(self._events)

    def _read(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for raw in self._response.iter_lines(chunk_size=None):
            name, _, value = raw.decode().partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield Event(fields.get("id"), fields["event"], json.loads(fields["data"]))
                fields = {}


def held(stream: Stream) -> tuple[str, str]:
    """Read a held answer up to its first token; returns its conversation's and its message's id."""
    start = stream.next()
    assert start.name == "start"
    assert stream.next().data == {"content": "Hello"}
    return start.data["conversation"]["id"], start.data["answer"]["id"]


class Application(Protocol):
    """A chat application that runs somewhere."""

    @property
    def url(self) -> str: ...


class Caller:
    """A client whose requests all reach the same worker: it keeps one connection."""

    def __init__(self, application: Application) -> None:
        self.url = application.url
        self._session = requests.Session()
        # An unknown message: the answer says which worker it is.
        self.worker = int(self.stop(str(uuid4())).headers["X-Archi-Worker"])

    def go_on(self, message: str) -> Stream:
        url = f"{self.url}/api/messages/{message}/continue"
        return Stream(self._session.post(url, json={}, stream=True, timeout=60))

    def stop(self, message: str) -> requests.Response:
        url = f"{self.url}/api/messages/{message}/stop"
        return self._session.post(url, json={}, timeout=60)

    def delete(self, conversation: str) -> requests.Response:
        return self._session.delete(f"{self.url}/api/conversations/{conversation}", timeout=60)

    def conversation(self) -> str:
        made = self._session.post(f"{self.url}/api/conversations", json={}, timeout=60)
        return str(made.json()["id"])

    def post(self, conversation: str, content: str = "Hello?") -> requests.Response:
        url = f"{self.url}/api/conversations/{conversation}/messages"
        return self._session.post(url, json={"content": content}, stream=True, timeout=60)

    def send(self, conversation: str, body: Iterable[bytes]) -> requests.Response:
        """Ask with a body that comes in pieces, after the request's head."""
        url = f"{self.url}/api/conversations/{conversation}/messages"
        kind = {"Content-Type": "application/json"}
        return self._session.post(url, data=body, headers=kind, stream=True, timeout=60)

    def ask(self, content: str = "Hello?") -> Stream:
        return Stream(self.post(self.conversation(), content))

    def complete(self) -> requests.Response:
        body = {"messages": [{"role": "user", "content": "Hello?"}]}
        return self._session.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)

    def follow(self, message: str, after: str | None = None) -> Stream:
        url = f"{self.url}/api/messages/{message}/events"
        headers = {} if after is None else {"Last-Event-ID": after}
        return Stream(self._session.get(url, headers=headers, stream=True, timeout=60))

    def messages(self, conversation: str) -> list[dict[str, Any]]:
        url = f"{self.url}/api/conversations/{conversation}/messages"
        found: list[dict[str, Any]] = self._session.get(url, timeout=60).json()["messages"]
        return found


def caller_elsewhere(application: Application, worker: int) -> Caller:
    """A client of another worker than this one, which may be starting."""
    caller = Caller(application)

    def found() -> bool:
        nonlocal caller
        if caller.worker == worker:
            caller = Caller(application)
        return caller.worker != worker

    until(found)
    return caller
