"""How a container differs from what Pulumi made it with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from archi.deployments.pulumi_state import is_secret
from archi.drift.difference import Difference
from archi.drift.shown import flags, pair, show_flag, show_variable, variables
from archi.drift.values import Found, values, whole
from archi.names import LABEL_DEPLOYMENT, LABEL_SECRETS

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""Name of a volume that nobody named: an image asked for it."""


def of_container(
    service: str,
    inputs: Mapping[str, Any],
    attrs: Mapping[str, Any],
    image_environment: Sequence[str] | None = (),
    *,
    recreate: str,
) -> list[Difference]:
    """How a container differs from what Pulumi made it with.

    Args:
        service: its name, for people.
        inputs: of the container resource in the state, in Pulumi's camelCase.
        attrs: of the container, as Docker's API has them.
        image_environment: the variables that its image sets, as ``NAME=value``; None where that is
            not known, and then variables that were added are not looked for.
        recreate: the mend for what only a new container takes up.

    """
    found = [
        Difference(service, what, expected, now, recreate)
        for what, expected, now in (
            *(one for part in _PARTS for one in part(inputs, attrs)),
            *_environment(inputs, attrs, image_environment),
        )
    ]
    return found + _networks(service, inputs, attrs, recreate)


def foreign(service: str, name: str, deployment: str, owner: str | None) -> Difference:
    """A container that has the service's name and isn't this deployment's."""
    return Difference(
        service,
        f"container {name}",
        f"labelled {LABEL_DEPLOYMENT}={deployment}",
        f"of the deployment {owner}" if owner else "somebody else's",
        f"rename or remove it, then `pulumi up --refresh -s {deployment}`.",
    )


def _labels(inputs: Mapping[str, Any], attrs: Mapping[str, Any]) -> Found:
    now = attrs["Config"].get("Labels") or {}
    for label in inputs.get("labels") or ():
        name, value = label["label"], label["value"]
        if is_secret(value) or now.get(name) == value:
            continue
        # The mark of secrets tells a person nothing.
        yield f"label {name}", *pair(value, now.get(name), show=name != LABEL_SECRETS)


def _environment(
    inputs: Mapping[str, Any], attrs: Mapping[str, Any], image: Sequence[str] | None
) -> Found:
    wanted = variables(one for one in inputs.get("envs") or () if not is_secret(one))
    given = variables(image or ())
    now = variables(attrs["Config"].get("Env") or ())
    for name in sorted(wanted if image is None else wanted.keys() | now.keys()):
        expected, found = wanted.get(name, given.get(name)), now.get(name)
        if expected == found:
            continue
        # Nobody knows what a variable that was added by hand holds.
        show = name in wanted and show_variable(name)
        yield f"environment variable {name}", *pair(expected, found, show=show)


def _command(inputs: Mapping[str, Any], attrs: Mapping[str, Any]) -> Found:
    for what, wanted, now in (
        ("command", inputs.get("command"), attrs["Config"].get("Cmd")),
        ("entrypoint", inputs.get("entrypoints"), attrs["Config"].get("Entrypoint")),
    ):
        if not wanted or any(map(is_secret, wanted)) or list(wanted) == list(now or ()):
            continue
        expected, found = flags(wanted), flags(now or ())
        names = [
            name
            for name in dict.fromkeys([*expected, *found])
            if expected.get(name) != found.get(name)
        ]
        for name in names:
            both = expected.get(name), found.get(name)
            yield f"{what} {name}".rstrip(), *pair(*both, show=show_flag(name, *both))
        if not names:
            yield f"{what}, order of its words", "as deployed", "another"


def _mounts(inputs: Mapping[str, Any], attrs: Mapping[str, Any]) -> Found:
    wanted = {
        str(one["containerPath"]): _mount(
            one.get("volumeName") or one.get("hostPath"), read_only=bool(one.get("readOnly"))
        )
        for one in inputs.get("volumes") or ()
    }
    now = {
        str(one["Destination"]): _mount(
            one.get("Name") or one.get("Source"), read_only=not one.get("RW", True)
        )
        for one in attrs.get("Mounts") or ()
        if one.get("Type") != "tmpfs" and not _ANONYMOUS.fullmatch(str(one.get("Name") or ""))
    }
    for path in sorted(wanted.keys() | now.keys()):
        if wanted.get(path) != now.get(path):
            yield f"mount {path}", wanted.get(path), now.get(path)


def _ports(inputs: Mapping[str, Any], attrs: Mapping[str, Any]) -> Found:
    wanted = {
        f"{whole(one['internal'])}/{one.get('protocol') or 'tcp'}": (
            f"{one.get('ip') or '0.0.0.0'}:{whole(one.get('external')) or ''}"  # noqa: S104
        )
        for one in inputs.get("ports") or ()
    }
    now = {
        port: ", ".join(
            f"{one.get('HostIp') or '0.0.0.0'}:{one.get('HostPort') or ''}"  # noqa: S104
            for one in bindings
        )
        for port, bindings in (attrs["HostConfig"].get("PortBindings") or {}).items()
        if bindings
    }
    for port in sorted(wanted.keys() | now.keys()):
        if wanted.get(port) != now.get(port):
            yield f"port {port}", wanted.get(port), now.get(port)


_PARTS = (values, _labels, _command, _mounts, _ports)


def _networks(
    service: str, inputs: Mapping[str, Any], attrs: Mapping[str, Any], recreate: str
) -> list[Difference]:
    """Networks can be joined and left while the container runs: so can they be mended."""
    wanted = {
        str(one["name"]): [str(alias) for alias in one.get("aliases") or ()]
        for one in inputs.get("networksAdvanced") or ()
    }
    if not wanted:
        return []
    now = attrs["NetworkSettings"].get("Networks") or {}
    container = str(attrs["Name"]).lstrip("/")
    found = []
    for network, aliases in wanted.items():
        named = " ".join(f"--alias {alias}" for alias in aliases)
        join = f"docker network connect {named} {network} {container}".replace("  ", " ")
        if network not in now:
            found.append(Difference(service, f"network {network}", "joined", "left", f"`{join}`."))
            continue
        missing = [alias for alias in aliases if alias not in (now[network].get("Aliases") or ())]
        if missing:
            leave = f"docker network disconnect {network} {container}"
            found.append(
                Difference(
                    service,
                    f"alias on network {network}",
                    ", ".join(missing),
                    None,
                    f"`{leave} && {join}`.",
                )
            )
    found += [
        Difference(
            service,
            f"network {network}",
            None,
            "joined",
            f"`docker network disconnect {network} {container}`, unless it is meant so.",
        )
        for network in sorted(now.keys() - wanted.keys())
    ]
    return found


def _mount(source: object, *, read_only: bool) -> str:
    return f"{source}, read-only" if read_only else str(source)
