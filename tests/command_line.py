"""``archi`` as a person types it, and deployments of busybox to try it on."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import docker
from docker.models.containers import Container

from archi.cli.exit_codes import ExitCode
from archi.names import LABEL_DEPLOYMENT, Names
from tests.chat_application import until
from tests.checkout import Checkout

ARCHI = [sys.executable, "-m", "archi.cli.app"]

BUSYBOX = "archi-test/busybox:1"


def archi(checkout: Checkout, *arguments: str, code: int = 0) -> str:
    """Run a command off a terminal; gives its standard output."""
    done = subprocess.run(
        [*ARCHI, *arguments],
        cwd=checkout.path,
        env={**checkout.environment, "COLUMNS": "80"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code in (0, ExitCode.PROBLEM) else done.stderr


def archi_json(checkout: Checkout, *arguments: str, code: int = 0) -> Any:
    return json.loads(archi(checkout, *arguments, "--json", code=code))


def archi_on_terminal(checkout: Checkout, *arguments: str, typed: str) -> tuple[int, str]:
    """Run a command that asks; gives its exit code and what it said."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    try:
        done = subprocess.run(
            [*ARCHI, *arguments],
            cwd=checkout.path,
            env=checkout.environment,
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout


class ByLabel:
    """A deployment that only Docker knows: a container, a network, a volume with data."""

    def __init__(self, client: docker.DockerClient, name: str) -> None:
        self.client, self.names = client, Names(name)
        labels = self.names.labels
        self.volume = client.volumes.create(
            self.names.conversations_volume, labels=labels("conversations")
        )
        self.network = client.networks.create(self.names.network, labels=labels("network"))
        self.container = self.run("chatbot", self.names.chatbot)

    def run(self, role: str, name: str, image: str = BUSYBOX, said: str = "hello") -> Container:
        container = self.client.containers.run(
            image,
            ["sh", "-c", f"echo {said} of {role}; exec sleep 1000000"],
            name=name,
            labels=self.names.labels(role),
            network=self.network.name,
            volumes=[f"{self.volume.name}:/data"],
            init=True,
            detach=True,
        )
        until(container.logs)
        return container


def things(client: docker.DockerClient, name: str) -> dict[str, list[str]]:
    """Names of what Docker has of a deployment."""
    label = {"label": f"{LABEL_DEPLOYMENT}={name}"}
    return {
        "containers": [one.name for one in client.containers.list(all=True, filters=label)],
        "networks": [one.name for one in client.networks.list(filters=label)],
        "volumes": [one.name for one in client.volumes.list(filters=label)],
    }
