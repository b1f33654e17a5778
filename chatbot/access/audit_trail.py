"""Audit events of the request that is being handled."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import g, request
from sqlalchemy.orm import Session

from chatbot.access.principal import Principal
from chatbot.data import audit
from chatbot.data.audit import Action


def record(
    session: Session,
    action: Action,
    *,
    target: str = "",
    user_id: UUID | None = None,
    user_name: str = "",
    **detail: Any,  # noqa: ANN401 - JSON
) -> None:
    """Add an event of this request, by default of the account that it acts for.

    Args:
        session: an open session that may write.
        action: what has happened.
        target: what was acted on.
        user_id: who did it, where that is not yet the request's account.
        user_name: what that account is called, or the name that somebody gave.
        detail: more, never a secret.
    """
    principal: Principal | None = g.get("principal")
    if principal is not None and user_id is None and not user_name:
        user_id, user_name = principal.user_id, principal.name
        detail = {**detail, "by": principal.by.value}
    audit.record(
        session,
        action,
        user_id=user_id,
        user_name=user_name,
        address=request.remote_addr or "",
        request_id=g.request_id,
        target=target,
        **detail,
    )
