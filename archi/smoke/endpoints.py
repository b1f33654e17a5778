"""Where a deployment answers: from its stack's outputs, overridden by SMOKE_… variables."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from archi import project, pulumi_cli
from archi.cli.exit_codes import ExitCode
from archi.names import LABEL_DEPLOYMENT, LABEL_ROLE
from archi.smoke.chat_key import ChatKey
from archi.smoke.transport import NoReply, NoWay, Why

if TYPE_CHECKING:
    from docker.models.containers import Container

PROVIDERS = ("vllm",)
"""What SMOKE_PROVIDER may name."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class SmokeError(Exception):
    """The deployment does not answer as it should; the text says what and the mend.

    Attributes:
        code: the exit code that goes with it.

    """

    def __init__(self, text: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Endpoints:
    """Where a deployment answers.

    Attributes:
        chat_url: of the chat application; None where only a model server is deployed.
        vllm_url: ends in ``/v1``; None where vLLM is not published.
        model: as clients name it.
        vllm_key: gives the API key when vLLM asks for one, None where there is none to be had.
        chat_key: likewise for the chat application; raises `NoKey` where it says why there is none.
        close: takes back what the test was given: its key.
        execute: runs a command in the chat container and gives its output; raises `NoWay`
            where that can't be.
        deployment: its name.
        given: the SMOKE_… variables that took the place of what the stack says.
        elsewhere: whether the Docker Engine is another machine's, and so are the ports.

    """

    chat_url: str | None
    vllm_url: str | None
    model: str
    vllm_key: Callable[[], str | None] = field(default=lambda: None, repr=False)
    chat_key: Callable[[], str | None] = field(default=lambda: None, repr=False)
    close: Callable[[], None] = field(default=lambda: None, repr=False)
    execute: Callable[[Sequence[str]], str] | None = None
    deployment: str = ""
    provider: str = PROVIDERS[0]
    given: frozenset[str] = frozenset()
    elsewhere: bool = False


def of_deployment(name: str, environment: Mapping[str, str] = os.environ) -> Endpoints:
    """The endpoints of a deployment from its stack's outputs, overridden by the environment.

    Where the environment names chat application, vLLM and model, the stack is not read.

    Raises:
        SmokeError: there is no such deployment, it has no outputs yet, or a variable can't be as
            it is.

    """
    provider = environment.get("SMOKE_PROVIDER") or PROVIDERS[0]
    if provider not in PROVIDERS:
        raise SmokeError(
            f"SMOKE_PROVIDER={provider} is not known; known: {', '.join(PROVIDERS)}. Mend: "
            f"SMOKE_PROVIDER={PROVIDERS[0]}, or leave it out.",
            ExitCode.REFUSED,
        )
    chat_url = _url(environment, "SMOKE_CHAT_URL")
    chat_url = chat_url and chat_url.removesuffix("/v1").rstrip("/")
    vllm_url = _url(environment, "SMOKE_VLLM_BASE_URL")
    model = environment.get("SMOKE_VLLM_MODEL", "").strip()
    vllm_key, chat_key = (_key(environment, f"SMOKE_{one}_API_KEY") for one in ("VLLM", "CHAT"))
    outputs: dict[str, Any] = {}
    docker_host = environment.get("DOCKER_HOST")
    if not (chat_url and vllm_url and model):
        outputs, docker_host = _stack(name)
    at = vllm_url or outputs.get("vllm_url")
    own = at is not None and _is_own(at, outputs.get("vllm_url"))
    chat_at = chat_url or outputs.get("chat_url")
    own_chat = chat_at is not None and _is_own(chat_at, outputs.get("chat_url"))
    made = ChatKey(lambda command: _in_chat_container(name, command))
    found = Endpoints(
        chat_url=chat_at,
        vllm_url=at,
        model=model or outputs.get("model") or "",
        vllm_key=lambda: vllm_key or (_api_key(name) if own else None),
        chat_key=lambda: chat_key or (made.get() if own_chat else None),
        close=made.revoke,
        execute=made.execute,
        deployment=name,
        provider=provider,
        given=frozenset(one for one in environment if one.startswith("SMOKE_")),
        elsewhere=_engine_elsewhere(docker_host or ""),
    )
    if not found.model or not (found.chat_url or found.vllm_url):
        raise SmokeError(
            f"The stack {name} has nothing yet that answers. Mend: `pulumi up -s {name}` first.",
            ExitCode.NOT_FOUND,
        )
    return found


def _stack(name: str) -> tuple[dict[str, Any], str | None]:
    """Its outputs, and where its Docker Engine is, as in DOCKER_HOST."""
    try:
        pulumi = pulumi_cli.prepare(name)
    except pulumi_cli.Refused as refusal:
        raise SmokeError(f"The stack {name} can't be read: {refusal}") from None
    try:
        outputs = json.loads(pulumi.output(["stack", "output", "--json", "-s", name]))
    except pulumi_cli.Refused as refusal:
        if "no stack named" not in str(refusal):
            raise SmokeError(f"The stack {name} can't be read: {refusal}") from None
        there = project.stack_file(pulumi.root, name).exists()
        raise SmokeError(
            f"The stack {name} was never deployed. Mend: `pulumi up -s {name}` first."
            if there
            else pulumi_cli.no_such_stack(pulumi.root, name),
            ExitCode.NOT_FOUND,
        ) from None
    return dict(outputs), pulumi.environment.get("DOCKER_HOST")


def _url(environment: Mapping[str, str], variable: str) -> str | None:
    given = environment.get(variable, "").strip().rstrip("/")
    if not given:
        return None
    try:
        parts = urlsplit(given)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SmokeError(
            f"{variable}={given} is no URL. Mend: write it whole, such as "
            f"{'http://localhost:7861' if 'CHAT' in variable else 'http://localhost:8000/v1'}.",
            ExitCode.REFUSED,
        )
    if parts.username or parts.password:
        raise SmokeError(
            f"{variable} has a name or a password in it, which would show. Mend: an API key goes "
            "into a variable of its own, SMOKE_VLLM_API_KEY or SMOKE_CHAT_API_KEY.",
            ExitCode.REFUSED,
        )
    return given


def _key(environment: Mapping[str, str], variable: str) -> str | None:
    key = environment.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise SmokeError(
            f"{variable} has characters that no API key has. Mend: copy the key once more.",
            ExitCode.REFUSED,
        )
    return key or None


def _is_own(url: str, stacks: str | None) -> bool:
    """Whether the deployment's own key may go there: to its own server, or to this machine."""
    return url.rstrip("/") == (stacks or "").rstrip("/") or urlsplit(url).hostname in _LOOPBACK


def _engine_elsewhere(host: str) -> bool:
    """Whether ports that the Docker Engine publishes are another machine's."""
    return bool(host) and not host.startswith("unix:") and urlsplit(host).hostname not in _LOOPBACK


def _containers(name: str, role: str | None = None) -> Iterator[Container]:
    """The running containers of a deployment.

    Raises:
        docker.errors.DockerException: the Engine does not answer.

    """
    from archi.docker_engine import connect  # the SDK takes its time to load

    labels = [f"{LABEL_DEPLOYMENT}={name}"] + ([f"{LABEL_ROLE}={role}"] if role else [])
    yield from connect().containers.list(filters={"label": labels}, ignore_removed=True)


def _api_key(name: str) -> str | None:
    """The key in the deployment's own files; None where there is none to be had."""
    from docker.errors import DockerException

    from archi.render import API_KEY, FILES_PATH

    try:
        for container in _containers(name):
            read = container.exec_run(["cat", str(FILES_PATH / API_KEY)])
            output: bytes = read.output  # type: ignore[assignment]  # it is not streamed
            if read.exit_code == 0:
                return output.decode().strip()
    except DockerException:
        return None
    return None


def _in_chat_container(name: str, command: Sequence[str]) -> str:
    """See `Endpoints.execute`."""
    import requests
    from docker.errors import DockerException

    try:
        container = next(_containers(name, "chatbot"), None)
        if container is None:
            raise NoWay("no chat application of this deployment runs that could ask instead")
        output: bytes = container.exec_run(list(command)).output  # type: ignore[assignment]
    except requests.Timeout as error:  # of the SDK: the command was silent for too long
        raise NoReply(Why.TIMEOUT, str(error)) from None
    except DockerException as error:
        raise NoWay(f"Docker can't be asked: {error}") from None
    return output.decode(errors="replace")
