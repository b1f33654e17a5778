"""Passwords: what may be one, how they are kept, how one is checked."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chatbot.failures import Failure

MIN_CHARS = 12
MAX_CHARS = 256
_MIN_DIFFERENT = 5

# Hashing takes memory on purpose (32 MiB each). Few at a time, so that a crowd at the door, or
# somebody who tries passwords, cannot fill the container's.
_HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
_AT_ONCE = threading.BoundedSemaphore(2)
_PATIENCE = 10

# Long enough, and among the first that anybody tries.
_KNOWN = (
    "password",
    "passwort",
    "letmein",
    "iloveyou",
    "welcome",
    "changeme",
    "administrator",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "1q2w3e4r5t6y",
    "1234567890",
    "0123456789",
    "abcdefghij",
)


def check_new(password: str, name: str) -> None:
    """Refuse a password that is too easily guessed. What it is made of is everybody's own choice.

    Raises:
        Failure: 422, why.
    """
    text = _normal(password)
    plain = text.lower()
    if len(text) < MIN_CHARS:
        raise _unfit(f"It is shorter than {MIN_CHARS} characters.")
    if len(text) > MAX_CHARS:
        raise _unfit(f"It is longer than {MAX_CHARS} characters.")
    if len(set(plain)) < _MIN_DIFFERENT:
        raise _unfit(f"It has fewer than {_MIN_DIFFERENT} different characters.")
    rest = plain
    for known in (*_KNOWN, name.lower(), "archi"):
        # What is left beside a word that everybody tries must be long enough to matter.
        rest = rest.replace(known, "") if known else rest
    if len(rest) < MIN_CHARS // 2 and rest != plain:
        raise _unfit("It is among the first that anybody tries.")


def hashed(password: str) -> str:
    """Return what is kept of a password.

    Raises:
        Failure: 503, too many are hashed at this moment.
    """
    with _turn():
        return _HASHER.hash(_normal(password))


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one that is kept.

    Without a kept one as much work is done, so that time does not tell whether a name is known.

    Raises:
        Failure: 503, too many are hashed at this moment.
    """
    # No one's password is longer; hashing must not be given megabytes.
    given = _normal(password[: MAX_CHARS + 1])
    with _turn():
        try:
            _HASHER.verify(kept or _nobodys(), given)
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None


def outdated(kept: str) -> bool:
    """Whether a password is kept by other parameters than today's."""
    return _HASHER.check_needs_rehash(kept)


def _normal(password: str) -> str:
    # The same letters can be typed as different code points.
    return unicodedata.normalize("NFKC", password)


@cache
def _nobodys() -> str:
    return _HASHER.hash(secrets.token_hex(32))


@contextmanager
def _turn() -> Iterator[None]:
    if not _AT_ONCE.acquire(timeout=_PATIENCE):
        raise Failure(
            "too_many_logins",
            "Too many people log in at this moment.",
            "Try again in a few seconds.",
            status=503,
            retry_after=5,
        )
    try:
        yield
    finally:
        _AT_ONCE.release()


def _unfit(why: str) -> Failure:
    return Failure(
        "unfit_password",
        f"This cannot be the password. {why}",
        f"Take {MIN_CHARS} characters or more that nobody guesses: a few unrelated words, or what "
        "a password manager makes.",
        status=422,
        param="password",
    )
