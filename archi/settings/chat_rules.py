"""What the chat application's settings must be together: who gets in, and what agents may use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from archi.settings import agent_files, certificate
from archi.settings.addresses import is_loopback
from archi.settings.checks import shown, size
from archi.settings.secrets import SECRET_NAME
from archi.settings.types import NO_PROVIDER, VLLM

if TYPE_CHECKING:
    from archi.settings.model import Settings

_CHAT = "archi:services.chatbot"

OPENAI = "openai"
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_KEY = "OPENAI_API_KEY"
"""The one provider that is known without being described, and the secret that holds its key."""

OWN_SECRETS = (
    "metrics_token",
    "oidc_client_secret",
    "postgres_password",
    "session_key",
    "tls_certificate",
    "tls_key",
    "vllm_api_key",
)
"""Names of files beside those of ``env_secrets``."""

_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_SENDS_SECRETS = re.compile(r"authorization|cookie|token|secret|password|key", re.IGNORECASE)
_SOON = timedelta(days=14)


def access(settings: Settings) -> Iterator[str]:
    """Only who logs in gets in from elsewhere."""
    chat = settings.services.chatbot
    if chat.auth.mode == "none":
        rows = (
            ("bind", chat.bind, not is_loopback(chat.bind), "lets other machines reach the chat"),
            (
                "public_url",
                chat.public_url,
                not _is_local(chat.public_url),
                "says that other machines reach the chat",
            ),
        )
        for key, value, open_, what in rows:
            if open_:
                yield (
                    f"{_CHAT}.{key}: {shown(value)} {what}, and {_CHAT}.auth.mode is none: anyone "
                    "there could read every conversation. Set auth.mode to local or oidc, or leave "
                    f"{key} out and reach the chat from elsewhere by `ssh -L "
                    f"{chat.port}:localhost:{chat.port} THIS-HOST`."
                )
    if chat.auth.mode != "oidc" and chat.auth.oidc:
        yield (
            f"{_CHAT}.auth.oidc: has no meaning with auth.mode {chat.auth.mode}. Set the mode to "
            "oidc, or take it out."
        )
    if chat.auth.mode == "oidc" and not chat.auth.oidc:
        yield f"{_CHAT}.auth.oidc: is missing; auth.mode oidc needs its issuer and client_id."
    issuer = chat.auth.oidc.issuer if chat.auth.oidc else ""
    if issuer.startswith("http:") and not _is_local(issuer):
        yield (
            f"{_CHAT}.auth.oidc.issuer: {shown(issuer)} is asked without TLS: whoever sits between "
            "could log in as anyone. Write https://."
        )
    if chat.auth.mode == "oidc" and not chat.public_url:
        yield (
            f"{_CHAT}.public_url: is missing; with auth.mode oidc the provider sends people back "
            f"there. Write the address that they open, and allow <that address>/oidc/callback"
            " at the provider."
        )


def transport(settings: Settings) -> Iterator[str]:
    """Who speaks TLS: the chat by a certificate of its own, a proxy in front, or nobody."""
    chat = settings.services.chatbot
    secure = (chat.public_url or "").startswith("https:")
    if secure and not chat.tls_certificate and not chat.trusted_proxies:
        yield (
            f"{_CHAT}.public_url: {shown(chat.public_url)} is spoken to by TLS, and nobody speaks "
            "it here. Set trusted_proxies to 1 where a proxy in front does, or tls_certificate."
        )
    if not chat.tls_certificate:
        return
    if not secure:
        yield (
            f"{_CHAT}.tls_certificate: the address that it is for is not said. Set public_url to "
            "https:// and that name, with the port where it is not 443."
        )
        return
    pem = _certificate(settings)
    host = urlsplit(chat.public_url or "").hostname or ""
    if not certificate.covers(pem, host):
        listed = ", ".join(certificate.names(pem)[:8]) or "no name"
        yield (
            f"{_CHAT}.tls_certificate: is for {listed}, and public_url is {chat.public_url}. Take "
            "the certificate of that name, or correct public_url."
        )
    key = settings.tls_key
    if key and not certificate.belong_together(pem, key.get_secret_value()):
        yield (
            f"archi:tls_key: is not the key of the certificate in {_CHAT}.tls_certificate. Set the "
            "one that it was made with."
        )


def agents(settings: Settings) -> Iterator[str]:
    """Files of agents that the application can read."""
    if "chatbot" in settings.deployed:
        yield from agent_files.problems(settings.services.chatbot.agents)


def tools(settings: Settings) -> Iterator[str]:
    """Each server is either an address or a program, and no header holds a secret itself."""
    for name, server in settings.services.chatbot.mcp_servers.items():
        place = f"{_CHAT}.mcp_servers.{name}"
        program = server.transport == "stdio"
        wanted, other = ("command", "url") if program else ("url", "command")
        if getattr(server, wanted) is None:
            yield f"{place}.{wanted}: is missing; transport {server.transport} needs it."
        for key in (other, "headers") if program else (other, "args"):
            if getattr(server, key):
                yield (
                    f"{place}.{key}: has no meaning with transport {server.transport}. Take it "
                    "out, or choose another transport."
                )
        for header, value in server.headers.items():
            found = _PLACEHOLDER.findall(value)
            if any(not re.fullmatch(r"[A-Za-z_]\w*", one, re.ASCII) for one in found):
                yield (
                    f"{place}.headers.{header}: its value is refused: between ${{ and }} stands "
                    "the name of a secret in archi:env_secrets, such as ${TOOLS_TOKEN}."
                )
            elif not found and _SENDS_SECRETS.search(header):
                yield (
                    f"{place}.headers.{header}: its value is refused: a secret stands here in "
                    "plain text. Put it into archi:env_secrets, and write ${ITS_NAME} here."
                )


def providers(settings: Settings) -> Iterator[str]:
    """Providers that pipelines name are known, and none takes vLLM's name."""
    chat = settings.services.chatbot
    if VLLM in chat.providers:
        yield (
            f"{_CHAT}.providers.vllm: vllm is the model served here; a vLLM elsewhere is "
            "archi:services.vllm.base_url. Choose another name."
        )
    known = {VLLM, OPENAI, *chat.providers}
    for place, reference in settings.references.items():
        if reference.provider in known:
            continue
        near = difflib.get_close_matches(reference.provider, sorted(known), n=1, cutoff=0.6)
        guess = f"; did you mean {near[0]}/{reference.model}?" if near else "."
        yield (
            f"archi:pipeline_map.{place}: {shown(str(reference))} is refused: {NO_PROVIDER}{guess}"
        )


