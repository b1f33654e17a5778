"""The two servers under test: how each is asked, and what a refusal tells of the wires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from archi.cli.exit_codes import ExitCode
from archi.smoke import mends, protocol
from archi.smoke.endpoints import Endpoints
from archi.smoke.mends import Side
from archi.smoke.report import Wire
from archi.smoke.transport import (
    Either,
    FromHere,
    Inside,
    NoKey,
    NoReply,
    NoWay,
    Reply,
    Request,
    Transport,
    Why,
)

_PREFLIGHT_SECONDS = 10.0
_REFUSES_KEY = (401, 403)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What the chat application says of vLLM (chatbot/model_errors.py), beside all that is model_….
_ABOUT_VLLM = ("answer_cut", "context_overflow")


class Failed(Exception):
    """A check failed, with a text for people and its mend.

    Attributes:
        code: the exit code where it is not that of the check.
        wire: the one that broke where it is not the way to the server.
        nobody: whether it is only that nobody has an account yet.

    """

    def __init__(
        self,
        said: tuple[str, str],
        *,
        code: ExitCode | None = None,
        wire: Wire | None = None,
        nobody: bool = False,
    ) -> None:
        super().__init__(said[0])
        self.detail, self.mend = said
        self.code = code
        self.wire = wire
        self.nobody = nobody


@dataclass(frozen=True)
class Server:
    """One of the two servers under test.

    Attributes:
        root: the path of its OpenAI-compatible API below the transport's address.
        wire: the way to it.
        beyond: the way that its answers prove.

    """

    service: Literal["vllm", "chat"]
    transport: Transport
    root: str
    endpoints: Endpoints

    @property
    def side(self) -> Side:
        transport = self.transport
        return Side(self.service, transport.address, transport.inside, self.endpoints)

    @property
    def wire(self) -> Wire:
        if self.service == "chat":
            return Wire.CHAT
        return Wire.BEHIND_CHAT if self.transport.inside else Wire.VLLM

    @property
    def beyond(self) -> Wire:
        return Wire.BEHIND_CHAT if self.service == "chat" else self.wire

    def ask(self, request: Request) -> Reply:
        """An answer with a good status; `Failed` for any other, and for none."""
        try:
            reply = self.transport.send(request)
        except NoKey as none:
            raise Failed(
                mends.no_key(self.side, request, none),
                code=ExitCode.SMOKE_KEY_REFUSED,
                wire=self.wire,
                nobody=none.nobody,
            ) from None
        except NoReply as none:
            raise Failed(
                mends.no_reply(self.side, request, none), code=self._lost(none.why)
            ) from None
        if reply.status in _REFUSES_KEY:
            raise Failed(
                mends.key(self.side, request, reply),
                code=ExitCode.SMOKE_KEY_REFUSED,
                wire=self.wire,
            )
        if reply.status != 200:
            error = protocol.error_of(reply)
            raise Failed(
                mends.refused(self.side, request, reply, error),
                wire=self.broken(error, reply.status),
                code=ExitCode.SMOKE_KEY_REFUSED
                if error.get("code") == "model_key_refused"
                else None,
            )
        return reply

    def _lost(self, why: Why) -> ExitCode | None:
        """The exit code where nobody was there to be asked, whatever the check."""
        if why in (Why.TIMEOUT, Why.BROKEN):
            return None
        vllm = self.service == "vllm"
        return ExitCode.SMOKE_VLLM_UNREACHABLE if vllm else ExitCode.SMOKE_CHAT_UNREACHABLE

    def no_way(self, no: NoWay) -> str:
        """Why the server can't be asked at all."""
        published = self.service == "chat" or self.endpoints.vllm_url is not None
        why = (
            "the Docker Engine is another machine's (DOCKER_HOST)"
            if published
            else "vLLM is not published on this host"
        )
        return f"{why}, and {no}"

    def get(self, path: str) -> Reply:
        return self.ask(Request("GET", path, None, _PREFLIGHT_SECONDS))

    def complete(self, body: dict[str, Any], seconds: float) -> Reply:
        return self.ask(Request("POST", f"{self.root}/chat/completions", body, seconds))

    def broken(self, error: Mapping[str, Any], status: int) -> Wire:
        """The wire that an error object tells of."""
        if self.service == "vllm":
            return self.wire
        code = error.get("code")
        if not isinstance(code, str):  # an error of vLLM's own, handed on
            return Wire.BEHIND_CHAT if isinstance(code, int) else Wire.CHAT
        about_vllm = code in _ABOUT_VLLM or (code.startswith("model_") and status != 404)
        return Wire.BEHIND_CHAT if about_vllm else Wire.CHAT


def servers(endpoints: Endpoints) -> Iterator[Server]:
    """VLLM, and the chat application where there is one."""
    yield Server("vllm", _to_vllm(endpoints), "", endpoints)
    if endpoints.chat_url:
        yield Server("chat", _to_chat(endpoints, endpoints.chat_url), "/v1", endpoints)


def _to_vllm(endpoints: Endpoints) -> Transport:
    execute, url = endpoints.execute or _no_container, endpoints.vllm_url
    if url is None:
        return Inside("vllm", execute)
    here = FromHere(url.rstrip("/"), endpoints.vllm_key)
    if "SMOKE_VLLM_BASE_URL" in endpoints.given:
        return here  # that address is asked, and no other
    if urlsplit(url).hostname not in _LOOPBACK:
        return Either(here, Inside("vllm", execute))
    # Another machine's loopback: what answers at the same port of this one is something else.
    return Inside("vllm", execute) if endpoints.elsewhere and endpoints.chat_url else here


def _to_chat(endpoints: Endpoints, url: str) -> Transport:
    here = FromHere(url.rstrip("/"), endpoints.chat_key)
    if "SMOKE_CHAT_URL" in endpoints.given:
        return here
    inside = Inside("chat", endpoints.execute or _no_container)
    if urlsplit(url).hostname not in _LOOPBACK:
        # The address that people open: this machine may be on the wrong side of a proxy.
        return Either(here, inside)
    return inside if endpoints.elsewhere else here


def _no_container(_command: object) -> str:
    raise NoWay("there is no chat application that could ask instead")
