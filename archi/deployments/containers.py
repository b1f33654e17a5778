"""The containers of a deployment, found by label, and how they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archi.deployments.services import NAMES
from archi.names import LABEL_DEPLOYMENT, LABEL_ROLE

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

MISSING = "missing"
"""State of a service whose container is not there."""

_NEVER = "0001-01-01"


@dataclass(frozen=True)
class ServiceState:
    """A service of a deployment, as Docker has it now.

    Attributes:
        service: its name, such as ``vllm-server``.
        container: the container's name; None where there is none.
        state: Docker's word (``running``, ``exited``, ``restarting`` …), or ``missing``.
        health: ``healthy``, ``starting`` or ``unhealthy``; None where it is not asked.
        since: since when it is in this state.
        restarts: how often its restart policy brought it back.
        exit_code: of its last end, while it does not run.
        image: as the container names it.
        url: on the host; None where nothing is published.
        created: when the container was made.

    """

    service: str
    container: str | None = None
    state: str = MISSING
    health: str | None = None
    since: datetime | None = None
    restarts: int = 0
    exit_code: int | None = None
    image: str | None = None
    url: str | None = None
    created: datetime | None = None

    @property
    def well(self) -> bool:
        """It runs, and nothing says that it does not answer."""
        return self.state == "running" and self.health in (None, "healthy")

    @property
    def starting(self) -> bool:
        return self.state == "running" and self.health == "starting"


def by_deployment(client: docker.DockerClient) -> dict[str, list[Container]]:
    """All containers that bear the label of a deployment, one-shots too, by its name."""
    found: dict[str, list[Container]] = {}
    for container in client.containers.list(
        all=True, filters={"label": LABEL_DEPLOYMENT}, ignore_removed=True
    ):
        found.setdefault(container.labels[LABEL_DEPLOYMENT], []).append(container)
    return found


def of(client: docker.DockerClient, deployment: str) -> list[Container]:
    """The containers of one deployment, one-shots too."""
    found: list[Container] = client.containers.list(
        all=True, filters={"label": f"{LABEL_DEPLOYMENT}={deployment}"}, ignore_removed=True
    )
    return found


def services(containers: Sequence[Container]) -> dict[str, Container]:
    """The containers of services among them, by service."""
    found: dict[str, Container] = {}
    for container in containers:
        role = container.labels.get(LABEL_ROLE)
        if role in NAMES:
            found[role] = container
    return found


def state_of(service: str, attrs: Mapping[str, Any]) -> ServiceState:
    """What `docker inspect` says of a service's container.

    Args:
        service: its name.
        attrs: the container's attributes as Docker's API has them.

    """
    state = attrs["State"]
    runs = state["Status"] in ("running", "paused")
    health = (state.get("Health") or {}).get("Status")
    return ServiceState(
        service=service,
        container=str(attrs["Name"]).lstrip("/"),
        state=str(state["Status"]),
        health=health if runs and health != "none" else None,
        since=moment(state["StartedAt"] if runs else state["FinishedAt"]),
        restarts=int(attrs.get("RestartCount") or 0),
        exit_code=None if runs or state["Status"] == "created" else int(state["ExitCode"]),
        image=str(attrs["Config"]["Image"]),
        url=_url(attrs),
        created=moment(attrs["Created"]),
    )


def moment(text: str | None) -> datetime | None:
    """A time as Docker writes it, in nanoseconds or with an offset; None for Docker's "never"."""
    if not text or text.startswith(_NEVER):
        return None
    head, dot, tail = text.partition(".")
    if dot:
        digits = tail[: next((at for at, one in enumerate(tail) if not one.isdigit()), len(tail))]
        text = f"{head}.{digits[:6]:0<6}{tail[len(digits) :]}"
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _url(attrs: Mapping[str, Any]) -> str | None:
    """Where the host reaches its first published port; host mode publishes none."""
    for bindings in (attrs["HostConfig"].get("PortBindings") or {}).values():
        for binding in bindings or ():
            if binding.get("HostPort"):
                return f"http://localhost:{binding['HostPort']}"
    return None
