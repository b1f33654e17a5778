"""Logging in at an OpenID Connect provider: the code flow with PKCE, state and nonce."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import requests
import structlog
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.integrations.flask_client.apps import (  # type: ignore[import-untyped]
    FlaskOAuth2App,
)
from authlib.integrations.flask_client.integration import (  # type: ignore[import-untyped]
    FlaskIntegration,
)
from joserfc.errors import JoseError

from chatbot.access.settings import AccessSettings, OidcSettings
from chatbot.failures import Failure

log = structlog.get_logger(__name__)

CALLBACK = "/oidc/callback"

# Seconds that the provider has for each answer, and that its clock may differ.
_PATIENCE = 5
_LEEWAY = 60
# Only signatures that the provider alone can make: not "none", nor those by the client's secret.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
_ALGORITHMS_KEY = "id_token_signing_alg_values_supported"
_NAME = "provider"
# What a provider's answer that is not as it should be can raise, on its way through the libraries.
_BAD_ANSWER = (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError, RuntimeError)


class Provider:
    """The provider, as it describes itself; asked at the first use, and again until it answers."""

    def __init__(self, settings: AccessSettings, client_secret: str | None) -> None:
        assert settings.oidc is not None  # noqa: S101 - made in that mode only
        self.settings: OidcSettings = settings.oidc
        self._public_url = settings.public_url or ""
        self._client = FlaskOAuth2App(
            FlaskIntegration(_NAME),
            name=_NAME,
            client_id=self.settings.client_id,
            client_secret=client_secret,
            server_metadata_url=self.settings.issuer.rstrip("/")
            + "/.well-known/openid-configuration",
            client_kwargs={
                "scope": " ".join(self.settings.scopes),
                "code_challenge_method": "S256",
                "default_timeout": _PATIENCE,
                # A public client has no secret to show.
                **({} if client_secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    def begin(self) -> Any:  # noqa: ANN401 - a response of Flask
        """Send the browser to the provider; what must come back is kept in its cookie.

        Raises:
            Failure: 503 or 502, the provider does not answer as it should.
        """
        self._known()
        try:
            return self._client.authorize_redirect(self._public_url + CALLBACK)
        except _BAD_ANSWER as error:
            raise _unfit(error) from error

    def finish(self) -> tuple[dict[str, Any], str]:
        """Take what the browser brings back; returns the claims, proved, and the ID token.

        Raises:
            Failure: 403, the login is not what was begun here, or the provider refused it; 502 and
                503, the provider does not answer as it should.
        """
        self._known()
        client_id = self.settings.client_id
        wanted = {
            "iss": {"essential": True, "value": self.settings.issuer},
            # The library takes a token for another client where `azp` names this one.
            "aud": {"essential": True, "value": client_id},
            "sub": {"essential": True},
        }
        try:
            token = self._client.authorize_access_token(claims_options=wanted, leeway=_LEEWAY)
            claims = dict(token["userinfo"])
            if self._wants_more(claims):
                claims = self._with_userinfo(claims, token)
            return claims, str(token["id_token"])
        except requests.RequestException as error:
            raise _unreachable(self.settings.issuer, error) from error
        except _BAD_ANSWER as error:
            raise refused(_reason(error)) from error

    def logout_url(self, id_token: str | None) -> str | None:
        """Return where the browser ends its session at the provider; None where it cannot."""
        try:
            metadata = self._known()
        except Failure:
            return None
        if not metadata.get("end_session_endpoint"):
            return None
        made = self._client.create_logout_url(
            post_logout_redirect_uri=self._public_url + "/login",
            id_token_hint=id_token,
            client_id=self.settings.client_id,
        )
        return str(made["url"])

    def _known(self) -> dict[str, Any]:
        """Return the provider's description, checked.

        Raises:
            Failure: 503, it does not answer; 502, it is not the one of the settings.
        """
        try:
            metadata = cast(dict[str, Any], self._client.load_server_metadata())
        except requests.RequestException as error:
            raise _unreachable(self.settings.issuer, error) from error
        except _BAD_ANSWER as error:
            raise _unfit(error) from error
        if metadata.get("issuer") != self.settings.issuer:
            said = metadata.get("issuer")
            # Not kept, so that a provider that is mended is asked again.
            metadata.clear()
            raise Failure(
                "provider_unfit",
                f"The provider at {self.settings.issuer} calls itself {said!r}.",
                "An admin corrects services.chatbot.auth.oidc.issuer to exactly that, if it is "
                "the right one, and runs `pulumi up`.",
                status=502,
            )
        offered = metadata.get(_ALGORITHMS_KEY) or ["RS256"]
        metadata[_ALGORITHMS_KEY] = [one for one in offered if one in _ALGORITHMS]
        return metadata

    def _wants_more(self, claims: Mapping[str, Any]) -> bool:
        """Whether the ID token leaves out what decides about the login."""
        settings = self.settings
        groups = settings.groups or settings.admin_group
        return bool(
            (groups and settings.groups_claim not in claims)
            or (settings.domains and "email" not in claims)
        )

    def _with_userinfo(self, claims: dict[str, Any], token: dict[str, Any]) -> dict[str, Any]:
        metadata = self._client.load_server_metadata()
        if not metadata.get("userinfo_endpoint"):
            return claims
        more = dict(self._client.userinfo(token=token))
        if more.get("sub") != claims["sub"]:
            raise ValueError("userinfo is about somebody else")
        return {**more, **claims}


def groups_of(claims: Mapping[str, Any], settings: OidcSettings) -> set[str]:
    """Return the groups that the claims name."""
    found = claims.get(settings.groups_claim) or []
    return {found} if isinstance(found, str) else {str(one) for one in found}


def check_allowed(claims: Mapping[str, Any], settings: OidcSettings) -> None:
    """Refuse who the provider knows, but the settings do not let in.

    Raises:
        Failure: 403.
    """
    groups = groups_of(claims, settings)
    allowed = {*settings.groups, *([settings.admin_group] if settings.admin_group else [])}
    if settings.groups and not groups & allowed:
        raise _not_allowed("You are in none of the groups that may use this chat.")
    if settings.domains:
        address = str(claims.get("email") or "")
        # Whoever can write any address into their profile must not get in by it.
        proved = claims.get("email_verified") is True
        if not proved or address.rpartition("@")[2].lower() not in settings.domains:
            raise _not_allowed("Your mail address is not verified, or of another organisation.")


def wanted_name(claims: Mapping[str, Any]) -> str:
    """Return what a new account is called: for people, never to know anybody by."""
    for key in ("preferred_username", "email", "name"):
        if isinstance(claims.get(key), str) and claims[key].strip():
            return str(claims[key])
    return "user"


def refused(why: str) -> Failure:
    """Say that a login was not what was begun here, or that the provider refused it."""
    return Failure(
        "login_refused",
        f"The login at the provider did not succeed ({why}).",
        "Log in again. If it fails again, ask an admin: the log says more.",
        status=403,
    )


def _not_allowed(why: str) -> Failure:
    return Failure("not_allowed", why, "Ask an admin of this chat to let you in.", status=403)


def _unreachable(issuer: str, error: Exception) -> Failure:
    log.warning("provider_unreachable", issuer=issuer, error=str(error))
    return Failure(
        "provider_unreachable",
        f"The login provider {urlsplit(issuer).hostname} does not answer.",
        "Try again in a minute. Who is logged in already is not concerned.",
        status=503,
        retry_after=10,
    )


def _unfit(error: Exception) -> Failure:
    log.error("provider_unfit", error=str(error))
    return Failure(
        "provider_unfit",
        f"The login provider does not answer as it should ({_reason(error)}).",
        "Ask an admin: services.chatbot.auth.oidc may be wrong.",
        status=502,
    )


def _reason(error: Exception) -> str:
    # Of the library's texts only the kind is shown: they can hold what a stranger sent.
    found = getattr(error, "error", None)
    return found if isinstance(found, str) and found.isidentifier() else type(error).__name__