def secret_names(settings: Settings) -> Iterator[str]:
    """Secrets of the user's own lie beside archi's."""
    for name in settings.env_secrets:
        if name.lower() in OWN_SECRETS:
            yield (
                f"archi:env_secrets.{name}: its value is refused: a file of that name is archi's "
                f"own. Set archi:{name.lower()}, or choose another name."
            )


@dataclass(frozen=True)
class MissingSecret:
    """A secret that the plain settings speak of and that is not set.

    Attributes:
        key: as a stack file has it below ``archi:``.
        variable: as a ``.env`` has it.
        why: what speaks of it.

    """

    key: str
    variable: str
    why: str

    @property
    def in_stack_file(self) -> str:
        """The refusal for who has a stack file."""
        path = f"--path 'archi:{self.key}'" if "." in self.key else f"archi:{self.key}"
        file = " < KEY.pem" if self.key == "tls_key" else ""
        asks = "" if file else " (it asks for the value)"
        return (
            f"archi:{self.key}: is missing; {self.why}. `pulumi config set --secret {path}{file}`"
            f"{asks}."
        )

    @property
    def in_env_file(self) -> str:
        """The refusal for who has a ``config.yaml`` and a ``.env``."""
        return f"{self.variable}: is missing in the .env; {self.why}. Put it there."


