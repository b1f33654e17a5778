"""Who gets in, as the environment says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from chatbot.environment import SettingsError, choice, is_loopback, number, words

MODES = ("none", "local", "oidc")

_TUNNEL = "reach it from elsewhere through an SSH tunnel: ssh -L 7861:localhost:7861 THIS-HOST."


class OidcSettings(BaseModel):
    """The OpenID Connect provider.

    ``issuer`` has no slash at its end that the provider's own has not. Empty ``groups`` and
    ``domains`` let in whoever the provider lets log in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    groups_claim: str
    admin_group: str | None
    groups: tuple[str, ...]
    domains: tuple[str, ...]


class AccessSettings(BaseModel):
    """Who gets in.

    ``mode`` is ``none`` (nobody logs in), ``local`` or ``oidc``. ``public_url`` is what people
    open, without a path; None where that is this machine's loopback. ``questions`` and
    ``completions`` are per account and minute; 0 is any number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: str
    public_url: str | None
    trusted_proxies: int
    questions: int
    completions: int
    oidc: OidcSettings | None

    @classmethod
    def from_environment(cls, env: Mapping[str, str], listen_host: str) -> Self:
        """Read and check them.

        Raises:
            SettingsError: for the first variable that is missing or wrong.
        """
        mode = choice(env, "ARCHI_AUTH", MODES)
        public_url = _public_url(env.get("ARCHI_PUBLIC_URL"))
        if mode == "none":
            _refuse_open_door(env.get("ARCHI_PUBLISHED_BIND"), listen_host, public_url)
        guarded = mode != "none"
        return cls(
            mode=mode,
            public_url=public_url,
            trusted_proxies=int(number(env, "ARCHI_TRUSTED_PROXIES", "0", 0, 10)),
            questions=_rate(env, "ARCHI_RATE_QUESTIONS", "30" if guarded else "0"),
            completions=_rate(env, "ARCHI_RATE_COMPLETIONS", "120" if guarded else "0"),
            oidc=_oidc(env, public_url) if mode == "oidc" else None,
        )

    @property
    def guarded(self) -> bool:
        """Whether people log in."""
        return self.mode != "none"


def _refuse_open_door(published: str | None, listen_host: str, public_url: str | None) -> None:
    """Refuse to be reachable from other machines where nobody logs in."""
    if public_url is not None and not is_loopback(urlsplit(public_url).hostname or ""):
        raise SettingsError(
            "ARCHI_PUBLIC_URL",
            public_url,
            "it says that other machines reach the chat, and nobody logs in (ARCHI_AUTH=none), so "
            "anyone there could read every conversation.",
            f"set ARCHI_AUTH (services.chatbot.auth.mode) to local or oidc, or leave it out and "
            f"{_TUNNEL}",
        )
    if published is not None:
        if not is_loopback(published):
            raise SettingsError(
                "ARCHI_PUBLISHED_BIND",
                published,
                "other machines could reach the chat, and nobody logs in (ARCHI_AUTH=none), so "
                "anyone there could read every conversation.",
                "set ARCHI_AUTH (services.chatbot.auth.mode) to local or oidc, or publish it on "
                f"127.0.0.1 (services.chatbot.bind) and {_TUNNEL}",
            )
    elif not is_loopback(listen_host):
        raise SettingsError(
            "ARCHI_PUBLISHED_BIND",
            None,
            f"the application listens on {listen_host}, nothing says that only this machine can "
            "reach it, and nobody logs in (ARCHI_AUTH=none).",
            "set ARCHI_AUTH to local or oidc, or ARCHI_PUBLISHED_BIND to the host address on which "
            "the port is published (127.0.0.1), or ARCHI_LISTEN to 127.0.0.1:7861.",
        )


def _public_url(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    bare = not (parts.path.rstrip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise SettingsError(
            "ARCHI_PUBLIC_URL",
            value,
            "this is not an http(s) address without a path.",
            "write the address that people open, for example https://chat.example.org.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _rate(env: Mapping[str, str], name: str, default: str) -> int:
    return int(number(env, name, default, 0, 100_000))


def _oidc(env: Mapping[str, str], public_url: str | None) -> OidcSettings:
    issuer, client_id = env.get("ARCHI_OIDC_ISSUER", ""), env.get("ARCHI_OIDC_CLIENT_ID", "")
    parts = urlsplit(issuer)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(
            "ARCHI_OIDC_ISSUER",
            issuer or None,
            "with ARCHI_AUTH=oidc the provider's address is needed.",
            "write its issuer, for example https://login.example.org/realms/staff.",
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise SettingsError(
            "ARCHI_OIDC_ISSUER",
            issuer,
            "it is asked without TLS: whoever sits between could log in as anyone.",
            "write https://.",
        )
    if not client_id:
        raise SettingsError(
            "ARCHI_OIDC_CLIENT_ID",
            None,
            "with ARCHI_AUTH=oidc the application needs its name at the provider.",
            "write the client id that the provider has for it.",
        )
    if public_url is None:
        raise SettingsError(
            "ARCHI_PUBLIC_URL",
            None,
            "the provider sends people back there.",
            "write the address that people open, and allow it with /oidc/callback at the provider.",
        )
    scopes = words(env, "ARCHI_OIDC_SCOPES", None) or ("openid", "profile", "email")
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        scopes=scopes if "openid" in scopes else ("openid", *scopes),
        groups_claim=env.get("ARCHI_OIDC_GROUPS_CLAIM") or "groups",
        admin_group=env.get("ARCHI_OIDC_ADMIN_GROUP") or None,
        groups=words(env, "ARCHI_OIDC_GROUPS", ","),
        domains=tuple(one.lower() for one in words(env, "ARCHI_OIDC_DOMAINS", ",")),
    )
