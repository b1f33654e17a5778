"""Locks of killed runs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archi.cancellation import RUN_VARIABLE
from archi.leftovers import end_orphans, locks, pending


def lock(folder: Path, stack: str, pid: int, host: str = "") -> Path:
    path = folder / "organization" / "archi" / stack / f"{pid}-{host}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid, "hostname": host or socket.gethostname()}))
    return path


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def dead(folder: Path, stack: str) -> list[int]:
    return [one.pid for one in locks(folder, stack) if one.dead]


def test_the_lock_of_a_process_that_is_gone_is_dead(tmp_path: Path) -> None:
    gone = ended_process()
    path = lock(tmp_path, "bot", gone)
    [found] = locks(tmp_path, "bot")
    assert (found.pid, found.path, found.here, found.dead) == (gone, path, True, True)
    assert found.began == path.stat().st_mtime


@contextmanager
def running(folder: Path, name: str) -> Iterator[int]:
    """A process of that name that does nothing."""
    shutil.copy(shutil.which("sleep") or "", folder / name)
    with subprocess.Popen([folder / name, "inf"]) as process:
        yield process.pid
        process.kill()


def test_the_lock_of_a_running_pulumi_stays(tmp_path: Path) -> None:
    with running(tmp_path, "pulumi") as pid:
        lock(tmp_path, "bot", pid)
        assert dead(tmp_path, "bot") == []


def test_a_process_that_only_has_the_same_id_does_not_count(tmp_path: Path) -> None:
    with running(tmp_path, "other") as pid:
        lock(tmp_path, "bot", pid)
        assert dead(tmp_path, "bot") == [pid]


def test_a_pulumi_that_ended_and_was_not_reaped_does_not_count(tmp_path: Path) -> None:
    with running(tmp_path, "pulumi") as pid:
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        lock(tmp_path, "bot", pid)
        assert dead(tmp_path, "bot") == [pid]


def test_another_machines_lock_stays(tmp_path: Path) -> None:
    lock(tmp_path, "bot", ended_process(), host="elsewhere")
    [found] = locks(tmp_path, "bot")
    assert (found.host, found.here, found.dead) == ("elsewhere", False, False)


def test_another_stacks_lock_stays(tmp_path: Path) -> None:
    lock(tmp_path, "my-bot", ended_process())
    assert locks(tmp_path, "bot") == []


def test_a_plugin_whose_run_is_gone_is_ended_and_another_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A name of its own: the whole machine is looked at, and others' runs are not this test's.
    variable = f"{RUN_VARIABLE}_{os.getpid()}"
    monkeypatch.setattr("archi.leftovers.RUN_VARIABLE", variable)
    for run, ends in ((ended_process(), True), (os.getpid(), False)):
        environment = {**os.environ, variable: str(run)}
        with subprocess.Popen([sys.executable, "-c", "input()"], env=environment) as plugin:
            assert (plugin.pid in end_orphans()) is ends
            plugin.kill()


def test_what_was_being_made_is_named() -> None:
    urn = "urn:pulumi:bot::archi::docker:index/container:Container::vllm-server"
    latest = {"pending_operations": [{"resource": {"urn": urn}}]}
    assert pending({"checkpoint": {"latest": latest}}) == ["vllm-server"]
    assert pending({}) == []
    assert pending({"checkpoint": {"latest": None}}) == []
