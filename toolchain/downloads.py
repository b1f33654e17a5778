"""The official way: what Pulumi serves."""

import hashlib
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.pins import (
    DOCKER_VERSION,
    ENGINE_FILES,
    PLUGIN_FILE,
    PLUGIN_FOLDER,
    PULUMI_VERSION,
    ToolchainError,
    target,
)
from toolchain.progress import Step, run

if TYPE_CHECKING:
    from http.client import HTTPResponse

# The public services called from here. `pulumi plugin install` knows its own.
SERVICES = {
    "archives": "https://get.pulumi.com/releases/sdk",
    "checksums": "https://github.com/pulumi/pulumi/releases/download",
}
PROBE_S = 4.0


def download_engine(folder: Path) -> None:
    """Fetch the release archive, check it against its published checksum, take our files out."""
    archive_url, checksums_url = downloads()
    archive = Path(archive_url).name
    packed = folder.parent / archive
    with Step(f"Downloading Pulumi {PULUMI_VERSION}") as step:
        if fetch(archive_url, packed, step) != published_checksum(checksums_url, archive):
            raise ToolchainError(
                f"{archive} is not what its published checksum says; "
                "something between here and Pulumi's servers changed it."
            )
    with Step("Unpacking it"), tarfile.open(packed) as tar:
        for member in tar:
            name = Path(member.name).name
            content = tar.extractfile(member) if name in ENGINE_FILES else None
            if content:
                with content, (folder / name).open("wb") as file:
                    shutil.copyfileobj(content, file)
    packed.unlink()
    missing = sorted(set(ENGINE_FILES) - {file.name for file in folder.iterdir()})
    if missing:
        raise ToolchainError(f"{archive} lacks {', '.join(missing)}.")


def downloads() -> tuple[str, str]:
    """Where the release's archive for this machine is, and the file with its checksum."""
    archive = "pulumi-v{}-{}-{}.tar.gz".format(PULUMI_VERSION, *target())
    checksums = f"v{PULUMI_VERSION}/pulumi-{PULUMI_VERSION}-checksums.txt"
    return f"{SERVICES['archives']}/{archive}", f"{SERVICES['checksums']}/{checksums}"


def published_checksum(url: str, archive: str) -> str:
    """The archive's SHA-256 as its release publishes it, on another server than the archive's."""
    with opened(url) as reply:
        listing = reply.read().decode()
    for line in listing.splitlines():
        checksum, _, name = line.partition(" ")
        if name.strip().lstrip("*") == archive:
            return str(checksum)
    raise ToolchainError(f"{url} does not list {archive}.")


@contextmanager
def opened(url: str) -> Iterator["HTTPResponse"]:
    """Open `url`; the proxy and the CA bundle are those of the environment."""
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=60) as reply:  # noqa: S310
            yield reply
    except (HTTPException, OSError) as error:
        raise ToolchainError(f"{url}: {error}") from error


def fetch(url: str, file: Path, step: Step) -> str:
    """Download `url` and return its SHA-256."""
    digest = hashlib.sha256()
    got = 0
    with opened(url) as reply, file.open("wb") as out:
        size = int(reply.headers.get("Content-Length") or 0)
        while block := reply.read(1 << 20):
            out.write(block)
            digest.update(block)
            got += len(block)
            step.detail = f"{got >> 20} of {size >> 20} MiB" if size else f"{got >> 20} MiB"
    return digest.hexdigest()


def download_plugin(pulumi: Path, folder: Path) -> None:
    """Let Pulumi fetch its plugin into a home of its own, and take it from there."""
    home = folder.parent / "home"
    environment = {
        **os.environ,
        "PULUMI_HOME": str(home),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    command = [str(pulumi), "plugin", "install", "resource", "docker", DOCKER_VERSION]
    with Step(f"Downloading the Docker plugin {DOCKER_VERSION}") as step:
        run(command, step, environment=environment)
    shutil.move(home / "plugins" / PLUGIN_FOLDER / PLUGIN_FILE, folder / PLUGIN_FILE)
    shutil.rmtree(home)


def unreachable() -> str | None:
    """Why the official downloads cannot be had from here, or None; takes at most `PROBE_S`."""
    urls = downloads()
    answers: dict[str, str] = {}

    def ask(url: str) -> None:
        from urllib.error import URLError
        from urllib.request import Request, urlopen

        try:
            with urlopen(Request(url, method="HEAD"), timeout=PROBE_S):  # noqa: S310
                answers[url] = ""
        except URLError as error:
            answers[url] = str(error.reason)
        except OSError as error:
            answers[url] = str(error)

    # Threads, because a name look-up that hangs obeys no timeout.
    threads = [threading.Thread(target=ask, args=(url,), daemon=True) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PROBE_S)
    for url in urls:
        answer = answers.get(url, f"no answer within {PROBE_S:.0f} s")
        if answer:
            return f"{url.split('/')[2]}: {answer}"
    return None