def missing_secrets(settings: Settings) -> Iterator[MissingSecret]:
    """Secrets that the plain settings speak of and that are not set.

    Not among the rules: whoever reads a stack file without its passphrase has none of them.
    """
    chat = settings.services.chatbot
    if "chatbot" not in settings.deployed:
        return
    if chat.auth.mode == "oidc" and not settings.oidc_client_secret:
        why = f"{_CHAT}.auth.mode is oidc"
        yield MissingSecret("oidc_client_secret", "OIDC_CLIENT_SECRET", why)
    if chat.tls_certificate and not settings.tls_key:
        why = f"{_CHAT}.tls_certificate needs its key"
        yield MissingSecret("tls_key", "TLS_KEY", why)
    for name, place in sorted(_named_secrets(settings).items()):
        if name not in settings.env_secrets:
            yield MissingSecret(f"env_secrets.{name}", name, f"{place} names it")


def _named_secrets(settings: Settings) -> dict[str, str]:
    """Names of secrets that something wants, to the key that says so."""
    chat = settings.services.chatbot
    found: dict[str, str] = {}
    for place, reference in settings.references.items():
        if reference.provider == OPENAI and OPENAI not in chat.providers:
            found.setdefault(OPENAI_KEY, f"archi:pipeline_map.{place}")
    for name, provider in chat.providers.items():
        if provider.api_key:
            found.setdefault(provider.api_key, f"{_CHAT}.providers.{name}.api_key")
    for name, server in chat.mcp_servers.items():
        for header, value in server.headers.items():
            for secret in _PLACEHOLDER.findall(value):
                found.setdefault(secret, f"{_CHAT}.mcp_servers.{name}.headers.{header}")
    return found


def uploads(settings: Settings) -> Iterator[str]:
    """Uploads lie in memory while they are read, several at once."""
    chat = settings.services.chatbot
    most = max(32, chat.memory // 8)
    if chat.max_upload > most:
        yield (
            f"{_CHAT}.max_upload: {size(chat.max_upload)} is too much for the container's memory, "
            f"{size(chat.memory)}, in which uploads are kept while they are read. Set it to "
            f"{size(most)} or less, or raise services.chatbot.memory."
        )


RULES = (access, transport, agents, tools, providers, secret_names, uploads)


def plain_text(settings: Settings) -> Iterator[str]:
    """Passwords that everyone between can read."""
    chat = settings.services.chatbot
    if chat.auth.mode == "none" or chat.tls_certificate or chat.trusted_proxies:
        return
    if not is_loopback(chat.bind):
        yield (
            f"{_CHAT}.bind: {chat.bind} is reached without TLS: passwords and conversations cross "
            "the network in plain text. Set tls_certificate, or bind to loopback behind a proxy "
            "that speaks TLS."
        )


def ending_certificate(settings: Settings) -> Iterator[str]:
    """A certificate that ends soon, or did."""
    if not settings.services.chatbot.tls_certificate:
        return
    end = certificate.ends(_certificate(settings))
    if end and end < datetime.now(UTC) + _SOON:
        past = "ended" if end < datetime.now(UTC) else "ends"
        yield f"{_CHAT}.tls_certificate: it {past} on {end:%Y-%m-%d}. Renew it."


def secretive_arguments(settings: Settings) -> Iterator[str]:
    """Arguments of a program are no place for a secret."""
    for name, server in settings.services.chatbot.mcp_servers.items():
        if any(SECRET_NAME.search(word.replace("-", "_")) for word in server.args):
            yield (
                f"{_CHAT}.mcp_servers.{name}.args: one of them looks like a secret's name, and "
                "arguments show to whoever may list processes."
            )


WARNINGS = (plain_text, ending_certificate, secretive_arguments)


def _is_local(url: str | None) -> bool:
    return url is None or is_loopback(urlsplit(url).hostname or "")


def _certificate(settings: Settings) -> str:
    return Path(settings.services.chatbot.tls_certificate or "").read_text(encoding="ascii")
