"""Small files and generated secrets, written into a volume."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi.dynamic import ReadResult, Resource

from components.dynamic import Provider, gone

_STAGING = "/archi-staging"


class FilesError(Exception):
    """The files could not be written; the text says why."""


class FilesProvider(Provider):
    """Writes by a one-shot container that is watched and removed.

    A Docker resource with ``attach`` would be saved as created whatever its exit code, and never
    be run again; this one fails, and the next ``up`` tries again.
    """

    keys = ("deployment", "image", "volume", "folder", "files", "secrets", "fill", "writer")
    names = "volume"

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Gone with its volume."""
        from docker.errors import NotFound

        from archi.docker_engine import connect

        try:
            connect().volumes.get(props["volume"])
        except NotFound:
            return gone()
        return ReadResult(id_, props)

    def work(self, props: dict[str, Any]) -> None:
        """Write what is wanted, remove what no longer is; raises ``FilesError``."""
        from archi.docker_engine import connect
        from archi.names import Names
        from archi.oneshot import OneShot, run

        files: dict[str, str] = props["files"]
        # Numbers come back from Pulumi as floats, and what is None does not come back at all.
        secrets = {
            path: (secret.get("value"), [int(secret["uid"]), int(secret["gid"])])
            for path, secret in props["secrets"].items()
        }
        given = {path: value for path, (value, _owner) in secrets.items() if value is not None}
        manifest = {
            "files": {
                **dict.fromkeys(files),
                **{path: owner for path, (_value, owner) in secrets.items() if path in given},
            },
            "generate": {
                path: owner for path, (_value, owner) in secrets.items() if path not in given
            },
            "fill": {
                path: {**filled, "owner": [int(filled["uid"])] * 2}
                for path, filled in props["fill"].items()
            },
        }
        uploads = {
            f"{_STAGING}/files/{path}": content.encode()
            for path, content in {**files, **given}.items()
        }
        uploads[f"{_STAGING}/manifest.json"] = json.dumps(manifest).encode()
        uploads["/write_files.py"] = props["writer"].encode()
        names = Names(props["deployment"])
        folder = props["folder"]
        result = run(
            connect(),
            OneShot(
                name=names.one_shot("files"),
                image=props["image"],
                command=["python3", "/write_files.py", _STAGING, folder],
                labels=names.labels("files"),
                volumes={props["volume"]: folder},
                uploads=uploads,
                options={
                    "network_mode": "none",
                    "cap_drop": ["ALL"],
                    "cap_add": ["CHOWN", "DAC_OVERRIDE"],
                    "security_opt": ["no-new-privileges:true"],
                },
            ),
        )
        if result.exit_code != 0:
            last = result.lines[-1] if result.lines else f"exit code {result.exit_code}"
            raise FilesError(
                f"The files for {folder} could not be written to volume {props['volume']}: {last}"
            )


class WrittenFiles(Resource, module="archi", name="WrittenFiles"):
    """The content of the volume of files; ``props`` holds all of ``FilesProvider.keys``."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(FilesProvider(), name, {**props, "done": None}, opts)
