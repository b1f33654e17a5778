"""Building the images of archi/images.py on a Docker Engine, and removing old ones.

By the Engine's own builder (the API's ``/build``, without BuildKit), which every Engine from
20.10 to 29 has, and which finds images of ours as a base in any image store.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import docker
from docker.errors import DockerException, ImageNotFound

from archi.images import LABEL_IMAGE, Image, ImageError

Progress = Callable[[str], None]
"""Takes one line for a person."""

_TAIL_LINES = 15
"""How much of a failed build's output an error repeats."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

# What the output of a failed build says, and what mends it; the first row that matches wins.
_MENDS: tuple[tuple[str, str], ...] = (
    (
        r"certificate verify failed|CERTIFICATE_VERIFY_FAILED|UnknownIssuer|SSL certificate problem"
        r"|certificate signed by unknown authority|certificate is NOT trusted",
        "the network inspects TLS, and the CA bundle lacks its certificate: name a bundle that "
        "has it in SSL_CERT_FILE and run again",
    ),
    (
        r"No space left on device|no space left on device",
        "the disk is full: `docker system df` shows what takes room, `docker builder prune` and "
        "`docker image prune` free some",
    ),
    (
        r"pull access denied|manifest unknown|registry-1\.docker\.io|/v2/",
        "the image registry cannot be reached or lacks the image: set archi:source to `packages`, "
        "or name a mirror in the Docker daemon's registry-mirrors",
    ),
    (
        r"Temporary failure|Could not resolve|Name or service not known|dns error|no such host"
        r"|Network is unreachable|Connection refused|timed out|Failed to fetch|Connection reset",
        "the build has no way to the network: check it, and set HTTPS_PROXY, PIP_INDEX_URL or "
        "UV_INDEX_URL where this host needs them",
    ),
    (
        r"No matching distribution|not found in the package registry|No solution found",
        "the package index lacks a pinned version: a mirror named in PIP_INDEX_URL or "
        "UV_INDEX_URL may lag behind",
    ),
)


def ensure(client: docker.DockerClient, image: Image, progress: Progress) -> str:
    """Build the image unless its tag is there, its base first; give its id.

    Safe beside other runs, which wait for one another.

    Raises:
        ImageError: the failing step, the last lines of its output, and the mend.

    """
    if found := _id(client, image.tag):
        return found
    with _locked(image.name, progress) as lock:
        # Another run may have built it while this one waited.
        if found := _id(client, image.tag):
            return found
        if isinstance(image.base, Image):
            ensure(client, image.base, progress)
        progress(f"building {image.tag}")
        try:
            if image.dockerfile:
                _build(client, image, progress)
            else:
                _import_root(client, image, progress, lock)
            return str(client.images.get(image.tag).id)
        except (DockerException, OSError) as error:
            raise ImageError(f"{image.tag} could not be built: {error}") from error


def prune(client: docker.DockerClient, image: Image) -> list[str]:
    """Remove other tags of the image's name that no container uses; give them.

    Never called by `ensure`: another checkout on this host may want its own tags.
    """
    used = {
        container.attrs["ImageID"] for container in client.containers.list(all=True, sparse=True)
    }
    removed = []
    # Not by docker-py's models: they look at each image again, and another run may have removed it.
    for found in client.api.images(filters={"label": f"{LABEL_IMAGE}={image.name}"}):
        for tag in found["RepoTags"] or () if found["Id"] not in used else ():
            if tag.startswith(f"{image.name}:") and tag != image.tag:
                with suppress(ImageNotFound):
                    client.images.remove(tag)
                    removed.append(tag)
    return sorted(removed)


def build_arguments(image: Image, environment: Mapping[str, str]) -> dict[str, str]:
    """The build arguments: BASE, the host's proxies, and the package indexes that it names.

    The builder keeps proxies out of the image by itself. An index reaches a Dockerfile that
    declares it with ARG; it is in the image's history then, but never in its environment.
    """
    declared = set(re.findall(r"^ARG ([A-Z_]+)", image.dockerfile, re.MULTILINE))
    proxies = {name for proxy in _PROXIES for name in (proxy, proxy.lower())}
    passed = {
        name: environment[name]
        for name in sorted(proxies | declared - {"BASE"})
        if environment.get(name)
    }
    return {"BASE": image.base_reference, **passed}


def mend(output: str) -> str:
    """What to change, by what a failed build said."""
    for pattern, text in _MENDS:
        if re.search(pattern, output):
            return text
    return "the lines above are the build's own; run again when that is mended"


