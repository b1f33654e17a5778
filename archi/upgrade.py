"""Bringing a deployment to what this version of archi and its stack file say, in two steps.

First everything that takes long and touches nothing: images and weights. Then, with a preview and
the person's yes, the update, which finds them there.
"""

from __future__ import annotations

from pathlib import Path

from archi import deployment_images, passphrase, project, pulumi_cli, render, stack_file, weights
from archi.deployment_images import reference
from archi.settings import Settings
from archi.up import Up


def fetch(up: Up, root: Path, settings: Settings) -> None:
    """Bring images and weights; what runs goes on as it is.

    Raises:
        EngineUnavailable, ImageError, WeightsError, StackFileError: with cause and mend.

    """
    client = up.prepare(settings)
    images = deployment_images.of(settings)
    if images.weights is None:
        return
    path = project.stack_file(root, settings.name)
    environment = pulumi_cli.prepare(settings.name, root).environment
    secrets = stack_file.read(path, passphrase.in_use(environment, project.home())).secrets
    request = render.weights_request(settings, reference(images.weights), secrets.get("hf_token"))
    with up.phases.shown(), up.phases.run("weights") as phase:
        weights.fetch(client, request, lambda line: up.phases.say(phase, line))


def preview(root: Path, settings: Settings) -> int:
    """Pulumi's preview in the foreground; gives its exit code."""
    pulumi = pulumi_cli.prepare(settings.name, root)
    pulumi_cli.ready(pulumi)
    return pulumi.run(
        ["preview", "--diff", "--refresh", "--non-interactive", "--stack", settings.name]
    )
