"""The Docker plugin must do what the official one does, on a real Engine."""

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import docker
import pulumi
import pulumi_docker
import pytest
from docker.models.containers import Container
from pulumi import automation

from tests.ports import free_port
from toolchain.tests.conftest import IMAGE
from toolchain.tests.stack import Change, Stack

SLEEP = ["sleep", "1000"]
Find = Callable[[str], Container | None]


def sleeper(resource: str, name: str, **args: Any) -> pulumi_docker.Container:
    """A container that only sleeps, off the network; `args` override."""
    defaults: dict[str, Any] = {"image": IMAGE, "command": SLEEP, "network_mode": "none"}
    return pulumi_docker.Container(resource, name=name, **(defaults | args))


def test_everything_is_created_then_stays_as_it_is_then_goes(
    stack: Stack, find: Find, engine: docker.DockerClient
) -> None:
    port = free_port()

    def program() -> None:
        network = pulumi_docker.Network(
            "network", name=f"{stack.name}-net", labels=[{"label": "archi.role", "value": "test"}]
        )
        volume = pulumi_docker.Volume("data", name=f"{stack.name}-data")
        named = pulumi_docker.Volume(stack.name)
        image = pulumi_docker.RemoteImage("image", name=IMAGE, keep_locally=True)
        sleeper(
            "full",
            f"{stack.name}-full",
            image=image.image_id,
            network_mode=None,
            networks_advanced=[{"name": network.name, "aliases": ["other"]}],
            ports=[{"internal": 8000, "external": port, "ip": "127.0.0.1"}],
            volumes=[{"volume_name": volume.name, "container_path": "/data"}],
            capabilities={"drops": ["ALL"]},
            security_opts=["no-new-privileges:true"],
            tmpfs={"/tmp": "size=16m"},
            healthcheck={"tests": ["CMD", "true"], "interval": "1s"},
            wait=True,
            read_only=True,
            init=True,
            memory=64,
            memory_swap=64,
            envs=["A=1"],
            labels=[{"label": "archi.role", "value": "test"}],
            log_driver="json-file",
            log_opts={"max-size": "1m"},
        )
        # Literals where others' outputs could stand: an image's tag, a network's name.
        sleeper(
            "literal",
            f"{stack.name}-literal",
            network_mode=None,
            networks_advanced=[{"name": f"{stack.name}-net", "aliases": ["alias"]}],
            opts=pulumi.ResourceOptions(depends_on=[network, image]),
        )
        once = sleeper(
            "once",
            f"{stack.name}-once",
            command=["sh", "-c", "echo done"],
            must_run=False,
            attach=True,
            logs=True,
        )
        pulumi.export("said", once.container_logs)
        pulumi.export("exit_code", once.exit_code)
        pulumi.export("made_up_name", named.name)

    assert stack.up(program) == {"create": 8}
    outputs = stack.outputs()
    assert outputs["said"] == "done\n"
    assert outputs["exit_code"] == 0
    assert outputs["made_up_name"].startswith(f"{stack.name}-")
    full = find(f"{stack.name}-full")
    assert full
    assert full.attrs["State"]["Health"]["Status"] == "healthy"

    assert stack.up(program) == {"same": 8}
    assert stack.refresh() == {"same": 8}
    assert stack.preview(program, refresh=True) == {}

    stack.destroy()
    assert find(f"{stack.name}-full") is None
    assert not [n for n in engine.networks.list() if str(n.name).startswith(stack.name)]
    assert not [v for v in engine.volumes.list() if v.name.startswith(stack.name)]
    assert engine.images.get(IMAGE), "keep_locally keeps the image"


