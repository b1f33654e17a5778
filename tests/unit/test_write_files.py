"""What the files one-shot does to its volume."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from archi.project import ROOT

SCRIPT = ROOT / "archi" / "in_container" / "write_files.py"


def write(tmp_path: Path, files: dict[str, str], generate: tuple[str, ...] = ()) -> Path:
    staging, target = tmp_path / "staging", tmp_path / "target"
    target.mkdir(exist_ok=True)
    manifest = {"files": dict.fromkeys(files), "generate": dict.fromkeys(generate, 0)}
    for path, content in files.items():
        (staging / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (staging / "files" / path).write_text(content)
    staging.mkdir(exist_ok=True)
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


def test_everyone_reads_files_and_only_the_owner_secrets(tmp_path: Path) -> None:
    target = write(tmp_path, {"a.yaml": "1"}, ("secrets/key",))
    assert (target / "a.yaml").stat().st_mode & 0o777 == 0o444
    assert (target / "secrets/key").stat().st_mode & 0o777 == 0o400
