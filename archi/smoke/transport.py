"""How a request gets to a server: from this machine, or from inside the chat container."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

_SCRIPT = Path(__file__).parent.parent / "in_container" / "ask.py"
_REFUSES_KEY = (401, 403)


class Why(StrEnum):
    """Why no answer came, or why one ended early."""

    REFUSED = "refused"
    NAME_UNKNOWN = "name-unknown"
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    NO_TLS = "no-tls"
    BROKEN = "broken"


class NoReply(Exception):
    """No answer came."""

    def __init__(self, why: Why, said: str, seconds: float = 0.0) -> None:
        super().__init__(said)
        self.why = why
        self.seconds = seconds


class NoKey(Exception):
    """The server wants an API key, and none is to be had; the text says why.

    Attributes:
        nobody: whether it is for want of an account that could have one.

    """

    def __init__(self, said: str, *, nobody: bool = False) -> None:
        super().__init__(said)
        self.nobody = nobody


class NoWay(Exception):
    """There is no such way to the server; the text says why."""


@dataclass(frozen=True)
class Request:
    """What is asked.

    Attributes:
        path: below the server's address, ``/models``.
        body: sent as JSON; None for none.
        seconds: how long the answer may take, to its end.

    """

    method: Literal["GET", "POST"]
    path: str
    body: dict[str, Any] | None
    seconds: float


@dataclass(frozen=True)
class Reply:
    """What came back, whole; a stream too is read to its end.

    Attributes:
        text: the body as far as it came.
        first: seconds until the body began.
        cut: why the body ended early, None where it came to its end.
        location: where a redirect leads.
        key_sent: whether the request bore an API key.

    """

    status: int
    content_type: str
    text: str
    first: float
    cut: Why | None
    location: str = ""
    key_sent: bool = False


class Transport(Protocol):
    """One way to one server."""

    @property
    def address(self) -> str:
        """The server's address, for messages."""

    @property
    def inside(self) -> bool:
        """Whether it is the chat container that asks."""

    @property
    def detour(self) -> str:
        """Why it is not this machine that asks; empty where nothing is to be said of it."""

    def send(self, request: Request) -> Reply:
        """Ask and read the whole answer.

        Raises:
            NoReply: none came.
            NoWay: the server can't be asked in this way.
            NoKey: it wants a key, and there is none.

        """


@dataclass
class FromHere:
    """HTTP from this machine.

    Attributes:
        address: without a slash at its end.
        key: gives the API key, or raises `NoKey`; it is asked and sent only where the server wants
            one.

    """

    address: str
    key: Callable[[], str | None] = field(default=lambda: None, repr=False)
    _known_key: str | None = field(default=None, repr=False)

    inside = False
    detour = ""

    def __post_init__(self) -> None:
        """Load what sends, so that no check's time has that in it."""
        import requests  # noqa: F401 - it takes its time

    def send(self, request: Request) -> Reply:
        """See `Transport`."""
        reply = self._once(request)
        if reply.status in _REFUSES_KEY and not self._known_key and (key := self.key()):
            self._known_key = key
            reply = self._once(request)
        return reply

    def _once(self, request: Request) -> Reply:
        import requests

        begin = time.monotonic()
        headers = {"Authorization": f"Bearer {self._known_key}"} if self._known_key else {}
        url = self.address + request.path
        session = requests.Session()
        session.trust_env = False  # no key of ~/.netrc, and a proxy only for what is elsewhere
        session.proxies = _proxies(url)
        session.verify = _ca_bundle() or True
        try:
            with session.request(
                request.method,
                url,
                json=request.body,
                headers=headers,
                timeout=request.seconds,
                stream=True,
                allow_redirects=False,  # an API key goes where it is meant to go, and no further
            ) as response:
                return self._read(response, begin, request.seconds)
        except requests.RequestException as error:
            raise NoReply(_why(error), str(error), time.monotonic() - begin) from None
        except (ValueError, UnicodeError) as error:  # a host or a key that can't be sent at all
            raise NoReply(Why.NAME_UNKNOWN, str(error)) from None

    def _read(self, response: requests.Response, begin: float, seconds: float) -> Reply:
        import requests

        pieces: list[bytes] = []
        first, cut = 0.0, None
        try:
            for piece in response.iter_content(None):
                first = first or time.monotonic() - begin
                pieces.append(piece)
                if time.monotonic() - begin > seconds:
                    cut = Why.TIMEOUT
                    break
        except requests.RequestException as error:
            cut = Why.TIMEOUT if "timed out" in str(error) else Why.BROKEN
        return Reply(
            status=response.status_code,
            content_type=response.headers.get("Content-Type", ""),
            text=b"".join(pieces).decode(errors="replace"),
            first=first,
            cut=cut,
            location=response.headers.get("Location", ""),
            key_sent=self._known_key is not None,
        )


