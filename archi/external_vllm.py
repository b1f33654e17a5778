"""A vLLM that runs elsewhere: does it answer, take the key and serve the model?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi.diagnosis import last_error
from archi.names import Names

if TYPE_CHECKING:
    import docker

_SCRIPT = Path(__file__).parent / "in_container" / "check_external.py"

# What the script names as cause: what happened, and what to change.
_CAUSES = {
    "name-unknown": (
        "its host's name is not known on the deployment's network",
        "check archi:services.vllm.base_url; a name that only this machine knows (/etc/hosts) is "
        "not known in a container: write the address instead, or set archi:host_mode",
    ),
    "unreachable": (
        "nothing answers there",
        "see that it runs, that it listens on an address that other machines reach (vLLM's --host) "
        "and that no firewall is between",
    ),
    "certificate": (
        "its TLS certificate is not trusted",
        "name a bundle that has its CA in SSL_CERT_FILE (images are built with it), or correct the "
        "certificate",
    ),
    "no-tls": (
        "it does not speak TLS",
        "write http:// in archi:services.vllm.base_url",
    ),
    "key-missing": (
        "it asks for an API key",
        "`pulumi config set --secret archi:vllm_api_key`",
    ),
    "key-refused": (
        "it does not take the API key",
        "set the right one: `pulumi config set --secret archi:vllm_api_key`",
    ),
    "no-vllm": (
        "what answers there is no OpenAI-compatible server",
        "check archi:services.vllm.base_url, whose path ends in /v1",
    ),
}


class ExternalVllmError(Exception):
    """The vLLM elsewhere can't be used; the text says why and what to change."""


@dataclass(frozen=True)
class ExternalVllm:
    """What is asked, and from where.

    Attributes:
        deployment: name of the deployment that asks.
        image: the chat application's image.
        network: name of the network on which the chat application will be; ``host`` in host mode.
        files: volume with the deployment's files, the key among them, and ``folder`` to see it at.
        base_url: ends in ``/v1``.
        model: the name under which the model is to be served.

    """

    deployment: str
    image: str
    network: str
    files: str
    folder: str
    base_url: str
    model: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> ExternalVllm:
        """From a mapping that holds these keys, and perhaps others."""
        return cls(**{key: values[key] for key in cls.__dataclass_fields__})


def check(client: docker.DockerClient, asked: ExternalVllm) -> None:
    """Ask by a one-shot of the chat image: what it can reach, the chat application can.

    Raises:
        ExternalVllmError: with the cause and its mend.

    """
    from archi.oneshot import OneShot, run

    names = Names(asked.deployment)
    result = run(
        client,
        OneShot(
            name=names.one_shot("external-vllm"),
            image=asked.image,
            command=["python3", "-c", _SCRIPT.read_text(), asked.base_url, asked.model],
            labels=names.labels("external-vllm"),
            volumes={asked.files: f"{asked.folder}:ro"},
            options={
                "network": asked.network,
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
                "extra_hosts": extra_hosts(asked.base_url),
            },
        ),
    )
    if problem := _problem(asked, result.lines):
        raise ExternalVllmError(problem)


HOST_GATEWAY = "host.docker.internal"
"""The Docker host's name for containers, which Docker on Linux knows only if told to."""


def extra_hosts(base_url: str) -> dict[str, str]:
    """The names that a container must be told to reach ``base_url``."""
    return {HOST_GATEWAY: "host-gateway"} if HOST_GATEWAY in base_url else {}


def _problem(asked: ExternalVllm, lines: tuple[str, ...]) -> str | None:
    head = f"The vLLM at {asked.base_url} (archi:services.vllm.base_url) can't be used:"
    try:
        answer = json.loads(lines[-1] if lines else "")
    except json.JSONDecodeError:
        return f"{head} the check itself failed: {last_error(lines)}."
    cause = answer["cause"]
    if cause is None:
        return None
    if cause == "model-not-served":
        served = ", ".join(answer["served"]) or "no model at all"
        return (
            f"{head} it serves {served}, not {asked.model}.\nMend: set archi:services.vllm.model "
            "(or served_model_name, where it goes by another name there) to what it serves."
        )
    what, mend = _CAUSES[cause]
    return f"{head} {what}.\nMend: {mend}.\nThe try said: {answer['said']}"
