"""What the files one-shot does to its volume."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

from archi.project import ROOT

SCRIPT = ROOT / "archi" / "in_container" / "write_files.py"


ME = [os.getuid(), os.getgid()]


def write(
    tmp_path: Path,
    files: dict[str, str],
    generate: tuple[str, ...] = (),
    secrets: dict[str, str] | None = None,
    fill: dict[str, dict[str, object]] | None = None,
) -> Path:
    staging, target = tmp_path / "staging", tmp_path / "target"
    target.mkdir(exist_ok=True)
    staging.mkdir()
    manifest = {
        "files": {**dict.fromkeys(files), **dict.fromkeys(secrets or {}, ME)},
        "generate": dict.fromkeys(generate, ME),
        "fill": fill or {},
    }
    for path, content in {**files, **(secrets or {})}.items():
        (staging / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / "files" / path).write_text(content)
    (staging / "manifest.json").write_text(json.dumps(manifest))
    subprocess.run([sys.executable, str(SCRIPT), str(staging), str(target)], check=True)
    assert not staging.exists()  # nothing secret stays outside the volume
    return target


def listed(target: Path) -> set[str]:
    return {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}


def test_files_are_written_and_replaced(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "1", "agents/x.md": "x"})
    target = write(tmp_path, {"a.yaml": "2", "agents/x.md": "x"})
    assert (target / "a.yaml").read_text() == "2"
    assert listed(target) == {"a.yaml", "agents/x.md"}


def test_what_is_no_longer_wanted_goes_with_its_folder(tmp_path: Path) -> None:
    write(tmp_path, {"a.yaml": "1", "agents/x.md": "x"})
    target = write(tmp_path, {"a.yaml": "1"})
    assert listed(target) == {"a.yaml"}
    assert not (target / "agents").exists()


def test_a_generated_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    target = write(tmp_path, {}, ("secrets/key",))
    first = (target / "secrets/key").read_text()
    assert len(first) > 40
    assert (write(tmp_path, {"a": "1"}, ("secrets/key",)) / "secrets/key").read_text() == first


def test_everyone_reads_files_and_only_owner_and_group_secrets(tmp_path: Path) -> None:
    target = write(tmp_path, {"a.yaml": "1"}, ("secrets/made",), {"secrets/given": "x"})
    assert (target / "a.yaml").stat().st_mode & 0o777 == 0o444
    for name in ("made", "given"):
        assert (target / "secrets" / name).stat().st_mode & 0o777 == 0o440


def test_a_secret_that_is_given_takes_the_place_of_one_that_was_made(tmp_path: Path) -> None:
    write(tmp_path, {}, ("secrets/key",))
    target = write(tmp_path, {}, (), {"secrets/key": "given"})
    assert (target / "secrets/key").read_text() == "given"


def test_a_secret_is_put_into_the_file_that_repeats_it(tmp_path: Path) -> None:
    fill = {"vllm.yaml": {"text": "api-key: @secret@\n", "secret": "secrets/key", "owner": ME}}
    key = 'with "quotes": # and more'
    target = write(tmp_path, {}, (), {"secrets/key": key}, fill)
    assert yaml.safe_load((target / "vllm.yaml").read_text()) == {"api-key": key}
    assert (target / "vllm.yaml").stat().st_mode & 0o777 == 0o440
    assert listed(write(tmp_path, {})) == set()


def test_a_made_secret_whose_mode_is_wrong_is_mended_and_kept(tmp_path: Path) -> None:
    """Volumes of earlier versions have it for its owner alone."""
    secret = write(tmp_path, {}, ("secrets/key",)) / "secrets/key"
    first = secret.read_text()
    secret.chmod(0o400)
    write(tmp_path, {}, ("secrets/key",))
    assert secret.stat().st_mode & 0o777 == 0o440
    assert secret.read_text() == first
