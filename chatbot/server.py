"""gunicorn, told in code what to do: the settings are known already, and parsed only once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from chatbot import workers_folder
from chatbot.access.setup_token import SetupToken
from chatbot.data.database import Database
from chatbot.data.recovery import recover_gone
from chatbot.deployment_files import DeploymentFiles
from chatbot.logs import GunicornLogger
from chatbot.runs.admission import SLOTS, Admission, Places
from chatbot.runs.worker_name import is_alive, this_host
from chatbot.settings import Settings

log = structlog.get_logger(__name__)

# Seconds after the time for draining until a worker cuts what still goes on, and until the master
# kills it: archi's deployments have Docker's own limit there.
_CUT_AFTER = 2
_KILL_AFTER = 5


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker of threads, which while it drains refuses new connections.

    gunicorn's own (27.0) keeps its listening socket to the end, so that clients would hang in it.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """Accept connections, or no more."""
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                listener.close()


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with workers of many threads; ``run`` returns only by ending the process."""

    def __init__(self, settings: Settings, setup: SetupToken) -> None:
        self._settings = settings
        self._setup = setup
        self._places = Places()
        # In the master: which slot of the places is whose. In a worker: its own.
        self._workers: dict[int, Any] = {}
        self._slot = 0
        self._draining: Callable[[], bool] = lambda: False
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
        from chatbot.services import Services

        limit = self._settings.max_streams
        admission = Admission(limit, self._places, self._slot, self._draining)
        parts = Services(self._settings, admission, self._setup)
        self._close = parts.close
        return create_app(parts)

    def _options(self) -> dict[str, Any]:
        settings = self._settings
        host = f"[{settings.listen_host}]" if ":" in settings.listen_host else settings.listen_host
        return {
            **self._certificate(),
            "bind": f"{host}:{settings.listen_port}",
            "workers": settings.workers,
            "worker_class": Worker,
            # Threads start when they are needed. Each stream holds one, and all may land in one
            # worker: those of the page (services.seats) and those of /v1. The others serve the
            # lists and /healthz, and connections that browsers open in advance, each of which
            # holds one for up to 5 seconds.
            "threads": 3 * settings.max_streams + 24,
            # Says only that the worker's main thread is alive: no stream is cut by it.
            "timeout": 60,
            # A stopping worker lets answers end: `runs.watch` ends those that take longer, and what
            # goes on then is cut off. Nothing is lost where Docker is less patient.
            "graceful_timeout": int(settings.drain_timeout) + _KILL_AFTER,
            "keepalive": 75,
            # It must be writable where the root is read-only, and should not be on a disk.
            "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else "/tmp",  # noqa: S108
            "control_socket_disable": True,
            "accesslog": None,
            "logger_class": GunicornLogger,
            "pre_fork": self._pre_fork,
            "post_fork": self._post_fork,
            "worker_exit": self._worker_exit,
            "on_exit": lambda _arbiter: workers_folder.remove(),
            "child_exit": self._child_exit,
        }

    def _certificate(self) -> dict[str, str]:
        """Have gunicorn speak TLS, where the deployment has a certificate."""
        found = DeploymentFiles(self._settings.files).certificate()
        return {"certfile": str(found[0]), "keyfile": str(found[1])} if found else {}

    def _pre_fork(self, _arbiter: object, worker: object) -> None:
        """Give the worker a slot of its own, in the master."""
        self._slot = next(slot for slot in range(SLOTS) if slot not in self._workers)
        self._workers[self._slot] = worker

    def _post_fork(self, _arbiter: object, worker: Any) -> None:  # noqa: ANN401 - gunicorn's
        """Know, in the worker, when it is to end, and be done before the master kills it."""
        self._draining = lambda: not worker.alive
        worker.cfg.set("graceful_timeout", int(self._settings.drain_timeout) + _CUT_AFTER)

    def _worker_exit(self, _arbiter: object, _worker: object) -> None:
        """End the worker's answers, so that each is saved with what it has."""
        if self._close is not None:
            self._close()

    def _child_exit(self, _arbiter: object, worker: object) -> None:
        """Put right, in the master, what a killed worker left behind."""
        slot = next(slot for slot, other in self._workers.items() if other is worker)
        self._places.clear(slot)
        del self._workers[slot]
        # An exception would end the master. What this cannot do now, the workers do later.
        try:
            # Opened and closed here: no connection may be open when the next worker is forked.
            database = Database.of(self._settings, DeploymentFiles(self._settings.files))
            recover_gone(database, this_host(), is_alive)
            database.close()
        except Exception:
            log.exception("orphans_not_marked")
