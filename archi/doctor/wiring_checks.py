"""The deployment's own wiring: its ports, its containers, and whether they find each other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from archi import render
from archi.doctor.finding import Finding
from archi.doctor.subject import SERVICES, Subject, execute, name_of
from archi.names import Names
from archi.settings import Settings

_SCRIPT = Path(__file__).parent.parent / "in_container" / "check_external.py"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_TIMED_OUT = 124


def ports(subject: Subject) -> Iterator[Finding]:
    """The ports of the settings: free, or held by the deployment itself."""
    from archi.ports import holder

    wanted = render.host_ports(subject.said)
    free = []
    for key, port in wanted.items():
        found = holder(subject.live.client, port, subject.said.name)
        if found is None:
            free.append(str(port))
            continue
        yield Finding(
            "ports",
            "problem",
            f"Port {port} ({key}) is taken by {found.who}.",
            f"stop it ({found.mend}), or choose another: `pulumi config set --path {key} PORT`",
        )
    if len(free) == len(wanted):
        said = f"Ports {', '.join(free)} are free or this deployment's." if free else "It has none."
        yield Finding("ports", "ok", said)


def containers(subject: Subject) -> Iterator[Finding]:
    """Each service's container: is it there, does it run, is it healthy."""
    name = str(subject.name)
    if not any(subject.container(role) for role in SERVICES):
        said = f"{name} is not deployed."
        yield Finding("containers", "note", said, f"`pulumi up -s {name}` deploys it.")
        return
    settings = subject.settings
    for role in ("postgres", "vllm-server", "chatbot"):
        container = subject.container(role)
        if container is not None:
            yield health(role, container, name)
        elif settings and role in settings.deployed:
            yield Finding(
                "containers",
                "problem",
                f"The container of {role} is gone.",
                f"`pulumi up --refresh -s {name}`",
            )


def health(role: str, container: Mapping[str, Any], deployment: str) -> Finding:
    """How a service's container is, from what ``docker inspect`` says."""
    state, name = container["State"], name_of(container)
    restarts = int(container.get("RestartCount") or 0)
    look = f"`docker logs --tail 50 {name}` says why; `pulumi up --refresh -s {deployment}` starts "
    look += "it and waits."
    if state.get("Restarting"):
        said = f"{role} does not stay up; Docker has restarted it {restarts} times."
        return Finding("containers", "problem", said, look)
    if not state["Running"]:
        killed = ", out of memory" if state.get("OOMKilled") else ""
        said = f"{role} does not run: it ended with exit code {state['ExitCode']}{killed}."
        return Finding("containers", "problem", said, look)
    status = (state.get("Health") or {}).get("Status", "none")
    if status == "unhealthy":
        said = f"{role} runs and does not answer (unhealthy)."
        return Finding("containers", "problem", said, look)
    if status == "starting":
        return Finding("containers", "note", f"{role} is starting.")
    if restarts:
        said = f"{role} runs, and Docker has restarted it {restarts} times."
        return Finding("containers", "warning", said, f"`docker logs {name}` says why.")
    return Finding(
        "containers", "ok", f"{role} runs{' and is healthy' if status != 'none' else ''}."
    )


def networks(subject: Subject) -> Iterator[Finding]:
    """Whether the containers are on the network on which they find each other."""
    names = Names(str(subject.name))
    found = {role: subject.container(role) for role in ("chatbot", "vllm-server", "postgres")}
    modes = {role: _host_mode(one) for role, one in found.items() if one is not None}
    up = f"`pulumi up -s {names.deployment}`"
    if len(set(modes.values())) > 1:
        on_host = ", ".join(role for role, host in modes.items() if host)
        said = f"{on_host} is on the host's network and the others are not."
        yield Finding("network", "problem", said, up)
        return
    if subject.settings and modes and subject.settings.host_mode not in modes.values():
        said = "archi:host_mode was changed and not deployed yet."
        yield Finding("network", "problem", said, up)
        return
    if True in modes.values():
        yield Finding("network", "ok", "All services are on the host's network.")
        return
    apart = [
        finding
        for role, container in found.items()
        if container is not None and (finding := on_network(role, container, names))
    ]
    yield from apart or [
        Finding("network", "ok", f"All services are on the network {names.network}.")
    ]