EDITS: dict[str, tuple[dict[str, Any], dict[str, Any], Change]] = {
    "memory": (
        {"memory": 64, "memory_swap": 64},
        {"memory": 96, "memory_swap": 96},
        Change("update", {"memory": "update", "memorySwap": "update"}),
    ),
    "restart": (
        {"restart": "no"},
        {"restart": "unless-stopped"},
        Change("update", {"restart": "update"}),
    ),
    "health": (
        {"healthcheck": {"tests": ["CMD", "true"], "retries": 5}},
        {"healthcheck": {"tests": ["CMD", "true"], "retries": 6}},
        Change("update", {"healthcheck.retries": "update"}),
    ),
    "tmpfs": (
        {"tmpfs": {"/tmp": "size=1m"}},
        {"tmpfs": {"/tmp": "size=2m"}},
        Change("update", {'tmpfs["/tmp"]': "update"}),
    ),
    "command": (
        {"command": ["sleep", "1000"]},
        {"command": ["sleep", "1000", "1"]},
        Change("replace", {"command[2]": "add-replace"}),
    ),
    "env": (
        {"envs": ["A=1", "B=2"]},
        {"envs": ["A=1", "B=3"]},
        Change("replace", {"envs[1]": "update-replace"}),
    ),
    "label": (
        {"labels": [{"label": "archi.role", "value": "a"}]},
        {"labels": [{"label": "archi.role", "value": "b"}]},
        Change("replace", {"labels[0].value": "update-replace"}),
    ),
    "ipc": (
        {"ipc_mode": "private"},
        {"ipc_mode": "host"},
        Change("replace", {"ipcMode": "update-replace"}),
    ),
    "devices": (
        {},
        {"device_requests": [{"driver": "none", "capabilities": ["gpu"]}]},
        Change("replace", {"deviceRequests": "add-replace"}),
    ),
}
REFUSED_BY_THIS_MACHINE = {"devices"}


def test_each_edit_is_the_update_or_replacement_that_the_official_plugin_makes_of_it(
    stack: Stack, find: Find
) -> None:
    def program(edited: bool) -> None:
        for name, (before, after, _) in EDITS.items():
            sleeper(name, f"{stack.name}-{name}", **(after if edited else before))

    stack.up(lambda: program(False))
    expected = {name: change for name, (_, _, change) in EDITS.items()}
    assert stack.preview(lambda: program(True)) == expected

    def applied() -> None:
        for name, (before, after, _) in EDITS.items():
            args = before if name in REFUSED_BY_THIS_MACHINE else after
            sleeper(name, f"{stack.name}-{name}", **args)

    ids = {name: resource["id"] for name, resource in stack.state().items() if name in EDITS}
    stack.up(applied)
    for name, resource in stack.state().items():
        if name in set(EDITS) - REFUSED_BY_THIS_MACHINE:
            replaced = expected[name].op == "replace"
            assert (resource["id"] != ids[name]) == replaced, name
            container = find(f"{stack.name}-{name}")
            assert container
            assert (container.id, container.status) == (resource["id"], "running"), name
    memory, restart = find(f"{stack.name}-memory"), find(f"{stack.name}-restart")
    assert memory
    assert memory.attrs["HostConfig"]["Memory"] == 96 << 20
    assert restart
    assert restart.attrs["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_refresh_sees_what_was_killed_or_removed_and_the_up_after_it_mends_that(
    stack: Stack, find: Find
) -> None:
    port = free_port()

    def program() -> None:
        network = pulumi_docker.Network("network", name=f"{stack.name}-net")
        sleeper(
            "killed",
            f"{stack.name}-killed",
            network_mode=None,
            networks_advanced=[{"name": network.name}],
            ports=[{"internal": 8000, "external": port, "ip": "127.0.0.1"}],
        )
        sleeper("removed", f"{stack.name}-removed")
        sleeper("untouched", f"{stack.name}-untouched")

    stack.up(program)
    killed, removed = find(f"{stack.name}-killed"), find(f"{stack.name}-removed")
    assert killed
    assert removed
    killed.kill()
    killed.wait()
    removed.remove(force=True)

    assert stack.preview(program, refresh=True) == {
        "killed": Change("replace", {"mustRun": "update", "ports": "add-replace"}),
        "removed": Change("create"),
    }
    stack.up(program, refresh=True)
    for name in ("killed", "removed"):
        mended = find(f"{stack.name}-{name}")
        assert mended
        assert mended.status == "running"
        assert mended.id not in (killed.id, removed.id)


