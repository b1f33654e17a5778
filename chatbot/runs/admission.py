"""The cap on answers that stream at the same time, in all workers together."""

from __future__ import annotations

import fcntl
import mmap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile, gettempdir

from chatbot import failures

# Workers that may be there at once: those of the setting, and as many that still drain.
SLOTS = 64


class Places:
    """Counts of taken places, one for each worker, in memory that forked processes share.

    A fixed share for each worker would refuse too early: which worker a connection lands on is
    chance. The file's lock is the kernel's, so a killed worker does not keep it, and whoever sees
    it die gives back its places by ``clear``.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = TemporaryFile(dir=folder or gettempdir())  # noqa: SIM115 - it stays open
        self._file.truncate(SLOTS * 4)
        self._counts = memoryview(mmap.mmap(self._file.fileno(), SLOTS * 4)).cast("i")
        self._own = threading.Lock()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        # The file's lock is between processes only, the other one between this one's threads.
        with self._own:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def taken(self) -> int:
        """Return how many places are taken by all workers."""
        return sum(self._counts)

    def take(self, slot: int, limit: int) -> bool:
        """Take a place for a worker's slot; False where all workers have ``limit`` together."""
        with self._alone():
            free = sum(self._counts) < limit
            self._counts[slot] += free
        return free

    def give(self, slot: int) -> None:
        """Give a place back."""
        with self._alone():
            self._counts[slot] -= 1

    def clear(self, slot: int) -> None:
        """Give back all places of a worker that is gone."""
        with self._alone():
            self._counts[slot] = 0


class Admission:
    """The door for answers in one worker.

    Each answer holds a request thread until its end, so there are fewer places than threads: the
    rest keeps answering ``/healthz`` and the lists.

    Args:
        limit: answers at the same time, in all workers.
        places: what the workers share; of its own where there is only this one.
        slot: this worker's slot.
        draining: whether this worker is to end and takes no new answers.
    """

    def __init__(
        self,
        limit: int,
        places: Places | None = None,
        slot: int = 0,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self.limit = limit
        self.draining = draining
        self._places = places or Places()
        self._slot = slot

    @property
    def free(self) -> int:
        """How many places are free now."""
        return max(0, self.limit - self._places.taken())

    def enter(self) -> None:
        """Take a place; ``leave`` gives it back.

        Raises:
            Failure: 503, all places are taken, or the application is shutting down.
        """
        if self.draining():
            raise failures.shutting_down()
        if not self._places.take(self._slot, self.limit):
            raise failures.busy(self.limit)

    def leave(self) -> None:
        """Give a place back."""
        self._places.give(self._slot)


class Seats:
    """Streams of events that this worker writes at the same time; more readers are refused.

    Each holds a request thread, whether its answer is made here or not, and a client that reads
    slowly holds it longer than the answer its place.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = threading.BoundedSemaphore(limit)

    def take(self) -> Seat:
        """Take a seat.

        Raises:
            Failure: 503, all are taken.
        """
        if not self._free.acquire(blocking=False):
            raise failures.busy(self.limit)
        return Seat(self._free.release)


class Seat:
    """A seat that is taken until ``leave``."""

    def __init__(self, release: Callable[[], object]) -> None:
        self._release = release
        self._left = False

    def leave(self) -> None:
        """Give the seat back. A second call does nothing."""
        if not self._left:
            self._left = True
            self._release()
