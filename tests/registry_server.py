"""An image registry on loopback: Debian's docker-registry, with the images that a test pushes."""

from __future__ import annotations

import contextlib
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import docker
import requests
from docker.errors import ImageNotFound

_CONFIGURATION = """\
version: 0.1
storage:
  filesystem: {{rootdirectory: {folder}/images}}
http: {{addr: 127.0.0.1:{port}}}
log: {{level: error}}
"""


@dataclass
class RegistryServer:
    """The registry; a context manager.

    Attributes:
        folder: for its configuration and images.
        port: where it listens.
        engine: the Engine that pushes.
    """

    folder: Path
    port: int
    engine: docker.DockerClient
    _tagged: list[str] = field(default_factory=list)

    def __enter__(self) -> RegistryServer:
        configuration = self.folder / "registry.yml"
        configuration.write_text(_CONFIGURATION.format(folder=self.folder, port=self.port))
        self._process = subprocess.Popen(
            ["docker-registry", "serve", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while True:
            assert self._process.poll() is None, "the registry did not start"
            try:
                if requests.get(f"http://{self.name}/v2/", timeout=60).ok:
                    return self
            except requests.RequestException:
                time.sleep(0.05)  # between two looks; the condition is its answer

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        for reference in self._tagged:
            with contextlib.suppress(ImageNotFound):  # perhaps nobody pulled it
                self.engine.images.remove(reference, force=True, noprune=True)

    @property
    def name(self) -> str:
        """As references name it; Docker takes loopback registries without TLS."""
        return f"localhost:{self.port}"

    def push(self, image: str, path: str) -> str:
        """Push an image of the Engine under ``path`` (``library/debian:x``); gives its digest."""
        repository, tag = path.rsplit(":", 1)
        self.engine.images.get(image).tag(f"{self.name}/{repository}", tag)
        digest = ""
        for event in self.engine.api.push(
            f"{self.name}/{repository}", tag, stream=True, decode=True
        ):
            assert "error" not in event, event
            digest = (event.get("aux") or {}).get("Digest") or digest
        # What is to be pulled must not be there already.
        self.engine.images.remove(f"{self.name}/{path}", noprune=True)
        self._tagged += [f"{self.name}/{path}", f"{self.name}/{repository}@{digest}"]
        return digest
