"""Installs Pulumi's engine and the Docker plugin: downloads where they can be had, else Go builds.

Two products, each in a folder named by a hash of all that determines it, under
`${ARCHI_CACHE:-~/.cache/archi}/toolchain`: the engine (`pulumi`, the Python language host and its
helpers) and the Docker plugin, which is copied into `$PULUMI_HOME/plugins` besides. A folder
appears by one rename, complete or not at all, so a killed run leaves nothing that counts.
Needs only the standard library: it runs before there is a virtual environment.
"""

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from toolchain.builds import BUILD_FLAGS, GO_ENVIRONMENT, build_engine, build_plugin
from toolchain.downloads import download_engine, download_plugin, unreachable
from toolchain.pins import (
    DOCKER_VERSION,
    PLUGIN_FILE,
    PLUGIN_FOLDER,
    PULUMI_VERSION,
    ToolchainError,
    target,
)
from toolchain.progress import Step, say

HERE = Path(__file__).resolve().parent
KEY_FILE = ".archi-toolchain"


@dataclass(frozen=True)
class Product:
    """What is installed as one: its key covers everything that determines its content."""

    name: str
    key: str
    make: Callable[[Path], None]

    @property
    def bin(self) -> Path:
        return cache() / self.key / "bin"

    def present(self) -> bool:
        return self.bin.is_dir()

    def install(self) -> Path:
        """Make the product beside its place and move it there."""
        if self.present():
            return self.bin
        stage = cache() / f"{self.key}.partial"
        shutil.rmtree(stage, ignore_errors=True)
        (stage / "bin").mkdir(parents=True)
        try:
            self.make(stage / "bin")
            for file in (stage / "bin").iterdir():
                file.chmod(0o755)
            stage.rename(self.bin.parent)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        return self.bin


@dataclass(frozen=True)
class Way:
    """One way to come by the toolchain."""

    name: str
    engine: Product
    plugin: Product

    def made(self) -> bool:
        return self.engine.present() and self.plugin.present()

    def present(self) -> bool:
        return self.engine.present() and plugin_is_linked(self.plugin)


def cache() -> Path:
    """Where the products lie."""
    root = os.environ.get("ARCHI_CACHE") or Path.home() / ".cache" / "archi"
    return Path(root).expanduser().absolute() / "toolchain"


def pulumi_home() -> Path:
    """Pulumi's own folder, where it looks for plugins."""
    home = os.environ.get("PULUMI_HOME") or Path.home() / ".archi" / "pulumi"
    return Path(home).expanduser().absolute()


def key_of(name: str, *parts: object, sources: tuple[Path, ...] = ()) -> str:
    """`name` with a hash over the parts and over the files in the source folders."""
    digest = hashlib.sha256(repr((name, target(), *parts)).encode())
    for folder in sources:
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".go", ".mod", ".sum"} and not file.name.endswith("_test.go"):
                digest.update(f"\0{file.relative_to(HERE)}\0".encode() + file.read_bytes())
    return f"{name}-{digest.hexdigest()[:16]}"


def ways() -> list[Way]:
    """Both ways, the preferred one first; `ARCHI_TOOLCHAIN` leaves one of them."""
    forced = os.environ.get("ARCHI_TOOLCHAIN", "")
    if forced not in ("", "official", "go"):
        raise ToolchainError(f"ARCHI_TOOLCHAIN={forced} is unknown: say 'official' or 'go'.")
    engine_sources = (HERE / "cli", HERE / "language-python")
    go_engine = Product(
        "Pulumi",
        key_of("go", PULUMI_VERSION, BUILD_FLAGS, GO_ENVIRONMENT, sources=engine_sources),
        build_engine,
    )
    go_plugin = Product(
        "the Docker plugin",
        key_of("go-docker", BUILD_FLAGS["docker"], GO_ENVIRONMENT, sources=(HERE / "docker",)),
        build_plugin,
    )
    official_engine = Product("Pulumi", key_of("official", PULUMI_VERSION), download_engine)
    official_plugin = Product(
        "the Docker plugin",
        key_of("official-docker", DOCKER_VERSION),
        partial(download_plugin, official_engine.bin / "pulumi"),
    )
    both = [
        Way("official", official_engine, official_plugin),
        Way("go", go_engine, go_plugin),
    ]
    return [way for way in both if forced in ("", way.name)]


def plugin_is_linked(plugin: Product) -> bool:
    """Whether Pulumi's home holds this very plugin."""
    key_file = pulumi_home() / "plugins" / PLUGIN_FOLDER / KEY_FILE
    return key_file.is_file() and key_file.read_text() == plugin.key


def link_plugin(plugin: Product) -> None:
    """Put the plugin where Pulumi looks for it; one that is running keeps its old file."""
    folder = pulumi_home() / "plugins" / PLUGIN_FOLDER
    stage = folder.with_name(f".{PLUGIN_FOLDER}.partial")
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    shutil.copy2(plugin.bin / PLUGIN_FILE, stage / PLUGIN_FILE)
    (stage / KEY_FILE).write_text(plugin.key)
    if folder.is_dir():
        for name in (PLUGIN_FILE, KEY_FILE):
            os.replace(stage / name, folder / name)
        stage.rmdir()
    else:
        stage.rename(folder)
    # Pulumi takes a plugin with this mark for an interrupted download.
    folder.with_name(f"{PLUGIN_FOLDER}.partial").unlink(missing_ok=True)


def install(way: Way) -> Path:
    """Install both products and return the engine's folder."""
    way.engine.install()
    way.plugin.install()
    if not plugin_is_linked(way.plugin):
        link_plugin(way.plugin)
    return way.engine.bin


def install_any(candidates: list[Way]) -> Path:
    """Install by the first way that works here, and say which that is and why."""
    *preferred, last = candidates
    why = "ARCHI_TOOLCHAIN says so"
    for official in preferred:
        refused = unreachable()
        if refused is None:
            say("downloading from Pulumi: its servers answer")
            try:
                return install(official)
            except (ToolchainError, OSError) as error:
                refused = str(error)
        why = f"Pulumi's downloads cannot be had here ({refused})"
    say(f"{'building with Go' if last.name == 'go' else 'downloading from Pulumi'}: {why}")
    return install(last)


def ensure(candidates: list[Way]) -> Path:
    """The engine's folder, with everything in place; nothing is done when it is already."""
    for way in candidates:
        if way.present():
            return way.engine.bin
    with lock():
        for way in candidates:
            # By another run while this one waited, or for another PULUMI_HOME.
            if way.made():
                return install(way)
        return install_any(candidates)


def where(candidates: list[Way]) -> Path:
    """The engine's folder as it is installed."""
    for way in candidates:
        if way.engine.present():
            return way.engine.bin
    raise ToolchainError("nothing is installed yet: run toolchain/install.")


@contextmanager
def lock() -> Iterator[None]:
    """One installation at a time on this cache."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Step("Waiting for another installation"):
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Run the installer; the last line on stdout is the folder with `pulumi` in it."""
    parser = argparse.ArgumentParser(
        prog="toolchain/install",
        description="Install Pulumi and the Docker plugin; print the folder with `pulumi` in it.",
        epilog="Environment: ARCHI_CACHE, PULUMI_HOME, ARCHI_TOOLCHAIN=official|go.",
    )
    parser.add_argument(
        "--where", action="store_true", help="only print the folder; fail if it is not there"
    )
    options = parser.parse_args(arguments)
    try:
        folder = where(ways()) if options.where else ensure(ways())
    except (ToolchainError, OSError, subprocess.CalledProcessError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted; a further run goes on from here")
        return 130
    print(folder)
    return 0
