"""The installer, with a stand-in for Pulumi's servers and for Go."""

import hashlib
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from toolchain import downloads, installer, pins

PULUMI = """#!/bin/sh
test "$1 $2 $3 $4 $5" = "plugin install resource docker {version}" || exit 2
mkdir -p "$PULUMI_HOME/plugins/{folder}"
printf official > "$PULUMI_HOME/plugins/{folder}/{file}"
"""
GO = """#!/bin/sh
case "$1 $2" in
"env GOVERSION") printf '%s\\n%s\\n' {version} {policy} ;;
"install -v") echo a/package; printf go > "$GOBIN/$(basename "$PWD")" ;;
"build -v") while [ "$1" != -o ]; do shift; done; printf go > "$2" ;;
"list -m") echo {sdk} ;;
esac
"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a home of the test's own, and no server in reach."""
    monkeypatch.setenv("ARCHI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ARCHI_TOOLCHAIN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    nowhere = dict.fromkeys(downloads.SERVICES, "http://127.0.0.1:1")
    monkeypatch.setattr(downloads, "SERVICES", nowhere)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Pulumi's servers, with a release whose `pulumi` is a script. Yields its archive."""
    root = tmp_path / "served"
    name = Path(downloads.downloads()[0]).name
    archive, listing = root / name, root / downloads.downloads()[1].partition(":1/")[2]
    listing.parent.mkdir(parents=True)
    script = PULUMI.format(
        version=pins.DOCKER_VERSION, folder=pins.PLUGIN_FOLDER, file=pins.PLUGIN_FILE
    )
    with tarfile.open(archive, "w:gz") as tar:
        for file in (*pins.ENGINE_FILES, "pulumi-language-go"):
            member = tarfile.TarInfo(f"pulumi/{file}")
            content = script.encode() if file == "pulumi" else b"#!/bin/sh\n"
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    listing.write_text(f"{'0' * 64}  other.tar.gz\n{checksum}  {name}\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(downloads, "SERVICES", dict.fromkeys(downloads.SERVICES, address))
    monkeypatch.setattr(downloads, "PROBE_S", 60)
    yield archive
    server.shutdown()
    server.server_close()


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Go that builds at once."""
    fake_go(tmp_path, monkeypatch, version="go1.99.0", policy="local")


def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, version: str, policy: str) -> None:
    sdk = tmp_path / "sdk"
    for helper in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        (sdk / "python" / helper).parent.mkdir(parents=True, exist_ok=True)
        (sdk / "python" / helper).write_text("helper")
    command = tmp_path / "go" / "go"
    command.parent.mkdir()
    command.write_text(GO.format(version=version, policy=policy, sdk=sdk))
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")


def plugin(tmp_path: Path) -> str:
    folder = tmp_path / "home" / "plugins" / pins.PLUGIN_FOLDER
    return (folder / pins.PLUGIN_FILE).read_text()


def leftovers(tmp_path: Path) -> list[str]:
    return [p.name for p in (tmp_path / "cache" / "toolchain").glob("*") if p.suffix == ".partial"]


@pytest.mark.usefixtures("served")
def test_what_pulumi_serves_is_taken_once_and_then_nothing_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installer.main([]) == 0
    out, err = capsys.readouterr()
    folder = Path(out.splitlines()[-1])
    assert "downloading from Pulumi: its servers answer" in err
    assert sorted(f.name for f in folder.iterdir()) == sorted(pins.ENGINE_FILES)
    assert all(os.access(f, os.X_OK) for f in folder.iterdir())
    assert plugin(tmp_path) == "official"

    assert installer.main([]) == 0
    assert capsys.readouterr() == (f"{folder}\n", "")
    assert installer.main(["--where"]) == 0
    assert capsys.readouterr() == (f"{folder}\n", "")


@pytest.mark.usefixtures("served")
def test_another_home_of_pulumi_s_gets_its_plugin_from_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installer.main([]) == 0
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    capsys.readouterr()
    assert installer.main([]) == 0
    assert capsys.readouterr().err == ""
    assert plugin(tmp_path) == "official"


def test_an_archive_that_was_changed_is_refused_and_nothing_is_left(
    served: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ARCHI_TOOLCHAIN", "official")
    served.write_bytes(served.read_bytes() + b"changed")
    assert installer.main([]) == 1
    assert "is not what its published checksum says" in capsys.readouterr().err
    assert leftovers(tmp_path) == []
    assert installer.main(["--where"]) == 1


@pytest.mark.usefixtures("go")
def test_without_pulumi_s_servers_everything_is_built_and_the_reason_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installer.main([]) == 0
    out, err = capsys.readouterr()
    assert "building with Go: Pulumi's downloads cannot be had here (127.0.0.1:1: " in err
    assert "Building the Docker plugin: done after" in err
    assert {"pulumi-language-python-exec", "cli"} <= {f.name for f in Path(out.strip()).iterdir()}
    assert plugin(tmp_path) == "go"


@pytest.mark.usefixtures("go")
def test_a_download_that_breaks_off_ends_in_a_build(
    served: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.write_bytes(b"")
    assert installer.main([]) == 0
    assert "building with Go" in capsys.readouterr().err
    assert plugin(tmp_path) == "go"


@pytest.mark.parametrize(
    ("version", "policy", "code"),
    [("go1.19.8", "auto", 1), ("go1.24.0", "local", 1), ("go1.24.0", "auto", 0)],
)
def test_a_go_that_is_too_old_is_refused_unless_it_can_renew_itself(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    version: str,
    policy: str,
    code: int,
) -> None:
    fake_go(tmp_path, monkeypatch, version=version, policy=policy)
    assert installer.main([]) == code
    err = capsys.readouterr().err
    assert (f"too old ({version}). Install Go 1." in err) == bool(code)
    assert leftovers(tmp_path) == []


def test_without_go_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    assert installer.main([]) == 1
    assert "there is no Go. Install Go 1." in capsys.readouterr().err


@pytest.mark.usefixtures("go")
def test_a_newer_plugin_takes_the_place_of_the_one_in_pulumi_s_home(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "plugins" / pins.PLUGIN_FOLDER
    folder.mkdir(parents=True)
    (folder / pins.PLUGIN_FILE).write_text("older")
    folder.with_name(f"{folder.name}.partial").touch()
    assert installer.main([]) == 0
    assert plugin(tmp_path) == "go"
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


@pytest.mark.usefixtures("go")
def test_what_a_killed_run_left_does_not_count(tmp_path: Path) -> None:
    for way in installer.ways():
        for product in (way.engine, way.plugin):
            half = installer.cache() / f"{product.key}.partial" / "bin"
            half.mkdir(parents=True)
            (half / "pulumi").write_text("half")
    assert installer.main(["--where"]) == 1
    assert installer.main([]) == 0
    folder = next(way.engine.bin for way in installer.ways() if way.engine.present())
    assert not (folder / "pulumi").exists()


@pytest.mark.usefixtures("served")
def test_runs_at_the_same_time_install_once(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [threading.Thread(target=installer.main, args=([],)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    out, err = capsys.readouterr()
    assert len(set(out.split())) == 1
    assert len(out.split()) == len(runs)
    assert err.count("downloading from Pulumi") == 1


def test_an_unknown_way_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARCHI_TOOLCHAIN", "magic")
    assert installer.main([]) == 1
    assert "say 'official' or 'go'" in capsys.readouterr().err


def test_it_runs_as_a_command_of_its_own() -> None:
    script = Path(installer.__file__).with_name("install")
    command = [sys.executable, "-I", str(script), "--help"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "ARCHI_TOOLCHAIN=official|go" in ran.stdout
