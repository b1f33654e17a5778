"""Structured logs: one JSON object per line on standard output, with the request's id."""

from __future__ import annotations

import logging
import sys

import structlog
from gunicorn.glogging import Logger  # type: ignore[import-untyped]


def configure() -> None:
    """Send structlog's and the standard library's records to stdout as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    # One line per upstream request would say nothing that our own records don't.
    for noisy in ("httpx2", "httpcore2", "openai", "alembic.runtime.migration"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class GunicornLogger(Logger):  # type: ignore[misc]
    """gunicorn's logger without handlers of its own, so that its lines are JSON too."""

    def setup(self, cfg: object) -> None:
        """Configure logging in the process that gunicorn runs in."""
        configure()
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
