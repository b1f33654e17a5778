"""Telling the worker of an answer to end it now, without the way through the database.

What is wanted of a run stands in the database, where its worker looks ten times a second. But a
database that others write to may take its time, and meanwhile the GPU computes for nobody.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from chatbot import workers_folder
from chatbot.runs.worker_name import process_of

_UUID_BYTES = 16


class Nudges:
    """A socket of this worker, in the folder that the workers share; only they can write to it.

    Args:
        loop: where it is read.
        stop: called there with the message whose answer is to end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: Callable[[UUID], None]) -> None:
        self._loop = loop
        self._stop = stop
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._path = _path(os.getpid())
        if self._path is not None:
            # An earlier process of the same number may have left it.
            self._path.unlink(missing_ok=True)
            self._socket.bind(str(self._path))
            loop.call_soon_threadsafe(loop.add_reader, self._socket, self._receive)

    def stop(self, worker: str, message_id: UUID) -> None:
        """Have a worker end a message's answer; does nothing where it cannot be reached."""
        process = process_of(worker)
        path = None if process is None else _path(process)
        if path is not None:
            with suppress(OSError):
                self._socket.sendto(message_id.bytes, str(path))

    def _receive(self) -> None:
        with suppress(BlockingIOError):
            while True:
                said = self._socket.recv(_UUID_BYTES + 1)
                if len(said) == _UUID_BYTES:
                    self._stop(UUID(bytes=said))

    def close(self) -> None:
        """Take the socket away; to be called on the loop."""
        if self._path is not None:
            self._loop.remove_reader(self._socket)
            self._path.unlink(missing_ok=True)
        self._socket.close()


def _path(process: int) -> Path | None:
    folder = workers_folder.shared()
    return None if folder is None else folder / f"stop-{process}"
