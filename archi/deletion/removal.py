"""Removing what a plan names, in an order in which a killed run can be finished."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from archi import pulumi_cli
from archi.deletion import images
from archi.deletion.plan import Plan
from archi.deployments import containers
from archi.deployments.services import STOP_GRACE_SECONDS
from archi.names import LABEL_DEPLOYMENT, LABEL_ROLE

if TYPE_CHECKING:
    import docker
    from pulumi.automation import EngineEvent

Say = Callable[[str], None]

_ONE_SHOT_GRACE_SECONDS = 2

_KINDS = {
    "docker:index/container:Container": "container",
    "docker:index/network:Network": "network",
}


class DeletionError(Exception):
    """Something could not be removed; the text says what, why and the mend."""


def carry_out(client: docker.DockerClient, root: Path, what: Plan, say: Say) -> None:
    """Remove what the plan names.

    Args:
        client: of the Engine.
        root: the checkout.
        what: the plan.
        say: is told each thing that is gone.

    Raises:
        DeletionError: something could not be removed; the next run goes on from there.
        Cancelled: the user broke off; likewise.
        Refused: Pulumi can't be run.

    """
    if what.stack is not None and not what.by_label:
        _destroy(root, what, say)
    _remove_labelled(client, what.name, say)
    if what.with_data:
        for volume in what.volumes:
            _remove_volume(client, volume.name, say)
    images.remove(client, what.images, say)
    if what.stack is not None:
        _forget(root, what)
        say(f"removed Pulumi's state of {what.name}")
    if what.stack_file is not None and not what.file_stays:
        what.stack_file.unlink(missing_ok=True)
        say(f"removed stack file {what.stack_file.relative_to(root)}")


def _destroy(root: Path, what: Plan, say: Say) -> None:
    from archi import engine
    from archi.cancellation import Cancelled

    def heard(event: EngineEvent) -> None:
        """Say what is gone; volumes that stay are deleted for Pulumi too, and not for us."""
        if event.prelude_event is not None:
            say(f"Pulumi looks at what there is of {what.name}, and takes it away")
        if (done := event.res_outputs_event) and (old := done.metadata.old) and old.outputs:
            kind = _KINDS.get(done.metadata.type)
            if kind and done.metadata.op.value == "delete":
                say(f"removed {kind} {old.outputs.get('name')}")

    pulumi = pulumi_cli.prepare(what.name, root)
    pulumi_cli.ready(pulumi)
    try:
        engine.destroy(pulumi, heard)
    except engine.BrokenOff:
        raise Cancelled from None
    except engine.UpdateFailed as failed:
        raise DeletionError(
            f"`pulumi destroy` of {what.name} failed: {failed}\nMend that, and run the same "
            "command again: it goes on from there."
        ) from None


def _forget(root: Path, what: Plan) -> None:
    """Take the stack out of the backend; its file is ours to remove or to keep."""
    pulumi = pulumi_cli.prepare(what.name, root)
    force = ["--force"] if what.by_label else []
    try:
        pulumi.output(["stack", "rm", "--yes", "--preserve-config", *force, "--stack", what.name])
    except pulumi_cli.Refused as refusal:
        raise DeletionError(
            f"Pulumi does not give up its state of {what.name}: {refusal}"
        ) from None


def _remove_labelled(client: docker.DockerClient, name: str, say: Say) -> None:
    """Containers and networks that Pulumi did not know, or could not remove."""
    from docker.errors import APIError, NotFound

    for container in containers.of(client, name):
        role = container.labels.get(LABEL_ROLE, "")
        with contextlib.suppress(NotFound):
            try:
                if container.status == "running":
                    container.stop(timeout=STOP_GRACE_SECONDS.get(role, _ONE_SHOT_GRACE_SECONDS))
                container.remove(force=True, v=True)
            except NotFound:
                raise
            except APIError as error:
                raise DeletionError(
                    f"Container {container.name} could not be removed: {error.explanation}. Mend: "
                    f"`docker rm -f {container.name}`, then the same command again."
                ) from None
            say(f"removed container {container.name}")
    for network in client.networks.list(filters={"label": f"{LABEL_DEPLOYMENT}={name}"}):
        try:
            network.remove()
        except NotFound:
            continue
        except APIError as error:
            raise DeletionError(
                f"Network {network.name} could not be removed: {error.explanation}. Mend: `docker "
                f"network inspect {network.name}` names who is on it; `docker network disconnect` "
                "them, then the same command again."
            ) from None
        say(f"removed network {network.name}")


def _remove_volume(client: docker.DockerClient, name: str, say: Say) -> None:
    from docker.errors import APIError, NotFound

    try:
        client.volumes.get(name).remove()
    except NotFound:
        return
    except APIError as error:
        users = client.containers.list(all=True, filters={"volume": name})
        who = ", ".join(str(one.name) for one in users) or str(error.explanation)
        raise DeletionError(
            f"Volume {name} is kept: it is in use ({who}). Mend: remove what uses it, then the "
            "same command again."
        ) from None
    say(f"removed volume {name}")
