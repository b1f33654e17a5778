"""Locks of killed runs."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from archi.leftovers import remove_dead_locks


def lock(folder: Path, stack: str, pid: int, host: str = "") -> Path:
    path = folder / "organization" / "archi" / stack / f"{pid}-{host}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "hostname": host or socket.gethostname()}))
    return path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_lock_of_a_process_that_is_gone_is_removed(tmp_path: Path) -> None:
    gone = ended_process()
    path = lock(tmp_path, "bot", gone)
    assert remove_dead_locks(tmp_path, "bot") == [gone]
    assert not path.exists()


def test_the_lock_of_a_living_process_stays(tmp_path: Path) -> None:
    path = lock(tmp_path, "bot", os.getpid())
    assert remove_dead_locks(tmp_path, "bot") == []
    assert path.exists()


def test_another_machines_lock_stays(tmp_path: Path) -> None:
    path = lock(tmp_path, "bot", ended_process(), host="elsewhere")
    assert remove_dead_locks(tmp_path, "bot") == []
    assert path.exists()


def test_another_stacks_lock_stays(tmp_path: Path) -> None:
    path = lock(tmp_path, "my-bot", ended_process())
    assert remove_dead_locks(tmp_path, "bot") == []
    assert path.exists()
