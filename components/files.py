"""The deployment's small files and generated secrets, in a volume that its containers read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_docker as docker

import archi
from archi import render
from archi.names import Names
from archi.settings import Settings
from components.dynamic.written_files import WrittenFiles
from components.volumes import retained_volume

_WRITER = Path(archi.__file__).parent / "in_container" / "write_files.py"


@dataclass
class FilesArgs:
    """Inputs of :class:`Files`: settings, names, and the image whose Python writes.

    ``depends_on`` is what must have succeeded before running containers see new content.
    """

    settings: Settings
    names: Names
    image: str
    depends_on: list[pulumi.Resource] = field(default_factory=list)


class Files(pulumi.ComponentResource):
    """A volume ``archi-<deployment>-files``, mounted read-only at ``/run/archi``.

    What is generated in it (session key, database password) stays over ``destroy``.
    """

    volume: docker.Volume
    written: WrittenFiles

    def __init__(
        self, name: str, args: FilesArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Files", name, None, opts)
        self.volume = retained_volume(
            name, args.names.files_volume, args.names.labels("files"), self
        )
        settings = args.settings
        props = {
            "deployment": args.names.deployment,
            "image": args.image,
            "volume": args.names.files_volume,
            "folder": str(render.FILES_PATH),
            "files": {file.path: file.content for file in render.files(settings)},
            # Of those that the configuration sets; the others are made in the volume.
            "secrets": pulumi.Output.secret(
                {
                    secret.path: {"uid": secret.uid, "gid": secret.gid, "value": secret.value}
                    for secret in render.secret_files(settings)
                }
            ),
            "fill": {
                filled.path: {"uid": filled.uid, "text": filled.text, "secret": filled.secret}
                for filled in render.filled_files(settings)
            },
            "writer": _WRITER.read_text(),
        }
        self.written = WrittenFiles(
            f"{name}-written",
            props,
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume, *args.depends_on]),
        )
        self.register_outputs({})
