"""Putting right what a killed process left behind."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot.data import conversations
from chatbot.data.database import Database

log = structlog.get_logger(__name__)


def recover(database: Database) -> int:
    """Mark answers that nobody writes any more as interrupted; returns how many there were.

    To be called when a worker starts, while it is the only one: should another still be ending
    (a reload by SIGHUP), its answers get their true state when they are saved. An unreachable
    database is logged.
    """
    try:
        with database.write() as session:
            count = conversations.interrupt_orphans(session)
    except SQLAlchemyError as error:
        log.warning("orphans_not_marked", reason=str(error.__cause__ or error))
        return 0
    if count:
        log.warning("answers_interrupted", count=count)
    return count
