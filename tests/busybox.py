"""A tiny image from Debian's busybox-static: no registry is needed."""

from __future__ import annotations

import fcntl
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import docker
from docker.errors import ImageNotFound

_APPLETS = ("sh", "sleep", "cat", "true", "ls", "mkdir", "cp", "wget", "df", "rm")
_LABEL = "-".join(_APPLETS)


def import_busybox(engine: docker.DockerClient, folder: Path, reference: str) -> None:
    """Make the image ``reference`` (``name:tag``) on an Engine, unless it is there.

    Another image by the same name would change what other tests, beside this one, run.

    Args:
        engine: where.
        folder: an empty one to work in.
        reference: the image's name and tag.

    """
    with Path(tempfile.gettempdir(), "archi-test-busybox.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(ImageNotFound):
            if engine.images.get(reference).labels.get("applets") == _LABEL:
                return
        _import(engine, folder, reference)


def _import(engine: docker.DockerClient, folder: Path, reference: str) -> None:
    download = ["apt-get", "download", "-q", "busybox-static"]
    if subprocess.run(download, cwd=folder, capture_output=True).returncode:
        subprocess.run(["apt-get", "update", "-q"], capture_output=True, check=True)
        subprocess.run(download, cwd=folder, capture_output=True, check=True)
    subprocess.run(["dpkg", "-x", *folder.glob("*.deb"), "."], cwd=folder, check=True)
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(next(folder.rglob("bin/busybox")), "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    repository, tag = reference.rsplit(":", 1)
    engine.api.import_image_from_data(
        packed.getvalue(), repository=repository, tag=tag, changes=f"LABEL applets={_LABEL}"
    )
