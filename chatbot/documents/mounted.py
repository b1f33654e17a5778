"""The folder of documents that the deployment mounts: taken in at start, and when it changes."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot.data import documents
from chatbot.data.database import Database
from chatbot.documents.kinds import kind_of
from chatbot.documents.reading import read
from chatbot.failures import Failure
from chatbot.watched_files import stamp

log = structlog.get_logger(__name__)

_MOST_FILES = 10_000
# Seconds between two looks at the folder.
_EVERY = 30.0
_AFTER_ERROR = 3.0


class MountedDocuments:
    """Keeps the database as the folder is, from a thread of its own.

    One worker does it for all: the others wait for its lock, and go on when it has died.

    Args:
        folder: the mounted folder.
        database: where its documents are kept.
        lock: the path of a file that this deployment's workers share.
        max_bytes: larger files are left out.
        every: seconds between two looks.
    """

    def __init__(
        self,
        folder: Path,
        database: Database,
        lock: Path,
        max_bytes: int,
        every: float = _EVERY,
    ) -> None:
        self._folder = folder.resolve()
        self._database = database
        self._lock_path = lock
        self._max_bytes = max_bytes
        self._every = every
        self._known: dict[str, tuple[int, int, int] | None] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="documents", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(5)

    def _work(self) -> None:
        with self._lock_path.open("w") as lock:
            while not self._stopping.is_set() and not _locked(lock):
                self._stopping.wait(self._every)
            while not self._stopping.is_set():
                pause = self._every
                try:
                    self.scan()
                except (SQLAlchemyError, OSError) as error:
                    log.warning("documents_not_read", reason=str(error.__cause__ or error))
                    pause = min(pause, _AFTER_ERROR)
                self._stopping.wait(pause)

    def scan(self) -> None:
        """Take in what is new or has changed, and forget what is gone.

        Raises:
            SQLAlchemyError: the database fails; the next look does the rest.
        """
        with self._database.read() as session:
            stored = documents.mounted(session)
        found = {str(path.relative_to(self._folder)): path for path in self._files()}
        for name, path in found.items():
            if self._stopping.is_set():
                return
            seen = stamp(path)
            if name in self._known and self._known[name] == seen:
                continue
            self._take(name, path, stored.get(name))
            self._known[name] = seen
        gone = stored.keys() - found.keys()
        if gone:
            with self._database.write() as session:
                documents.remove_mounted(session, gone)
            log.info("documents_gone", count=len(gone))
        self._known = {name: seen for name, seen in self._known.items() if name in found}

    def _take(self, name: str, path: Path, stored: str | None) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            log.warning("document_not_taken", path=name, reason=error.strerror)
            return
        if hashlib.sha256(content).hexdigest() == stored:
            return
        try:
            media_type = kind_of(content, path.name)
        except Failure as failure:
            log.warning("document_not_taken", path=name, reason=failure.message)
            return
        taken = read(content, media_type)
        with self._database.write() as session:
            documents.put_mounted(
                session,
                name,
                name=path.name[:255],
                media_type=media_type,
                content=content,
                read=taken,
            )
        log.info("document_taken", path=name, pieces=len(taken.chunks), error=taken.error)

    def _files(self) -> Iterator[Path]:
        count = 0
        for path in sorted(self._folder.rglob("*")):
            relative = path.relative_to(self._folder)
            hidden = any(part.startswith(".") for part in relative.parts)
            # A link may lead out of the folder.
            if hidden or not path.is_file() or not path.resolve().is_relative_to(self._folder):
                continue
            if path.stat().st_size > self._max_bytes or not _storable(str(relative)):
                continue
            count += 1
            if count > _MOST_FILES:
                log.warning("documents_left_out", most=_MOST_FILES)
                return
            yield path


def content_of(folder: Path, path: str) -> bytes:
    """Return the bytes of a mounted document.

    Raises:
        Failure: 404, it has gone from the folder.
    """
    root = folder.resolve()
    file = (root / path).resolve()
    try:
        if file.is_relative_to(root):
            return file.read_bytes()
    except OSError:
        pass
    raise Failure(
        "document_gone",
        f"{Path(path).name} is not in the deployment's folder of documents any more.",
        "Ask whoever keeps that folder.",
        status=404,
    )


def lock_of(database_url: str) -> Path:
    """Return the path of the file by which the workers of one deployment agree who looks."""
    digest = hashlib.sha256(database_url.encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"archi-documents-{digest}.lock"


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _storable(path: str) -> bool:
    """Whether a name can be kept: a file's name need not be UTF-8."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return len(path) <= 1000