def on_network(role: str, container: Mapping[str, Any], names: Names) -> Finding | None:
    """What is wrong with a container's place on the deployment's network; None for nothing."""
    name = name_of(container)
    connect = f"docker network connect --alias {role} {names.network} {name}"
    joined = (container["NetworkSettings"].get("Networks") or {}).get(names.network)
    if joined is None:
        said = f"{name} is not on the network {names.network}: {_cut_off(role)}."
        return Finding("network", "problem", said, f"`{connect}`")
    if role not in (joined.get("Aliases") or ()):
        said = f"{name} is not known as {role} on the network {names.network}: {_cut_off(role)}."
        mend = f"`docker network disconnect {names.network} {name} && {connect}`"
        return Finding("network", "problem", said, mend)
    return None


def _cut_off(role: str) -> str:
    if role == "chatbot":
        return "it finds neither vLLM nor the database"
    return "the chat application does not find it"


def base_url(chat: Mapping[str, Any], settings: Settings | None, deployment: str) -> Finding:
    """Whether the chat container's VLLM_BASE_URL fits its network and the settings."""
    url = _environment(chat).get("VLLM_BASE_URL", "")
    host = urlsplit(url).hostname or ""
    up = f"`pulumi up -s {deployment}`"
    if not url:
        said = "The chat container has no VLLM_BASE_URL."
        return Finding("vllm-base-url", "problem", said, up)
    if settings and url != render.vllm_base_url(settings):
        said = f"VLLM_BASE_URL is {url}, and the stack file means {render.vllm_base_url(settings)}."
        return Finding("vllm-base-url", "problem", said, up)
    if _host_mode(chat) and host == "vllm-server":
        said = f"VLLM_BASE_URL is {url}; on the host's network vLLM is at localhost."
        return Finding("vllm-base-url", "problem", said, up)
    if not _host_mode(chat) and host in _LOCAL:
        return Finding(
            "vllm-base-url",
            "problem",
            f"VLLM_BASE_URL is {url}; in a container that is the container itself.",
            "a vLLM on this host is http://host.docker.internal:PORT/v1 in "
            "archi:services.vllm.base_url; or set archi:host_mode.",
        )
    return Finding("vllm-base-url", "ok", f"VLLM_BASE_URL is {url}.")


def reach(subject: Subject) -> Finding:
    """Ask for vLLM's models from inside the chat container, as the chat application would."""
    chat = subject.running("chatbot")
    if chat is None:
        return Finding("reach-vllm", "skipped", "The chat container does not run to ask from.")
    url = _environment(chat).get("VLLM_BASE_URL", "")
    model = subject.settings.served_model if subject.settings else ""
    if apart := _apart(url, subject):
        # Off every network a container has no DNS either: it would wait, and know no name.
        return Finding("reach-vllm", "problem", *apart)
    code, said = execute(subject, chat, ["python3", "-c", _SCRIPT.read_text(), url, model])
    return reached(url, model, code, said, subject)


def reached(url: str, model: str, code: int, said: str, subject: Subject) -> Finding:
    """What that answer means.

    Args:
        url: where vLLM was looked for.
        model: the name that the chat application asks for; empty where it is not known.
        code: exit code of the script, 124 where it took too long.
        said: its output: one JSON object.
        subject: whose wiring it is.

    """
    try:
        answer = json.loads(said.strip().splitlines()[-1])
    except (ValueError, IndexError):
        answer = {
            "cause": "unreachable" if code == _TIMED_OUT else "failed",
            "said": "it took too long",
        }
    cause = answer["cause"]
    if cause is None or (cause == "model-not-served" and not model):
        return Finding("reach-vllm", "ok", f"The chat container reaches vLLM at {url}.")
    what, mend = _why(cause, answer, url, model, subject)
    server = subject.container("vllm-server")
    starting = server and (server["State"].get("Health") or {}).get("Status") == "starting"
    if starting and server and server["State"]["Running"] and cause == "unreachable":
        return Finding("reach-vllm", "note", f"{what} It is still starting.")
    return Finding("reach-vllm", "problem", what, mend)


