"""gunicorn, told in code what to do: the settings are known already, and parsed only once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from chatbot import metrics_folder
from chatbot.logs import GunicornLogger
from chatbot.settings import Settings


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker of many threads; ``run`` returns only by ending the process.

    One worker, because an answer in progress lives in its worker, and a stop must reach it there.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._close: Callable[[], None] | None = None
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options."""
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - gunicorn's own signature; it is the Flask application
        """Make the application, in the worker."""
        # Here, because the master process does not need what it imports.
        from chatbot.app import create_app
        from chatbot.data.recovery import recover
        from chatbot.services import Services

        parts = Services(self._settings)
        # The worker before this one may have been killed in the middle of an answer.
        recover(parts.database)
        self._close = parts.close
        return create_app(parts)

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
        return {
            "bind": f"{host}:{settings.listen_port}",
            "workers": 1,
            "worker_class": "gthread",
            # Each answer holds a thread. The others serve the lists and /healthz, and connections
            # that browsers open in advance, each of which holds one for up to 5 seconds.
            "threads": settings.max_streams + 24,
            # Says only that the worker's main thread is alive: no stream is cut by it.
            "timeout": 60,
            # A stopping worker lets answers end. Nothing is lost where Docker is less patient.
            "graceful_timeout": 600,
            "keepalive": 75,
            # It must be writable where the root is read-only, and should not be on a disk.
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp",  # noqa: S108
            "control_socket_disable": True,
            "accesslog": None,
            "logger_class": GunicornLogger,
            "worker_exit": self._worker_exit,
            "on_exit": lambda _arbiter: metrics_folder.remove(),
        }

    def _worker_exit(self, _arbiter: object, _worker: object) -> None:
        """End the worker's answers, so that each is saved with what it has."""
        if self._close is not None:
            self._close()
