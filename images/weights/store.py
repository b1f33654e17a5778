"""A folder of model weights that is complete or absent: lock, marker, progress, errors.

Runs inside containers, with the standard library alone. Every line on stdout is one JSON object:

- ``{"event": "progress", "done_bytes": int, "total_bytes": int}``
- ``{"event": "waiting", "message": str}``: another run works on the same folder
- ``{"event": "done", "bytes": int, "seconds": float, "cached": bool, "message": str}``
- ``{"event": "error", "cause": Cause, "message": str, "evidence": str}``, with exit code 1
"""

import errno
import fcntl
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Literal

MARKER = ".archi-complete.json"
"""Written last into a folder of weights; a folder without it is not complete."""

DISK_RESERVE_BYTES = 64 * 1024 * 1024
"""Left free beside the weights, for the file system's own needs."""

Cause = Literal[
    "model-not-found",
    "gated",
    "unauthorized",
    "revision-not-found",
    "hub-unreachable",
    "disk-full",
    "interrupted",
    "offline",
    "folder-incomplete",
    "other",
]


class WeightsError(Exception):
    """No weights: ``cause`` is for programs, ``message`` and ``evidence`` for people."""

    def __init__(self, cause: Cause, message: str, evidence: str = "") -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.evidence = evidence


def emit(event: str, **fields: object) -> None:
    """Print one event as a JSON line on stdout."""
    print(json.dumps({"event": event, **fields}), flush=True)


class Target:
    """A folder of weights below a volume, and the partial folder beside it that becomes it.

    Args:
        path: where the complete weights shall be, such as ``/models/ORG/REPO/REVISION``.
        identity: what they are (model, revision, source): a marker that says otherwise is of
            other weights, which are then made anew.
    """

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        self.path = path
        self.identity = identity
        self.partial = path.with_name(f".{path.name}.partial")
        self._lock = path.with_name(f".{path.name}.lock")

    def complete_bytes(self) -> int | None:
        """Bytes of the weights when they are complete, else None."""
        try:
            marker = json.loads((self.path / MARKER).read_text())
            files = {str(name): int(size) for name, size in marker["files"].items()}
            if any(marker[key] != value for key, value in self.identity.items()):
                return None
            if any((self.path / name).stat().st_size != size for name, size in files.items()):
                return None
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return None
        return sum(files.values())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second run, on this host or in another container.

        A second run waits: it finds the weights complete when the first is done. The kernel
        drops the lock of a killed run.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                emit("waiting", message=f"another run is making {self.path}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def check_disk(self, needed: int) -> None:
        """Refuse before the work when the volume lacks room for ``needed`` more bytes."""
        stat = os.statvfs(self.path.parent)
        free = stat.f_bavail * stat.f_frsize
        if needed + DISK_RESERVE_BYTES > free:
            raise WeightsError(
                "disk-full",
                f"the weights need {_gigabytes(needed)} more, and the volume has "
                f"{_gigabytes(free)} free: free some space where Docker keeps its volumes, "
                "or choose a smaller model",
                f"needed_bytes={needed} reserve_bytes={DISK_RESERVE_BYTES} free_bytes={free}",
            )

    def _open_to_readers(self) -> None:
        """Let every user read: libraries write 0600, and a server need not be the maker's user."""
        for path in (self.partial, *self.partial.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)

    def publish(self) -> int:
        """Turn the partial folder into the complete one; return its bytes.

        The marker is inside before the rename, so that a kill at any moment leaves a folder
        that is either complete or taken for incomplete.
        """
        files = {
            str(path.relative_to(self.partial)): path.stat().st_size
            for path in sorted(self.partial.rglob("*"))
            if path.is_file() and path.name != MARKER
        }
        marker = self.partial / MARKER
        marker.write_text(json.dumps({**self.identity, "files": files}, indent=1) + "\n")
        self._open_to_readers()
        os.sync()
        if self.path.exists():
            shutil.rmtree(self.path)
        self.partial.rename(self.path)
        return sum(files.values())


@contextmanager
def reported_progress(done: Callable[[], int], total: int) -> Iterator[None]:
    """Emit progress while the block runs: at most once a second and once per percent."""
    stop = threading.Event()

    def report() -> None:
        last = -1
        while not stop.wait(1):
            bytes_now = min(done(), total)
            percent = bytes_now * 100 // max(total, 1)
            if percent != last:
                last = percent
                emit("progress", done_bytes=bytes_now, total_bytes=total)

    emit("progress", done_bytes=min(done(), total), total_bytes=total)
    thread = threading.Thread(target=report, daemon=True)
    thread.start()
    try:
        yield
        emit("progress", done_bytes=total, total_bytes=total)
    finally:
        stop.set()
        thread.join()


def run(target: Target, make: Callable[[], None]) -> int:
    """Make the weights unless they are there, and report the outcome; return the exit code.

    Args:
        target: where they belong.
        make: fills ``target.partial``; called with the folder locked.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        with target.locked():
            size = target.complete_bytes()
            cached = size is not None
            if size is None:
                target.partial.mkdir(exist_ok=True)
                make()
                size = target.publish()
    except (Exception, KeyboardInterrupt) as error:
        failure = _explained(error)
        emit(
            "error", cause=failure.cause, message=failure.message, evidence=failure.evidence[-2000:]
        )
        return 1
    emit(
        "done",
        bytes=size,
        seconds=round(time.monotonic() - started, 1),
        cached=cached,
        message="complete already, nothing to do" if cached else f"complete: {target.path}",
    )
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    # A second signal must not interrupt the report of the first.
    with suppress(ValueError):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def _explained(error: BaseException) -> WeightsError:
    """The error as one of ours; what is not known stays as the library said it."""
    if isinstance(error, WeightsError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return WeightsError(
            "interrupted", "stopped before it was complete; the next run goes on from here"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WeightsError(
            "disk-full", "the volume is full: free some space and run again", str(error)
        )
    return WeightsError("other", str(error) or type(error).__name__, repr(error))


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.2f} GB"
