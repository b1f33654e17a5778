"""What Pulumi's state says of a deployment, read without running anything where that can be.

A backend that is a folder is read as it lies there (pulumi/pulumi, pkg/backend/diy/store.go,
v3.259.0): it needs neither passphrase nor toolchain, and takes no time. Others are asked.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archi import pulumi_cli
from archi.names import LABEL_ROLE

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
_STACK = "pulumi:pulumi:Stack"
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - what marks one in every state
_ENDS = (".json", ".json.gz")


@dataclass(frozen=True)
class Gate:
    """How the deployment was waited for: as :class:`archi.readiness.Target` has it."""

    service: str
    probe: tuple[str, ...]
    warm_up: tuple[str, ...]
    timeout: float


@dataclass(frozen=True)
class StackState:
    """A stack's state.

    ``resources`` are as ``pulumi stack export`` has them; ``salt`` is that of the passphrase which
    its secrets are under, None where it is under none.
    """

    resources: tuple[Mapping[str, Any], ...]
    salt: str | None = None

    def of_type(self, type_: str) -> list[Mapping[str, Any]]:
        """The resources of a type that are there and not on their way out."""
        return [
            resource
            for resource in self.resources
            if resource.get("type") == type_ and not resource.get("delete")
        ]

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs; secret ones left out."""
        stacks = self.of_type(_STACK)
        outputs = stacks[0].get("outputs") or {} if stacks else {}
        return {key: value for key, value in outputs.items() if not is_secret(value)}

    @property
    def containers(self) -> dict[str, Mapping[str, Any]]:
        """The container resources by service."""
        found = {}
        for resource in self.of_type(CONTAINER):
            labels = resource["inputs"].get("labels") or ()
            role = next((one["value"] for one in labels if one["label"] == LABEL_ROLE), None)
            if role:
                found[str(role)] = resource
        return found

    @property
    def gates(self) -> dict[str, Gate]:
        """The readiness gates by service."""
        found = {}
        for resource in self.resources:
            if str(resource.get("type")).endswith(":Readiness") and not resource.get("delete"):
                inputs = resource["inputs"]
                gate = Gate(
                    service=inputs["service"],
                    probe=tuple(inputs["probe"]),
                    warm_up=tuple(inputs.get("warm_up") or ()),
                    timeout=float(inputs["timeout"]),
                )
                found[gate.service] = gate
        return found

    @property
    def files(self) -> dict[str, str]:
        """The content of the small files that hold no secret, by path below ``/run/archi``."""
        for resource in self.resources:
            if str(resource.get("type")).endswith(":WrittenFiles") and not resource.get("delete"):
                files = resource["inputs"].get("files") or {}
                return {} if is_secret(files) else dict(files)
        return {}

    @property
    def images(self) -> set[str]:
        """References of the images that it brought or built."""
        names = {str(one["inputs"]["image"]) for one in self.of_type(CONTAINER)}
        for resource in self.resources:
            kind = str(resource.get("type"))
            if kind.endswith(":BuiltImage"):
                names.add(str(resource["inputs"]["tag"]))
            elif kind == "docker:index/remoteImage:RemoteImage":
                names.add(str(resource["inputs"]["name"]))
        return names


def is_secret(value: object) -> bool:
    """Whether a value of a state is an encrypted one."""
    return isinstance(value, dict) and _SECRET in value


def stacks() -> set[str]:
    """Names of the stacks of ours that the backend has.

    Raises:
        Refused: the backend is no folder and can't be asked.

    """
    folder = _folder()
    if folder is None:
        listed = json.loads(pulumi_cli.prepare(None).output(["stack", "ls", "--json"]))
        return {str(entry["name"]).rsplit("/", 1)[-1] for entry in listed}
    return {
        path.name.removesuffix(end)
        for end in _ENDS
        for path in folder.glob(f"*{end}")
        if path.is_file()
    }


def read(stack: str) -> StackState | None:
    """The state of a stack; None where the backend has none.

    Raises:
        Refused: the backend is no folder and can't be asked, or the file is no state.

    """
    folder = _folder()
    if folder is not None:
        for path in (folder / f"{stack}{end}" for end in _ENDS):
            if path.exists():
                return _state(_content(path).get("checkpoint", {}).get("latest"))
        return None
    if stack not in stacks():
        return None
    pulumi = pulumi_cli.prepare(stack)
    return _state(json.loads(pulumi.output(["stack", "export", "-s", stack]))["deployment"])


def files(stack: str) -> list[Path]:
    """The files that a backend which is a folder keeps a stack's state in."""
    folder = _folder()
    paths = [] if folder is None else [folder / f"{stack}{end}" for end in _ENDS]
    return [path for path in paths if path.exists()]


def _folder() -> Path | None:
    url = pulumi_cli.places()["PULUMI_BACKEND_URL"]
    if not url.startswith("file://"):
        return None
    backend = Path(url.removeprefix("file://")).expanduser()
    return backend / ".pulumi" / "stacks" / pulumi_cli.PROJECT


def _content(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
        content: dict[str, Any] = json.loads(
            gzip.decompress(raw) if path.suffix == ".gz" else raw.decode()
        )
    except (OSError, ValueError) as error:
        raise pulumi_cli.Refused(
            f"The state {path} can't be read: {error}. Mend: {path.name}.bak beside it is the one "
            "before; copy it over."
        ) from None
    return content


def _state(latest: Mapping[str, Any] | None) -> StackState:
    latest = latest or {}
    provider = latest.get("secrets_providers") or {}
    salt = (provider.get("state") or {}).get("salt") if provider.get("type") else None
    return StackState(tuple(latest.get("resources") or ()), salt)