def _apart(url: str, subject: Subject) -> tuple[str, str] | None:
    """What is wrong, and the mend, where chat or vllm-server left the network."""
    if urlsplit(url).hostname != "vllm-server":
        return None
    for role in ("chatbot", "vllm-server"):
        one = subject.container(role)
        if (
            one
            and not _host_mode(one)
            and (left := on_network(role, one, Names(str(subject.name))))
        ):
            return f"The chat container does not reach {url}: {left.found}", left.mend
    return None


def _why(
    cause: str, answer: Mapping[str, Any], url: str, model: str, subject: Subject
) -> tuple[str, str]:
    """What is wrong between chat and vLLM, and the mend."""
    name, names = str(subject.name), Names(str(subject.name))
    server = subject.container("vllm-server")
    host = urlsplit(url).hostname
    ours = server is not None or host == "vllm-server"
    up = f"`pulumi up --refresh -s {name}`"
    if cause in ("name-unknown", "unreachable") and (apart := _apart(url, subject)):
        return apart
    if cause == "name-unknown":
        what = f"The chat container does not know the name {host}."
        if server is None or not server["State"]["Running"]:
            return what, f"{up} starts vLLM, whose name that is." if ours else "correct its name."
        return what, f"`docker restart {names.chatbot}` gives it Docker's names anew."
    if cause == "unreachable":
        said = str(answer.get("said") or "silence")
        what = f"The chat container gets no answer from {url} ({said})."
        if ours:
            return what, f"`docker logs --tail 50 {names.vllm_server}` says why; {up} restarts it."
        return what, "see that it runs, listens on more than loopback, and no firewall is between."
    if cause in ("key-missing", "key-refused"):
        what = f"vLLM at {url} does not take the chat application's API key."
        key = "`pulumi config set --secret archi:vllm_api_key` sets the right one."
        return what, f"{up} writes the key anew." if ours else key
    if cause == "model-not-served":
        served = ", ".join(answer.get("served") or ()) or "nothing"
        what = f"vLLM at {url} serves {served}, and the chat application asks for {model}."
        return what, f"`pulumi up -s {name}` makes it as the stack file says."
    if cause in ("certificate", "no-tls"):
        return f"{url} can't be spoken to by TLS ({answer.get('said')}).", (
            "a bundle with its CA in SSL_CERT_FILE, or http:// in archi:services.vllm.base_url."
        )
    what = f"What answers at {url} is no OpenAI-compatible server ({answer.get('said')})."
    return what, f"{up} brings vLLM back." if ours else "check archi:services.vllm.base_url."


def chat(subject: Subject) -> Finding:
    """Ask the chat application whether its database answers, and whether it answers itself."""
    container = subject.running("chatbot")
    if container is None:
        return Finding("database", "skipped", "The chat container does not run to ask from.")
    listen = _environment(container).get("ARCHI_LISTEN", "")
    host, _, port = listen.rpartition(":")
    host = "127.0.0.1" if host in ("", "0.0.0.0") else host  # noqa: S104 - what it listens on
    url = f"http://{host}:{port or render.CHAT_PORT}"
    curl = ["curl", "-sS", "--max-time"]
    _code, said = execute(subject, container, [*curl, "12", f"{url}/readyz"])
    if not said:
        code, _said = execute(subject, container, [*curl, "3", f"{url}/healthz"])
        if code == 0:  # it waits for an answer of vLLM's
            return Finding("database", "skipped", "The chat application did not say so in time.")
    return database(said, str(subject.name))


def database(readyz: str, deployment: str) -> Finding:
    """What the chat application's ``/readyz`` says of its database."""
    try:
        part = json.loads(readyz)["parts"]["database"]
    except (ValueError, KeyError, TypeError):
        logs = f"`docker logs --tail 50 {Names(deployment).chatbot}` says why."
        said = "The chat application does not answer in its own container."
        return Finding("database", "problem", said, logs)
    if part.get("ready"):
        return Finding("database", "ok", "The chat application reaches its database.")
    names = Names(deployment)
    return Finding(
        "database",
        "problem",
        f"The chat application does not reach its database: {part.get('reason')}",
        f"`docker logs --tail 50 {names.postgres}` says why; `pulumi up --refresh -s {deployment}` "
        "restarts it.",
    )


def _host_mode(container: Mapping[str, Any]) -> bool:
    return bool(container["HostConfig"].get("NetworkMode") == "host")


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in container["Config"].get("Env") or ())
    return {key: value for key, _, value in pairs}
