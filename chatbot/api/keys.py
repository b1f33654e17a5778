"""API keys: ``/api/keys``. A key is shown once, when it is made."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from chatbot.access import audit_trail
from chatbot.access.principal import in_person
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import Body, NotBlank, Shown
from chatbot.data import api_keys
from chatbot.data.audit import Action
from chatbot.data.tables import now
from chatbot.services import services

api = blueprint("keys", __name__)

MAX_DAYS = 3650


class NewKey(Body):
    """A key that is to be made; without ``expires_in_days`` it lasts until it is revoked."""

    name: NotBlank = Field(max_length=api_keys.MAX_NAME_CHARS)
    expires_in_days: int | None = Field(default=None, ge=1, le=MAX_DAYS)


class ShownKey(Shown):
    """A key as it is known again: by its name and its first characters."""

    id: UUID
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None


class MadeKey(ShownKey):
    """A new key. ``key`` is shown now, and never again."""

    key: str


class KeyList(BaseModel):
    """The account's keys, the newest first; those out of use for a month are left out."""

    keys: list[ShownKey]


class KeyPath(BaseModel):
    """The path of one key."""

    key_id: UUID


@api.get("/keys", responses={"200": KeyList, **errors(403)})
def list_keys() -> dict[str, Any]:
    """List one's API keys."""
    owner = in_person().user_id
    with services().database.read() as session:
        rows = api_keys.listing(session, owner)
    return shown(KeyList(keys=[ShownKey.model_validate(row) for row in rows]))


@api.post("/keys", responses={"201": MadeKey, **errors(400, 403, 409, 415)})
def create_key(body: NewKey) -> tuple[dict[str, Any], int]:
    """Make an API key for `/v1` and for this API, with one's own rights."""
    owner = in_person().user_id
    days = body.expires_in_days
    until = now() + timedelta(days=days) if days is not None else None
    with services().database.write() as session:
        api_keys.forget_old(session)
        row, key = api_keys.create(session, owner, body.name, until)
        audit_trail.record(session, Action.KEY_CREATED, target=row.prefix, name=row.name)
        made = MadeKey(**ShownKey.model_validate(row).model_dump(), key=key)
    return shown(made), 201


@api.delete("/keys/<uuid:key_id>", responses={"204": None, **errors(403, 404)})
def revoke_key(path: KeyPath) -> tuple[str, int]:
    """Take a key out of use, at once."""
    owner = in_person().user_id
    with services().database.write() as session:
        row = api_keys.revoke(session, path.key_id, owner)
        audit_trail.record(session, Action.KEY_REVOKED, target=row.prefix, name=row.name)
    return "", 204