def _id(client: docker.DockerClient, tag: str) -> str | None:
    try:
        return str(client.images.get(tag).id)
    except ImageNotFound:
        return None


@contextmanager
def _locked(name: str, progress: Progress) -> Iterator[int]:
    """Hold the right to build an image of this name; gives the lock's file descriptor."""
    folder = _cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name.replace('/', '-')}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"another run is building {name}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _cache() -> Path:
    return Path(os.environ.get("ARCHI_CACHE") or Path.home() / ".cache" / "archi")


def _build(client: docker.DockerClient, image: Image, progress: Progress) -> None:
    arguments = build_arguments(image, os.environ)
    proxies = {urlsplit(arguments[name]).hostname for name in arguments if "PROXY" in name.upper()}
    step, tail = "the first step", deque[str](maxlen=_TAIL_LINES)
    events = client.api.build(
        fileobj=image.archive(),
        custom_context=True,
        tag=image.tag,
        buildargs=arguments,
        labels={LABEL_IMAGE: image.name},
        # A proxy on the host's loopback is reached from the host's network only.
        network_mode="host" if proxies & {"localhost", "127.0.0.1", "::1"} else None,
        rm=True,
        forcerm=True,
        decode=True,
    )
    for event in events:
        if "error" in event:
            said = "\n".join([*tail, str(event["error"])])
            raise ImageError(
                f"{image.tag} could not be built; it failed at {step}:\n{said}\n{mend(said)}"
            )
        for line in _lines(event):
            if line.startswith("Step "):
                step = line
                tail.clear()
            else:
                tail.append(line)
            progress(line)


def _lines(event: Mapping[str, object]) -> list[str]:
    """The lines for people of one event of a build or pull; a moving bar's steps are left out."""
    if event.get("progressDetail"):
        return []
    text = event.get("stream") or " ".join(str(event.get(key, "")) for key in ("id", "status"))
    plain = _TERMINAL_CODES.sub("", str(text)).replace("\r", "\n")
    return [line.rstrip() for line in plain.splitlines() if line.strip()]


def _import_root(client: docker.DockerClient, image: Image, progress: Progress, lock: int) -> None:
    """Make a Debian root by images/base/make-rootfs and import it.

    ARCHI_DEBIAN_MIRROR names a mirror where debootstrap's own is not to be reached.
    """
    missing = [tool for tool in ("debootstrap", "tar") if shutil.which(tool) is None]
    if missing:
        raise ImageError(
            f"{image.tag} needs {' and '.join(missing)}: run `apt-get install debootstrap "
            "debian-archive-keyring tar` as root, or set archi:source to `registry`"
        )
    if os.geteuid() != 0:
        raise ImageError(
            f"{image.tag} is made by debootstrap, which needs root: run this as root (sudo), or "
            "set archi:source to `registry`"
        )
    parent = _cache() / "rootfs"
    parent.mkdir(parents=True, exist_ok=True)
    # The lock is ours, so whatever lies here is of a run that was killed.
    for leftover in parent.iterdir():
        _remove(leftover)
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        script = folder / "make-rootfs"
        script.write_bytes(image.files[0].content)
        mirror = [os.environ[name] for name in ("ARCHI_DEBIAN_MIRROR",) if os.environ.get(name)]
        _run(["sh", str(script), image.base_reference, str(folder), *mirror], progress, lock)
        client.api.import_image_from_file(
            str(folder / "rootfs.tar"),
            image.name,
            image.tag.removeprefix(f"{image.name}:"),
            changes=['CMD ["bash"]', f"LABEL {LABEL_IMAGE}={image.name}"],
        )
    finally:
        _remove(folder)


def _run(command: list[str], progress: Progress, lock: int) -> None:
    """Run the command, its output to ``progress``.

    It inherits the lock: should we be killed, the next run waits until it has ended too.

    Raises:
        ImageError: it failed; with its last lines.

    """
    tail = deque[str](maxlen=_TAIL_LINES)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        pass_fds=(lock,),
        start_new_session=True,
    ) as process:
        try:
            for line in process.stdout or ():
                tail.append(line.rstrip())
                progress(line.rstrip())
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
    if code != 0:
        said = "\n".join(tail)
        raise ImageError(f"debootstrap failed with exit code {code}:\n{said}\n{mend(said)}")


def _remove(folder: Path) -> None:
    """Delete a folder in which debootstrap worked, never through a mount."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = sorted((m for m in mounts if m.startswith(f"{folder}/")), reverse=True)
    for mount in below:
        subprocess.run(["umount", "--lazy", mount], check=True, capture_output=True)
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink()
