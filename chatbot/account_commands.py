"""``python -m chatbot user …`` and ``key …``: accounts and keys, for who can run a command here.

Passwords come on standard input, never on a command line, which others can read. What is asked for
goes to standard output; the log and what went wrong, in its last line, to standard error.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from chatbot.access import passwords
from chatbot.data import accounts, api_keys, audit, login_sessions
from chatbot.data.audit import Action
from chatbot.data.database import Database
from chatbot.data.tables import EVERYONE, User, UserRole, now
from chatbot.deployment_files import DeploymentFiles
from chatbot.environment import SettingsError
from chatbot.failures import Failure
from chatbot.settings import Settings

COMMANDS = ("user", "key")

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LONGEST = timedelta(days=3650)


def main(arguments: Sequence[str]) -> int:
    """Run a command; returns its exit code: 0, 1 refused, 2 wrongly asked."""
    asked = _parser().parse_args(arguments)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        settings = Settings.from_environment()
        database = Database.of(settings, DeploymentFiles(settings.files))
        try:
            return int(asked.run(asked, settings, database) or 0)
        finally:
            database.close()
    except (SettingsError, Failure) as error:
        next_step = f" {error.next_step}" if isinstance(error, Failure) else ""
        print(f"{error}{next_step}", file=sys.stderr)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        print(f"The database does not answer, or is not migrated yet: {reason}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m chatbot")
    groups = parser.add_subparsers(required=True, metavar="user|key")
    user = groups.add_parser("user", help="accounts").add_subparsers(required=True)
    key = groups.add_parser("key", help="API keys").add_subparsers(required=True)

    add = user.add_parser("add", help="make an account; its password is read from standard input")
    add.add_argument("--admin", action="store_true", help="it may manage accounts")
    add.add_argument("name")
    add.set_defaults(run=_add_user)

    listing = user.add_parser("list", help="name, role, state and last login, with tabs between")
    listing.set_defaults(run=_list_users)

    password = user.add_parser("password", help="a new password, read from standard input")
    password.add_argument("name")
    password.set_defaults(run=_set_password)

    role = user.add_parser("role", help="make it an admin, or none any more")
    role.add_argument("name")
    role.add_argument("role", choices=[str(one) for one in UserRole])
    role.set_defaults(run=_set_role)

    for word, disabled in (("disable", True), ("enable", False)):
        state = user.add_parser(word, help="lock it out" if disabled else "let it in again")
        state.add_argument("name")
        state.set_defaults(run=_set_disabled, disabled=disabled)

    create = key.add_parser("create", help="make a key and print it")
    create.add_argument("name")
    create.add_argument("--user", help="whose it is; everyone's where nobody logs in")
    create.add_argument("--expires", help="how long it lasts: 10m, 24h, 30d")
    create.set_defaults(run=_create_key)

    revoke = key.add_parser("revoke", help="take a key out of use")
    revoke.add_argument("key", help=f"the key, or its first {api_keys.SHOWN_CHARS} characters")
    revoke.set_defaults(run=_revoke_key)
    return parser


def _add_user(asked: argparse.Namespace, settings: Settings, database: Database) -> None:
    _local_only(settings)
    name = accounts.checked_name(asked.name)
    with database.read() as session:
        if accounts.by_name(session, name) is not None:
            raise accounts.taken(name)
    kept = _new_password(name)
    role = UserRole.ADMIN if asked.admin else UserRole.USER
    with database.write() as session:
        accounts.create(session, name, role, kept)
        _record(session, Action.USER_CREATED, name, role=str(role))
    print(f"{name} can log in now{', as an admin' if asked.admin else ''}.")


def _list_users(_asked: argparse.Namespace, _settings: Settings, database: Database) -> None:
    with database.read() as session:
        rows = accounts.people(session)
    for row in rows:
        state = "active" if row.disabled_at is None else "disabled"
        print("\t".join((row.name, row.role, state, _moment(row.last_login_at))))


def _set_password(asked: argparse.Namespace, settings: Settings, database: Database) -> None:
    _local_only(settings)
    with database.read() as session:
        name = accounts.named(session, asked.name).name
    kept = _new_password(name)
    with database.write() as session:
        user = accounts.named(session, name)
        user.password_hash = kept
        login_sessions.end_all(session, user)
        _record(session, Action.PASSWORD_RESET, name)
    print(f"{name} has a new password, and is logged out everywhere.")


def _set_role(asked: argparse.Namespace, _settings: Settings, database: Database) -> None:
    with database.write() as session:
        accounts.alone(session)
        user = accounts.named(session, asked.name)
        user.role = asked.role
        if asked.role != UserRole.ADMIN:
            accounts.keep_an_admin(session)
        _record(session, Action.USER_CHANGED, user.name, role=asked.role)
    print(f"{user.name} is {'an admin' if asked.role == UserRole.ADMIN else 'no admin'} now.")


def _set_disabled(asked: argparse.Namespace, _settings: Settings, database: Database) -> None:
    with database.write() as session:
        accounts.alone(session)
        user = accounts.named(session, asked.name)
        accounts.disable(session, user, disabled=asked.disabled)
        if asked.disabled:
            accounts.keep_an_admin(session)
        _record(session, Action.USER_CHANGED, user.name, disabled=asked.disabled)
    print(f"{user.name} is {'locked out' if asked.disabled else 'let in again'}.")


def _create_key(asked: argparse.Namespace, settings: Settings, database: Database) -> None:
    until = None if asked.expires is None else now() + _duration(asked.expires)
    name = asked.name.strip()[: api_keys.MAX_NAME_CHARS] or "key"
    with database.write() as session:
        owner = _owner(session, asked.user, settings)
        row, key = api_keys.create(session, owner, name, until)
        _record(session, Action.KEY_CREATED, row.prefix, name=name, owner=asked.user or "everyone")
    print(key)


def _revoke_key(asked: argparse.Namespace, _settings: Settings, database: Database) -> None:
    with database.write() as session:
        row = api_keys.revoke_shown(session, asked.key)
        _record(session, Action.KEY_REVOKED, row.prefix, name=row.name)
    print(f"The key {row.prefix}… is out of use.")


def _owner(session: Session, name: str | None, settings: Settings) -> UUID:
    if not settings.access.guarded:
        if name is not None:
            raise Failure("no_accounts", "Nobody logs in here.", "Leave --user out.")
        return EVERYONE
    if name is None:
        raise Failure("owner_needed", "Whose key shall it be?", "Write --user NAME.")
    user: User = accounts.named(session, name)
    if user.disabled_at is not None:
        raise Failure("disabled", f"{user.name} is locked out.", "Name another account.")
    return user.id


def _local_only(settings: Settings) -> None:
    if settings.access.mode == "none":
        raise Failure(
            "no_accounts",
            "Nobody logs in here (ARCHI_AUTH=none).",
            "Set services.chatbot.auth.mode to local and run `pulumi up`.",
        )
    if settings.access.mode == "oidc":
        raise Failure(
            "accounts_elsewhere",
            "Accounts are made, and passwords changed, at the provider.",
            "An account appears here at its first login.",
        )


def _new_password(name: str) -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    passwords.check_new(password, name)
    return passwords.hashed(password)


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    lasts = int(found.group(1)) * _UNITS[found.group(2)] if found else timedelta(0)
    if not timedelta(0) < lasts <= _LONGEST:
        raise Failure(
            "invalid_duration",
            f"--expires {text!r} is no duration.",
            "Write minutes, hours or days: 10m, 24h, 30d.",
        )
    return lasts


def _moment(moment: datetime | None) -> str:
    return "-" if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")


def _record(session: Session, action: Action, target: str, **detail: object) -> None:
    audit.record(
        session,
        action,
        user_id=None,
        user_name="",
        address="command line",
        request_id="",
        target=target,
        **detail,
    )
