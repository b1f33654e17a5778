"""An Engine behind SSH. The `ssh` here is a stand-in that forwards within this machine."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker.errors import DockerException

from archi import ports, ssh_tunnel
from archi.docker_engine import DEFAULT_SOCKET, State, connect, inspect_engine
from archi.project import ROOT

HOST = "ssh://deploy@gpu1.example.org:2222"

# Reads ssh's own options, forwards a local socket to one of this machine, and ends, as ssh does,
# when its input has ended and nothing goes through it any more.
STAND_IN = """\
    #!{python}
    import pathlib, socket, sys, threading, time
    arguments = sys.argv[1:]
    with open({log!r}, "a") as log:
        log.write(" ".join(arguments) + chr(10))
    if "refused.example.org" in arguments:
        sys.exit("Permission denied (publickey).")
    local, remote = arguments[arguments.index("-L") + 1].split(":")
    assert arguments[arguments.index("--") + 2] == "cat"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(local)
    time.sleep(0.1)  # who comes in between is refused, for longer than with ssh itself
    listening.listen()

    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    open_ones = []

    def serve():
        while True:
            near, far = listening.accept()[0], socket.socket(socket.AF_UNIX)
            try:
                far.connect(remote)
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                open_ones.append(threading.Thread(target=copy, args=pair, daemon=True))
                open_ones[-1].start()

    threading.Thread(target=serve, daemon=True).start()
    sys.stdin.read()
    for one in open_ones:
        one.join()
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Puts the stand-in first on the path; gives the file in which it notes its arguments."""
    log = tmp_path / "log"
    program = tmp_path / "ssh"
    text = textwrap.dedent(STAND_IN)
    program.write_text(text.format(python=sys.executable, log=str(log)))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    kept: dict[str, ssh_tunnel._Tunnel] = {}
    monkeypatch.setattr(ssh_tunnel, "_kept", lambda: kept)
    return log


def test_an_engine_behind_ssh_answers_through_one_tunnel(ssh: Path) -> None:
    with ThreadPoolExecutor(max_workers=8) as pool:
        assert all(pool.map(lambda _: connect(HOST).ping(), range(24)))
    (said,) = ssh.read_text().splitlines()
    assert "-p 2222" in said
    assert said.endswith(":/var/run/docker.sock -- deploy@gpu1.example.org cat")
    assert "BatchMode=yes" in said


def test_another_socket_over_there_is_named_by_the_path(ssh: Path) -> None:
    with pytest.raises(DockerException):
        connect("ssh://gpu1.example.org/run/user/1000/docker.sock")
    assert ":/run/user/1000/docker.sock -- gpu1.example.org cat" in ssh.read_text()


def test_what_ssh_says_is_handed_on(ssh: Path) -> None:
    found = inspect_engine("ssh://refused.example.org")
    assert found.state is State.UNREACHABLE
    assert "Permission denied (publickey)" in found.explain()
    assert "usermod" not in found.explain()


def test_the_ports_of_an_engine_behind_ssh_are_not_this_machine_s(ssh: Path) -> None:
    client = connect(HOST)
    assert not ports._local(client)


def test_without_ssh_nothing_is_forwarded(ssh: Path) -> None:
    assert ssh_tunnel.local(DEFAULT_SOCKET) == DEFAULT_SOCKET
    assert not ssh.exists()


def test_a_process_that_ends_does_not_wait_for_what_goes_through_its_tunnel(ssh: Path) -> None:
    script = (
        "import socket; from archi import ssh_tunnel;"
        f"path = ssh_tunnel.local({HOST!r}).removeprefix('unix://');"
        "through = socket.socket(socket.AF_UNIX); through.connect(path); print(path)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).parent.exists()


def test_a_killed_process_leaves_no_tunnel(ssh: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from archi import ssh_tunnel; t = ssh_tunnel._open({HOST!r});"
            "print(t._ssh.pid, flush=True); import time; time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert holder.stdout is not None
    tunnel = int(holder.stdout.readline())
    watch = os.pidfd_open(tunnel)
    holder.kill()
    holder.wait()
    readable, _, _ = select.select([watch], [], [], 120)
    os.close(watch)
    assert readable
