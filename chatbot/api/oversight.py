"""What admins see: usage, the application's state, and the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from chatbot.access.principal import overseer
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import ModelState, Query, Shown
from chatbot.data import accounts, audit, usage
from chatbot.data.audit import Action
from chatbot.data.usage import DayOfUse, FailedAnswer
from chatbot.health import model_state
from chatbot.services import services

api = blueprint("oversight", __name__)

MAX_DAYS = 366
_FAILED = 50


class Days(Query):
    """How many days, today included, in UTC."""

    days: int = Field(default=30, ge=1, le=MAX_DAYS)


class Usage(BaseModel):
    """Usage by account and day, the newest first, and the newest answers that failed.

    Completions of `/v1` are counted, but not kept, so none of them is among those that failed.
    Answers that people have deleted are not counted.
    """

    days: list[DayOfUse]
    failed: list[FailedAnswer]


class AdminState(BaseModel):
    """How the application does. ``answers`` are in progress now, at most ``max_answers``."""

    model: ModelState
    answers: int
    max_answers: int
    workers: int
    accounts: int
    auth: Literal["none", "local", "oidc"]
    database: Literal["sqlite", "postgresql"]


class AuditPage(Query):
    """Which part of the audit log: at most ``limit``, after the end ``before`` of another part."""

    limit: int = Field(default=100, ge=1, le=500)
    before: UUID | None = Field(default=None, description="`next` of the part before")
    action: Action | None = None


class ShownEvent(Shown):
    """Something that has happened; ``user_id`` is null where nobody was logged in."""

    id: UUID
    at: datetime
    user_id: UUID | None
    user_name: str
    action: str
    target: str
    address: str
    request_id: str
    detail: dict[str, Any]


class AuditLog(BaseModel):
    """Events, the newest first; ``next`` is null at the end."""

    events: list[ShownEvent]
    next: UUID | None


@api.get("/admin/usage", responses={"200": Usage, **errors(403)})
def show_usage(query: Days) -> dict[str, Any]:
    """Show what answers have cost, by account and day."""
    overseer()
    with services().database.read() as session:
        days = usage.by_day(session, query.days)
        failed = usage.failed(session, query.days, _FAILED)
    return shown(Usage(days=days, failed=failed))


@api.get("/admin/state", responses={"200": AdminState, **errors(403)})
def show_admin_state() -> dict[str, Any]:
    """Show how the application does."""
    overseer()
    parts = services()
    with parts.database.read() as session:
        people = len(accounts.people(session))
    limit = parts.admission.limit
    return shown(
        AdminState(
            model=ModelState.model_validate(model_state()),
            answers=limit - parts.admission.free,
            max_answers=limit,
            workers=parts.settings.workers,
            accounts=people,
            auth=parts.settings.access.mode,
            database=parts.settings.database.get_backend_name(),
        )
    )


@api.get("/audit", responses={"200": AuditLog, **errors(403)})
def show_audit_log(query: AuditPage) -> dict[str, Any]:
    """Show who got in or did not, and what was changed or deleted."""
    overseer()
    with services().database.read() as session:
        # One more than is asked for says whether there is another part.
        rows = audit.listing(session, query.limit + 1, query.before, query.action)
    part = rows[: query.limit]
    return shown(
        AuditLog(
            events=[ShownEvent.model_validate(row) for row in part],
            next=part[-1].id if len(rows) > len(part) else None,
        )
    )
