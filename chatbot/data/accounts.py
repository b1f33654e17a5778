"""Reading and writing accounts.

Every function takes an open session and leaves the commit to its caller.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from chatbot.data import conversations, login_sessions
from chatbot.data.tables import EVERYONE, User, UserRole, now
from chatbot.failures import Failure

MAX_NAME_CHARS = 64
NAME_PATTERN = r"^[\w][\w.@+-]{0,63}$"

_NAME = re.compile(NAME_PATTERN)


def normal_name(name: str) -> str:
    """Return a name as it is kept: without space around it, in lower case."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def alone(session: Session) -> None:
    """Have other changes of accounts wait until this transaction ends, in any process."""
    # SQLite lets one transaction write at a time; Postgres locks this row, which is always there.
    session.execute(select(User.id).where(User.id == EVERYONE).with_for_update())


def can_be_name(name: str) -> bool:
    """Whether an account can be called so."""
    return _NAME.fullmatch(normal_name(name)) is not None


def people(session: Session) -> list[User]:
    """Return all accounts that people log in with, by name."""
    return list(session.scalars(select(User).where(User.id != EVERYONE).order_by(User.name)))


def by_name(session: Session, name: str) -> User | None:
    """Return the account of a name; None where there is none."""
    wanted = select(User).where(User.name == normal_name(name), User.id != EVERYONE)
    return session.scalars(wanted).first()


def get(session: Session, user_id: UUID) -> User:
    """Return an account that people log in with.

    Raises:
        Failure: 404, there is none.
    """
    found = session.get(User, user_id) if user_id != EVERYONE else None
    if found is None:
        raise not_found()
    return found


def named(session: Session, name: str) -> User:
    """Return the account of a name.

    Raises:
        Failure: 404, there is none.
    """
    found = by_name(session, name)
    if found is None:
        raise not_found(name)
    return found


def not_found(name: str = "") -> Failure:
    """Say that there is no such account."""
    return Failure(
        "user_not_found",
        f"There is no account {name!r}." if name else "There is no such account.",
        "Look at the list of accounts.",
        status=404,
    )


def taken(name: str) -> Failure:
    """Say that another account has the name."""
    return Failure(
        "name_taken",
        f"There is an account {name!r} already.",
        "Choose another name.",
        status=409,
        param="name",
    )


def create(session: Session, name: str, role: UserRole, password_hash: str) -> User:
    """Add an account that logs in with a password.

    Raises:
        Failure: 422 for a name that cannot be one, 409 where it is taken.
    """
    kept = checked_name(name)
    alone(session)
    if _taken(session, kept):
        raise taken(kept)
    made = User(name=kept, role=role, password_hash=password_hash)
    session.add(made)
    session.flush()
    return made


def checked_name(name: str) -> str:
    """Return a name as it is kept.

    Raises:
        Failure: 422, it cannot be one.
    """
    kept = normal_name(name)
    if not can_be_name(kept):
        raise Failure(
            "invalid_name",
            f"The name {name[:MAX_NAME_CHARS]!r} cannot be an account's.",
            f"Take letters, digits and . _ @ + -, at most {MAX_NAME_CHARS}, and begin with a "
            "letter or a digit.",
            status=422,
            param="name",
        )
    return kept


def of_provider(
    session: Session, issuer: str, subject: str, wanted_name: str, role: UserRole | None
) -> tuple[User, bool]:
    """Return the account of a person at an OIDC provider; made where there is none yet.

    Issuer and subject say who it is, never a name or a mail address: those change hands.

    Args:
        session: an open session that may write.
        issuer: the provider.
        subject: the person's lasting id there.
        wanted_name: what a new account is called, where that name is free.
        role: what the provider says; None leaves it as it is.

    Returns:
        The account, and whether it is new.
    """
    alone(session)
    same = select(User).where(User.oidc_issuer == issuer, User.oidc_subject == subject)
    found = session.scalars(same).first()
    new = found is None
    if found is None:
        found = User(
            name=_free_name(session, wanted_name),
            role=role or UserRole.USER,
            oidc_issuer=issuer,
            oidc_subject=subject,
        )
        session.add(found)
    elif role is not None:
        found.role = role
    session.flush()
    return found, new


def admins(session: Session) -> int:
    """Return how many admins can get in."""
    able = select(func.count()).where(User.role == UserRole.ADMIN, User.disabled_at.is_(None))
    return session.scalar(able) or 0


def disable(session: Session, user: User, *, disabled: bool) -> None:
    """Lock an account out, everywhere at once, or let it in again."""
    user.disabled_at = now() if disabled else None
    if disabled:
        login_sessions.end_all(session, user)


def keep_an_admin(session: Session) -> None:
    """Refuse a change that leaves no admin; call it when the change is flushed.

    Raises:
        Failure: 409, nobody could manage accounts any more.
    """
    session.flush()
    if not admins(session):
        raise Failure(
            "last_admin",
            "This is the last admin: nobody could manage accounts any more.",
            "Make another account an admin first.",
            status=409,
        )


def remove(session: Session, user: User) -> tuple[int, Sequence[UUID]]:
    """Delete an account with its conversations, documents and keys.

    Returns:
        How many conversations there were, and those in which an answer was in progress.
    """
    deleted, answering = conversations.remove_all(session, user.id)
    session.delete(user)
    session.flush()
    return deleted, answering


def _taken(session: Session, name: str) -> bool:
    return session.scalar(select(User.id).where(User.name == name)) is not None


def _free_name(session: Session, wanted: str) -> str:
    base = re.sub(r"[^\w.@+-]+", "-", normal_name(wanted)).lstrip(".@+-")[: MAX_NAME_CHARS - 6]
    base = base or "user"
    name, number = base, 1
    while _taken(session, name):
        number += 1
        name = f"{base}-{number}"
    return name
