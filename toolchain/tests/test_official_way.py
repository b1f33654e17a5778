"""The official way, whole: what Pulumi serves, laid out as there, behind a proxy with its own CA.

The release's files are those that Go built here, so what is installed really works.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.proxy_server import InterceptingProxy
from toolchain import pins
from toolchain.tests.conftest import TOOLCHAIN
from toolchain.tests.test_installer import Quiet

RELEASES, GITHUB, GITHUB_API = "get.pulumi.com", "github.com", "api.github.com"


def pack(archive: Path, files: dict[str, Path]) -> str:
    """A release archive, quick rather than small; gives its SHA-256."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name, path in files.items():
            tar.add(path, name)
    with archive.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@pytest.fixture
def served(tmp_path: Path, bin_folder: Path, home: Path) -> Iterator[int]:
    """The file server; gives its port."""
    system, architecture = pins.target()
    root = tmp_path / "served"
    engine = f"pulumi-v{pins.PULUMI_VERSION}-{system}-{architecture}.tar.gz"
    files = {f"pulumi/{name}": bin_folder / name for name in pins.ENGINE_FILES}
    checksum = pack(root / "releases" / "sdk" / engine, files)
    listing = (
        root
        / f"pulumi/pulumi/releases/download/v{pins.PULUMI_VERSION}"
        / f"pulumi-{pins.PULUMI_VERSION}-checksums.txt"
    )
    listing.parent.mkdir(parents=True)
    listing.write_text(f"{checksum}  {engine}\n")
    # Pulumi names a plugin's machine as Go does, its own as people do.
    go = {"x64": "amd64", "arm64": "arm64"}[architecture]
    plugin = f"pulumi-resource-docker-v{pins.DOCKER_VERSION}-{system}-{go}.tar.gz"
    built = home / "plugins" / pins.PLUGIN_FOLDER / pins.PLUGIN_FILE
    pack(root / "releases" / "plugins" / plugin, {pins.PLUGIN_FILE: built})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_what_pulumi_serves_comes_through_a_proxy_that_inspects_tls_and_works(
    served: int, tmp_path: Path
) -> None:
    # GitHub's API knows no such release here, and Pulumi asks its own server for the plugin.
    routes = dict.fromkeys((RELEASES, GITHUB, GITHUB_API), served)
    with InterceptingProxy(tmp_path, routes) as proxy:
        installed = subprocess.run(
            [str(TOOLCHAIN / "install")],
            env={
                **os.environ,
                **proxy.environment(),
                "ARCHI_TOOLCHAIN": "official",
                "ARCHI_CACHE": str(tmp_path / "cache"),
                "PULUMI_HOME": str(tmp_path / "home"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert installed.returncode == 0, installed.stderr
    assert f"Downloading Pulumi {pins.PULUMI_VERSION}" in installed.stderr
    assert f"Downloading the Docker plugin {pins.DOCKER_VERSION}" in installed.stderr
    assert {RELEASES, GITHUB} <= set(proxy.deciphered)

    pulumi = Path(installed.stdout.splitlines()[-1]) / "pulumi"
    environment = {**os.environ, "PULUMI_HOME": str(tmp_path / "home")}
    environment["PULUMI_SKIP_UPDATE_CHECK"] = "true"

    def said(*arguments: str) -> str:
        command = [str(pulumi), *arguments]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert said("version").strip() == f"v{pins.PULUMI_VERSION}"
    listed = said("plugin", "ls")
    assert "docker" in listed
    assert pins.DOCKER_VERSION in listed