def test_a_creation_that_failed_half_way_is_replaced_by_the_next_up(
    stack: Stack, find: Find
) -> None:
    mended = pulumi.ResourceOptions(delete_before_replace=True, replace_on_changes=["#initerror"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        def program() -> None:
            network = pulumi_docker.Network("network", name=f"{stack.name}-net")
            sleeper(
                "server",
                f"{stack.name}-server",
                network_mode=None,
                networks_advanced=[{"name": network.name}],
                ports=[{"internal": 8000, "external": port, "ip": "127.0.0.1"}],
                opts=mended,
            )

        with pytest.raises(automation.CommandError, match="address already in use"):
            stack.up(program)
    left = find(f"{stack.name}-server")
    assert left
    assert left.status == "created"
    assert stack.state()["server"]["id"] == left.id

    stack.up(program)
    server = find(f"{stack.name}-server")
    assert server
    assert server.status == "running"
    assert server.id != left.id
    assert stack.up(program) == {"same": 3}


def test_a_creation_that_never_began_leaves_nothing(stack: Stack, find: Find) -> None:
    def program(image: str) -> None:
        sleeper("server", f"{stack.name}-server", image=image)

    missing = "localhost:1/bridge-test/none:1"
    with pytest.raises(automation.CommandError, match="Unable to create container with image"):
        stack.up(lambda: program(missing))
    assert find(f"{stack.name}-server") is None
    assert "server" not in stack.state()
    stack.up(lambda: program(IMAGE))
    assert find(f"{stack.name}-server")


def test_secrets_reach_the_container_and_are_in_no_file_in_the_clear(
    stack: Stack, find: Find
) -> None:
    def program(salt: str) -> None:
        sleeper(
            "server",
            f"{stack.name}-server",
            envs=[pulumi.Output.secret(f"KEY=env-{salt}")],
            uploads=[{"file": "/key", "content": pulumi.Output.secret(f"file-{salt}")}],
        )

    for salt in ("hidden-one", "hidden-two"):
        stack.up(partial(program, salt))
        stack.refresh()
        server = find(f"{stack.name}-server")
        assert server
        assert server.exec_run("cat /key").output == f"file-{salt}".encode()
        assert f"KEY=env-{salt}" in server.attrs["Config"]["Env"]
        assert "hidden" not in stack.files()


def test_a_volume_that_exists_can_be_imported(stack: Stack, engine: docker.DockerClient) -> None:
    name = f"{stack.name}-data"
    engine.volumes.create(name, labels={"made": "before"})

    def program(import_: str | None) -> None:
        pulumi_docker.Volume(
            "data",
            name=name,
            driver="local",
            labels=[{"label": "made", "value": "before"}],
            opts=pulumi.ResourceOptions(import_=import_, retain_on_delete=True),
        )

    assert stack.up(lambda: program(name)) == {"create": 1, "import": 1}
    assert stack.up(lambda: program(None)) == {"same": 2}
    stack.destroy()
    assert engine.volumes.get(name)


def test_ignored_changes_stay_as_they_are(stack: Stack) -> None:
    def program(value: str) -> None:
        pulumi_docker.Volume(
            "data",
            name=f"{stack.name}-data",
            labels=[{"label": "archi.role", "value": value}],
            opts=pulumi.ResourceOptions(ignore_changes=["labels"]),
        )

    stack.up(lambda: program("before"))
    assert stack.preview(lambda: program("after")) == {}


def test_a_type_that_is_not_served_is_refused_by_name(stack: Stack) -> None:
    def program() -> None:
        pulumi_docker.Secret("secret", data="aGk=")

    with pytest.raises(automation.CommandError, match="docker:index/secret:Secret is not served"):
        stack.preview(program)


def test_a_wrong_value_is_refused_before_anything_is_made(stack: Stack, find: Find) -> None:
    def program() -> None:
        sleeper("server", f"{stack.name}-server", restart="sometimes")

    with pytest.raises(automation.CommandError, match="restart"):
        stack.preview(program)
    assert find(f"{stack.name}-server") is None
