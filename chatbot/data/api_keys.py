"""Reading and writing API keys.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.orm import Session

from chatbot.data.tables import ApiKey, User, now
from chatbot.failures import Failure

BEGIN = "archi-"
# Characters by which a key is known again: archi/smoke/chat_key.py.
SHOWN_CHARS = 12
MAX_NAME_CHARS = 100
# Keys in use that an account may have.
MAX_KEYS = 100

# A key's last use is written at most this often.
_USE_WRITTEN_EVERY = timedelta(minutes=1)
# Keys out of use stay in lists for as long.
_KEPT = timedelta(days=30)


def create(
    session: Session, owner: UUID, name: str, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """Add a key.

    Returns:
        Its row and the key itself, which is kept nowhere.

    Raises:
        Failure: 409, the account has too many.
    """
    if len(usable(session, owner)) >= MAX_KEYS:
        raise Failure(
            "too_many_keys",
            f"The account has {MAX_KEYS} keys already.",
            "Revoke those that are not used any more.",
            status=409,
        )
    key = BEGIN + secrets.token_urlsafe(32)
    made = ApiKey(
        user_id=owner,
        name=name,
        prefix=key[:SHOWN_CHARS],
        sha256=_digest(key),
        expires_at=expires_at,
    )
    session.add(made)
    session.flush()
    return made, key


def find(session: Session, key: str) -> tuple[ApiKey, User] | None:
    """Return a key that is in use and its account; None where it is none, or not any more."""
    if not key.startswith(BEGIN):
        return None
    wanted = (
        select(ApiKey, User)
        .join(User, ApiKey.user_id == User.id)
        .where(ApiKey.sha256 == _digest(key), *_in_use(), User.disabled_at.is_(None))
    )
    found = session.execute(wanted).first()
    return (found[0], found[1]) if found else None


def stale_use(row: ApiKey) -> bool:
    """Whether the key's last use is due to be written."""
    return row.last_used_at is None or now() - row.last_used_at >= _USE_WRITTEN_EVERY


def used(session: Session, key_id: UUID) -> None:
    """Put down that a key is used now."""
    session.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now()))


def listing(session: Session, owner: UUID) -> list[ApiKey]:
    """Return an account's keys, the newest first; those out of use for a month are left out."""
    since = now() - _KEPT
    kept = (
        or_(ApiKey.revoked_at.is_(None), ApiKey.revoked_at > since),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > since),
    )
    own = select(ApiKey).where(ApiKey.user_id == owner, *kept)
    return list(session.scalars(own.order_by(ApiKey.id.desc())))


def usable(session: Session, owner: UUID) -> list[ApiKey]:
    """Return an account's keys that are in use."""
    return list(session.scalars(select(ApiKey).where(ApiKey.user_id == owner, *_in_use())))


def revoke(session: Session, key_id: UUID, owner: UUID) -> ApiKey:
    """Take one of an account's keys out of use.

    Raises:
        Failure: 404, there is none with that id, or it is another account's.
    """
    found = session.get(ApiKey, key_id)
    if found is None or found.user_id != owner:
        raise _not_found("with this id")
    found.revoked_at = found.revoked_at or now()
    return found


def revoke_shown(session: Session, shown: str) -> ApiKey:
    """Take a key out of use: the one that is given, or that begins so.

    Raises:
        Failure: 404 where there is none, 409 where several begin so.
    """
    whole = len(shown) > SHOWN_CHARS
    same = ApiKey.sha256 == _digest(shown) if whole else ApiKey.prefix == shown
    rows = list(session.scalars(select(ApiKey).where(same, *_in_use())))
    if not rows:
        raise _not_found(f"that begins with {shown[:SHOWN_CHARS]}")
    if len(rows) > 1:
        raise Failure(
            "several_keys",
            f"{len(rows)} keys begin with {shown[:SHOWN_CHARS]}.",
            "Give the whole key, or revoke it on the page.",
            status=409,
        )
    rows[0].revoked_at = now()
    return rows[0]


def forget_old(session: Session) -> None:
    """Remove keys that have been out of use for a month."""
    since = now() - _KEPT
    gone = or_(ApiKey.revoked_at < since, ApiKey.expires_at < since)
    session.execute(delete(ApiKey).where(gone))


def _in_use() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        ApiKey.revoked_at.is_(None),
        or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now()),
    )


def _digest(key: str) -> str:
    # Not slow as for passwords: nobody guesses 256 random bits.
    return hashlib.sha256(key.encode()).hexdigest()


def _not_found(which: str) -> Failure:
    return Failure(
        "key_not_found",
        f"There is no key in use {which}.",
        "Look at the list of keys.",
        status=404,
    )
