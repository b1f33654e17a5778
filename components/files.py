"""The deployment's small files and generated secrets, in a volume that its containers read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_docker as docker
from docker.errors import NotFound
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from archi import render
from archi.docker_engine import connect
from archi.names import Names
from archi.oneshot import OneShot, run
from archi.settings import Settings
from components.dynamic import Provider, done, gone
from components.volumes import retained_volume

_WRITER = Path(render.__file__).parent / "in_container" / "write_files.py"
_STAGING = "/archi-staging"


class FilesError(Exception):
    """The files could not be written; the text says why."""


class FilesProvider(Provider):
    """Writes by a one-shot container that is watched and removed.

    A Docker resource with ``attach`` would be saved as created whatever its exit code, and never
    be run again; this one fails, and the next ``up`` tries again.
    """

    keys = ("deployment", "image", "volume", "files", "generate", "writer")

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Write all files; raises ``FilesError``."""
        self._write(props)
        return CreateResult(props["volume"], done(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Write what changed, remove what is no longer wanted."""
        self._write(_news)
        return UpdateResult(done(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Gone with its volume."""
        try:
            connect().volumes.get(props["volume"])
        except NotFound:
            return gone()
        return ReadResult(id_, props)

    def _write(self, props: dict[str, Any]) -> None:
        files: dict[str, dict[str, Any]] = props["files"]
        manifest = {
            # What is None does not survive the way through Pulumi, and numbers come back as floats.
            "files": {
                path: int(file["uid"]) if "uid" in file else None for path, file in files.items()
            },
            "generate": {path: int(uid) for path, uid in props["generate"].items()},
        }
        uploads = {
            f"{_STAGING}/files/{path}": file["content"].encode() for path, file in files.items()
        }
        uploads[f"{_STAGING}/manifest.json"] = json.dumps(manifest).encode()
        uploads["/write_files.py"] = props["writer"].encode()
        names = Names(props["deployment"])
        target = str(render.FILES_PATH)
        result = run(
            connect(),
            OneShot(
                name=names.one_shot("files"),
                image=props["image"],
                command=["python3", "/write_files.py", _STAGING, target],
                labels=names.labels("files"),
                volumes={props["volume"]: target},
                uploads=uploads,
                options={
                    "network_mode": "none",
                    "cap_drop": ["ALL"],
                    "cap_add": ["CHOWN"],
                    "security_opt": ["no-new-privileges:true"],
                },
            ),
        )
        if result.exit_code != 0:
            last = result.lines[-1] if result.lines else f"exit code {result.exit_code}"
            raise FilesError(
                f"The files for {target} could not be written to volume {props['volume']}: {last}"
            )


class WrittenFiles(Resource, module="archi", name="WrittenFiles"):
    """The content of the volume of files."""


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

    What is generated in it (the session key) stays over ``destroy``.
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
        files: dict[str, Any] = {
            file.path: {"content": file.content, "uid": file.uid}
            for file in render.files(args.settings)
        }
        props = {
            "deployment": args.names.deployment,
            "image": args.image,
            "volume": args.names.files_volume,
            "files": files,
            "generate": render.GENERATED_SECRETS,
            "writer": _WRITER.read_text(),
            "done": None,
        }
        self.written = WrittenFiles(
            FilesProvider(),
            f"{name}-written",
            props,
            pulumi.ResourceOptions(parent=self, depends_on=[self.volume, *args.depends_on]),
        )
        self.register_outputs({})
