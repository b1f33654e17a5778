"""The readiness gate: what depends on it starts when the service before it really answers."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import ReadResult, Resource

from components.dynamic import Provider, done, say, undone


class ReadinessProvider(Provider):
    """Waits by ``docker exec`` inside the container: one path for bridge, host mode and remote."""

    keys = ("container", "probe", "warm_up", "timeout")
    names = "service"

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the service answers right now; a dead one makes the next ``up`` wait again."""
        from docker.errors import NotFound

        from archi.docker_engine import connect
        from archi.readiness import answers

        try:
            ready = answers(connect().containers.get(props["container"]), props["probe"])
        except NotFound:
            ready = False
        return ReadResult(id_, done(props)) if ready else undone(id_, props)

    def work(self, props: dict[str, Any]) -> None:
        """Wait until the service answers; raises ``NotReady`` with cause and mend."""
        from archi.docker_engine import connect
        from archi.readiness import PHASES, Target, wait

        target = Target(
            service=props["service"],
            container=props["container"],
            probe=props["probe"],
            warm_up=props["warm_up"] or None,
            phases=PHASES.get(props["service"], ()),
            timeout=float(props["timeout"]),
        )
        wait(connect(), target, say)


class Readiness(Resource, module="archi", name="Readiness"):
    """A gate for one container.

    ``container`` is the container's id, so that a new container is waited for again.
    """

    container: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        service: str,
        container: pulumi.Input[str],
        probe: tuple[str, ...],
        timeout: int,
        warm_up: tuple[str, ...] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "service": service,
            "container": container,
            "probe": list(probe),
            "warm_up": list(warm_up),
            "timeout": timeout,
            "done": None,
        }
        super().__init__(ReadinessProvider(), name, props, opts)
