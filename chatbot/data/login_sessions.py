"""Reading and writing sessions of people who have logged in.

The cookie holds a random id, this table its SHA-256: logging out ends a session also for whoever
has copied the cookie. Every function takes an open session of the database and leaves the commit
to its caller.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from chatbot.data.tables import LoginSession, User, now
from chatbot.failures import Failure

# Without a request for as long, a session is over.
IDLE = timedelta(days=7)
# However busy, it is over after so long.
LASTS = timedelta(days=30)
# A person of a provider logs in there again each day: groups and accounts change there.
LASTS_OIDC = timedelta(hours=12)

# When a session was last seen is written at most this often.
_SEEN_WRITTEN_EVERY = timedelta(minutes=1)


def begin(
    session: Session,
    user: User,
    *,
    address: str,
    user_agent: str,
    lasts: timedelta,
    id_token: str | None = None,
) -> str:
    """Put down that somebody has logged in; returns the id for the cookie."""
    token = secrets.token_urlsafe(32)
    moment = now()
    session.add(
        LoginSession(
            user_id=user.id,
            sha256=_digest(token),
            created_at=moment,
            seen_at=moment,
            expires_at=moment + lasts,
            address=address[:64],
            user_agent=user_agent[:200],
            id_token=id_token,
        )
    )
    user.last_login_at = moment
    session.flush()
    return token


def find(session: Session, token: str) -> tuple[LoginSession, User] | None:
    """Return a session that is not over, and its account; None where there is none."""
    moment = now()
    wanted = (
        select(LoginSession, User)
        .join(User, LoginSession.user_id == User.id)
        .where(
            LoginSession.sha256 == _digest(token),
            LoginSession.expires_at > moment,
            LoginSession.seen_at > moment - IDLE,
            LoginSession.created_at >= User.sessions_from,
            User.disabled_at.is_(None),
        )
    )
    found = session.execute(wanted).first()
    return (found[0], found[1]) if found else None


def stale(row: LoginSession) -> bool:
    """Whether the moment when the session was last seen is due to be written."""
    return now() - row.seen_at >= _SEEN_WRITTEN_EVERY


def seen(session: Session, session_id: UUID) -> None:
    """Put down that a session is in use now."""
    this = update(LoginSession).where(LoginSession.id == session_id)
    session.execute(this.values(seen_at=now()))


def listing(session: Session, owner: UUID) -> list[LoginSession]:
    """Return an account's sessions that are not over, the newest first."""
    moment = now()
    own = select(LoginSession).where(
        LoginSession.user_id == owner,
        LoginSession.expires_at > moment,
        LoginSession.seen_at > moment - IDLE,
    )
    return list(session.scalars(own.order_by(LoginSession.id.desc())))


def end_own(session: Session, session_id: UUID, owner: UUID) -> None:
    """End one of an account's sessions.

    Raises:
        Failure: 404, there is none with that id, or it is another account's.
    """
    found = session.get(LoginSession, session_id)
    if found is None or found.user_id != owner:
        raise Failure("session_not_found", "There is no such session.", status=404)
    session.delete(found)


def end(session: Session, session_id: UUID) -> None:
    """End one session."""
    session.execute(delete(LoginSession).where(LoginSession.id == session_id))


def end_all(session: Session, user: User, besides: UUID | None = None) -> None:
    """End all sessions of an account, on every device; ``besides`` goes on."""
    own = delete(LoginSession).where(LoginSession.user_id == user.id)
    if besides is None:
        # Also those that are being begun at this moment.
        user.sessions_from = now()
    else:
        own = own.where(LoginSession.id != besides)
    session.execute(own)


def forget_old(session: Session) -> None:
    """Remove sessions that are over."""
    moment = now()
    session.execute(
        delete(LoginSession).where(
            (LoginSession.expires_at < moment) | (LoginSession.seen_at < moment - IDLE)
        )
    )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
