"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from chatbot.environment import SettingsError

log = structlog.get_logger(__name__)

T = TypeVar("T")


class WatchedFile(Generic[T]):
    """The content of one file. Safe to use from several threads.

    A file that turns bad is logged, once for each change, and its last good content stays.

    Args:
        path: the file.
        read: reads it; raises SettingsError where it is wrong.
        absent: the content where there is no file; None where there must be one.
    """

    def __init__(self, path: Path, read: Callable[[Path], T], absent: T | None = None) -> None:
        self._path = path
        self._read = read
        self._absent = absent
        self._lock = threading.Lock()
        self._stamp: Hashable = None
        self._good: T | None = None
        self._problem: SettingsError | None = None

    def get(self) -> T:
        """Return the content, read again when the file's time, size or inode changed.

        Raises:
            SettingsError: the file is wrong, and no good content was ever read.
        """
        with self._lock:
            found = stamp(self._path)
            if found != self._stamp or (self._good is None and self._problem is None):
                self._stamp = found
                self._take(found is not None)
            if self._good is None:
                assert self._problem is not None  # noqa: S101 - one of them is there
                raise self._problem
            return self._good

    @property
    def problem(self) -> str | None:
        """What is wrong with the file as it is now; its last good content is used meanwhile."""
        return None if self._problem is None else str(self._problem)

    def _take(self, there: bool) -> None:
        if not there and self._absent is not None:
            self._good, self._problem = self._absent, None
            return
        try:
            self._good, self._problem = self._read(self._path), None
        except SettingsError as error:
            self._problem = error
            log.warning("file_not_taken", path=str(self._path), reason=str(error))
        else:
            log.info("file_read", path=str(self._path))


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what differs when a file does; None where there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
