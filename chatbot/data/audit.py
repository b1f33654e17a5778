"""The audit log: who got in or did not, and what was changed or deleted.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from chatbot.data.tables import AuditEvent, now

log = structlog.get_logger(__name__)

# How long events are kept.
KEPT = timedelta(days=365)


class Action(StrEnum):
    """What an event says has happened."""

    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    LOGOUT_EVERYWHERE = "logout_everywhere"
    SETUP = "setup"
    SETUP_FAILED = "setup_failed"
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DELETED = "user_deleted"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    PASSWORD_RESET = "password_reset"  # noqa: S105 - a name
    KEY_CREATED = "key_created"
    KEY_REVOKED = "key_revoked"
    CONVERSATION_DELETED = "conversation_deleted"
    CONVERSATIONS_DELETED = "conversations_deleted"
    DOCUMENT_DELETED = "document_deleted"
    EXPORTED = "exported"
    IMPORTED = "imported"


def record(
    session: Session,
    action: Action,
    *,
    user_id: UUID | None,
    user_name: str,
    address: str,
    request_id: str,
    target: str = "",
    **detail: Any,  # noqa: ANN401 - JSON
) -> None:
    """Add an event; the application's log says the same.

    Args:
        session: an open session that may write.
        action: what has happened.
        user_id: who did it; None where nobody has logged in.
        user_name: what that account is called, or the name that somebody gave.
        address: where it came from.
        request_id: under which the logs say more.
        target: what was acted on.
        detail: more, never a secret.
    """
    session.add(
        AuditEvent(
            user_id=user_id,
            user_name=user_name[:200],
            action=action,
            target=target[:255],
            address=address[:64],
            request_id=request_id[:64],
            detail=detail,
        )
    )
    log.info(
        "audit",
        action=str(action),
        user=user_name[:200],
        target=target[:255],
        address=address,
        **{f"detail_{name}": value for name, value in detail.items()},
    )


def listing(
    session: Session, limit: int, before: UUID | None = None, action: Action | None = None
) -> list[AuditEvent]:
    """Return events, the newest first; ``before`` is the id of the last one that is known."""
    wanted = select(AuditEvent).order_by(AuditEvent.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(AuditEvent.id < before)
    if action is not None:
        wanted = wanted.where(AuditEvent.action == action)
    return list(session.scalars(wanted))


def forget_old(session: Session) -> None:
    """Remove events that are older than ``KEPT``."""
    session.execute(delete(AuditEvent).where(AuditEvent.at < now() - KEPT))
