"""Why a check failed, in words, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from archi.names import Names
from archi.smoke.endpoints import Endpoints
from archi.smoke.transport import NoKey, NoReply, Reply, Request, Why

_NO_REPLY = {
    Why.REFUSED: "nothing listens there",
    Why.NAME_UNKNOWN: "the name of its host is not known",
    Why.CERTIFICATE: "its TLS certificate is not trusted",
    Why.NO_TLS: "it does not speak TLS",
    Why.BROKEN: "the connection broke before an answer came",
}


@dataclass(frozen=True)
class Side:
    """One of the two servers, in words.

    Attributes:
        service: which one.
        address: where it is asked.
        inside: whether it is asked from the chat container.

    """

    service: Literal["vllm", "chat"]
    address: str
    inside: bool
    endpoints: Endpoints

    @property
    def variable(self) -> str:
        """The variable that says where it is."""
        return {"vllm": "SMOKE_VLLM_BASE_URL", "chat": "SMOKE_CHAT_URL"}[self.service]

    @property
    def container(self) -> str:
        """Its container, where it is the deployment's own."""
        names = Names(self.endpoints.deployment)
        return {"vllm": names.vllm_server, "chat": names.chatbot}[self.service]

    @property
    def external(self) -> bool:
        """Whether it runs where we know nothing of it."""
        host = urlsplit(self.address).hostname or ""
        local = host in ("localhost", "127.0.0.1", "::1", "vllm-server")
        return not local


def no_reply(side: Side, request: Request, none: NoReply) -> tuple[str, str]:
    """What to say where no answer came, and the mend."""
    url = side.address + request.path
    if none.why is Why.TIMEOUT:
        said = f"{url} did not answer within {request.seconds:g} s"
        return said, late(side)
    mends = {
        Why.CERTIFICATE: "name a bundle that has its CA in SSL_CERT_FILE, or correct the "
        "certificate.",
        Why.NO_TLS: f"write http:// in {side.variable}, or see that it speaks TLS.",
    }
    return f"{url} can't be reached ({_NO_REPLY[none.why]})", mends.get(none.why) or _where(side)


def no_way(side: Side) -> str:
    """The mend where the chat application of another machine can't be asked in its container."""
    return f"{_look(side)} Or bring its port here by `ssh -L`, and say so in {side.variable}."


def late(side: Side) -> str:
    """The mend where an answer takes too long."""
    return f"{_look(side)} It may be busy or hang; `--timeout` waits longer."


def broken(side: Side) -> str:
    """The mend where an answer is not whole."""
    between = (
        f" A proxy between may cut long answers: {side.variable} can name the service itself."
        if side.variable in side.endpoints.given
        else ""
    )
    return _look(side) + between


def empty() -> str:
    """The mend where the model says nothing that the protocol carries."""
    return (
        "the chat template or the reasoning parser may not fit the model: leave "
        "services.vllm.chat_template and services.vllm.reasoning_parser out, or set them right."
    )


def refused(side: Side, request: Request, reply: Reply, error: dict[str, Any]) -> tuple[str, str]:
    """What to say of an answer with an error status, and the mend."""
    url = side.address + request.path
    if reply.location:
        leads = f"{url} answered {reply.status}: it leads to {reply.location}"
        return leads, f"a login, or another address: write the service's own in {side.variable}."
    said = f"{url} answered {reply.status}: {error['message']}"
    if step := error.get("next_step"):
        return said, str(step)
    if reply.status == 404 and request.path == "/models":
        return said, f"{side.variable} must end in /v1, as http://localhost:8000/v1 does."
    return said, _where(side) if request.path == "/healthz" else _look(side)


def no_key(side: Side, request: Request, none: NoKey) -> tuple[str, str]:
    """What to say where the chat application wants a key and gives none, and the mend."""
    said = f"{side.address}{request.path} asks for an API key, and {none}"
    if none.nobody:
        return said, f"`archi user add PERSON -n {side.endpoints.deployment} --admin`."
    return said, f"SMOKE_CHAT_API_KEY=… in the environment. {_look(side)}"


def key(side: Side, request: Request, reply: Reply) -> tuple[str, str]:
    """What to say where the server wants a key, or another one, and the mend."""
    url = side.address + request.path
    variable = {"vllm": "SMOKE_VLLM_API_KEY", "chat": "SMOKE_CHAT_API_KEY"}[side.service]
    if side.inside and side.service == "vllm":
        return (
            f"{url} does not take the deployment's API key",
            "`pulumi config set --secret archi:vllm_api_key`, then `pulumi up`.",
        )
    if reply.key_sent:
        return (
            f"{url} does not take the API key that was sent",
            f"{variable}=… in the environment, with the key that it was started with.",
        )
    why = (
        " (The deployment's own key is not sent to other machines.)"
        if side.service == "vllm" and side.external
        else ""
    )
    return f"{url} asks for an API key.", f"{variable}=… in the environment.{why}"


def not_served(side: Side, served: list[str]) -> tuple[str, str]:
    """What to say where the model is not listed, and the mend."""
    wanted = side.endpoints.model
    said = f"{side.address} serves {', '.join(served) or 'nothing'}, not {wanted}"
    if "SMOKE_VLLM_MODEL" not in side.endpoints.given:
        return said, "`pulumi up` makes the deployment what the stack file says."
    if served:
        return said, f"SMOKE_VLLM_MODEL={served[0]}, or leave it out to expect what the stack says."
    return said, _look(side)


def _where(side: Side) -> str:
    """Where to look when nothing is there."""
    if side.variable in side.endpoints.given:
        return (
            f"{side.variable} says that address: correct it, or leave it out to take the stack's. "
            f"{_look(side)}"
        )
    if side.endpoints.elsewhere and not side.inside:
        port = urlsplit(side.address).port
        return (
            "the Docker host is elsewhere (DOCKER_HOST), and its ports are its own: "
            f"`ssh -L {port}:localhost:{port} HOST` brings this one here."
        )
    return _look(side)


def _look(side: Side) -> str:
    if side.external:
        return "look at its log, where it runs; see that this machine may reach it."
    deployment, container = side.endpoints.deployment, side.container
    return (
        f"`docker ps` shows whether {container} runs, `docker logs {container}` what it says; "
        f"`pulumi up --refresh -s {deployment}` brings it back."
    )
