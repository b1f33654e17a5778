"""A tiny image from Debian's busybox-static: no registry is needed."""

from __future__ import annotations

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import docker

_APPLETS = ("sh", "sleep", "cat", "true", "ls", "mkdir", "cp", "wget", "df")


def import_busybox(engine: docker.DockerClient, folder: Path, reference: str) -> None:
    """Make the image ``reference`` (``name:tag``) on an Engine.

    Args:
        engine: where.
        folder: an empty one to work in.
        reference: the image's name and tag.

    """
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
    engine.api.import_image_from_data(packed.getvalue(), repository=repository, tag=tag)