@dataclass
class Inside:
    """By a command in the chat container, with the addresses and the key that it has.

    Attributes:
        service: which server is asked.
        execute: runs a command in the container and gives its output; raises `NoWay` where that
            can't be.
        address: known once it has been asked.

    """

    service: Literal["vllm", "chat"]
    execute: Callable[[Sequence[str]], str]
    address: str = ""

    inside = True
    detour = ""

    def send(self, request: Request) -> Reply:
        """See `Transport`."""
        body = [] if request.body is None else [json.dumps(request.body)]
        words = [self.service, request.method, request.path, str(request.seconds), *body]
        answer = _inside(self.execute, words)
        self.address = str(answer["address"])
        _refuse_no_key(answer)
        if "why" in answer:
            raise NoReply(Why(answer["why"]), answer["said"])
        cut = answer["cut"] and Why(answer["cut"])
        return Reply(
            answer["status"],
            answer["content_type"],
            answer["text"],
            answer["first"],
            cut,
            key_sent=bool(answer.get("key_sent")),
        )


def chat_key(execute: Callable[[Sequence[str]], str]) -> str:
    """A key for the chat application that is good for some minutes, made in its container.

    Raises:
        NoKey: there is none to be had.
        NoWay: nothing can be run there.

    """
    answer = _inside(execute, ["key"])
    _refuse_no_key(answer)
    return str(answer["key"])


def _inside(execute: Callable[[Sequence[str]], str], words: Sequence[str]) -> dict[str, Any]:
    """What the script says that is run in the chat container."""
    said = execute(["python3", "-c", _SCRIPT.read_text(), *words])
    try:
        return dict(json.loads(said.strip().splitlines()[-1]))
    except (ValueError, IndexError):
        raise NoWay(f"the chat container could not ask: {said.strip()[-300:]}") from None


def _refuse_no_key(answer: dict[str, Any]) -> None:
    if answer.get("why") in ("no-key", "no-account"):
        raise NoKey(str(answer["said"]), nobody=answer["why"] == "no-account")


@dataclass
class Either:
    """From this machine, and from inside where this machine gets no answer at all.

    Attributes:
        detour: why the other way was taken; empty while the first one serves.

    """

    here: Transport
    other: Transport
    detour: str = ""
    _reached: bool = False

    @property
    def address(self) -> str:
        """That of the way which is taken."""
        return (self.other if self.detour else self.here).address

    @property
    def inside(self) -> bool:
        """See `Transport`."""
        return bool(self.detour)

    def send(self, request: Request) -> Reply:
        """See `Transport`."""
        if self.detour:
            return self.other.send(request)
        try:
            reply = self.here.send(request)
        except NoReply:
            if self._reached:
                raise
            with contextlib.suppress(NoWay, NoReply):
                reply = self.other.send(request)
                self.detour = f"this machine does not reach {self.here.address}"
                return reply
            raise
        self._reached = True
        return reply


def direct(url: str) -> bool:
    """Whether an address is never behind a proxy: this machine, or a name without a dot."""
    host = urlsplit(url).hostname or ""
    return "." not in host or host.startswith("127.")


def _proxies(url: str) -> dict[str, str]:
    import requests.utils

    return {} if direct(url) else dict(requests.utils.get_environ_proxies(url))


def _ca_bundle() -> str | None:
    return os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")


def _why(error: requests.RequestException) -> Why:
    import requests

    said = str(error)
    if isinstance(error, requests.exceptions.SSLError):
        return Why.CERTIFICATE if "CERTIFICATE_VERIFY_FAILED" in said else Why.NO_TLS
    if isinstance(error, requests.Timeout) or "timed out" in said:
        return Why.TIMEOUT
    for text, why in (
        ("NameResolutionError", Why.NAME_UNKNOWN),
        ("Failed to resolve", Why.NAME_UNKNOWN),
        ("Failed to parse", Why.NAME_UNKNOWN),
        ("Connection refused", Why.REFUSED),
    ):
        if text in said:
            return why
    return Why.BROKEN
