"""Addresses: of servers elsewhere, and of this host."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from archi.settings.checks import text


def _without_credentials(value: str, parts: SplitResult, belongs: str) -> None:
    if parts.username or parts.password:
        raise ValueError(f"an address must not carry credentials; {belongs}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an address begins with http:// or https:// and names a host")
    if parts.query or parts.fragment or re.search(r"[\s\x00-\x1f\\]", value):
        raise ValueError("an address ends with its path")


def _split(value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port  # it is read only when asked for
    except ValueError:
        raise ValueError("this is no address; one is http://host:8000/v1") from None
    return parts


def parse_base_url(value: str) -> str:
    """The address of an OpenAI-compatible server, whose path ends in ``/v1``; without a slash."""
    parts = _split(value)
    _without_credentials(value, parts, "a key belongs in archi:vllm_api_key")
    if not parts.path.rstrip("/").endswith("/v1"):
        root = f"{parts.scheme}://{parts.netloc}"
        before = parts.path.split("/v1/")[0].rstrip("/") if "/v1/" in parts.path else ""
        raise ValueError(f"the path must end in /v1; most likely {root}{before}/v1"[:200])
    return value.rstrip("/")


BaseUrl = Annotated[str, text(parse_base_url)]


def _elsewhere(secret: str) -> Callable[[str], str]:
    """Takes the address of a service elsewhere, and says where its secret belongs instead."""

    def parse(value: str) -> str:
        _without_credentials(value, _split(value), secret)
        return value.rstrip("/")

    return parse


HubUrl = Annotated[str, text(_elsewhere("a token belongs in archi:hf_token"))]
"""The address of a model hub, without a slash at its end."""

ServerUrl = Annotated[str, text(_elsewhere("a secret belongs in archi:env_secrets"))]
"""The address of any other service, likewise."""

ProviderUrl = Annotated[str, text(_elsewhere("its key is a secret that api_key names"))]
"""The address below which an OpenAI-compatible server has ``/chat/completions``."""


def parse_public_url(value: str) -> str:
    """The address that people open, without a path: the chat is at its root."""
    parts = _split(value)
    _without_credentials(value, parts, "people log in on the page")
    if parts.path not in ("", "/"):
        raise ValueError(
            f"the chat is at the root of its address; write {parts.scheme}://{parts.netloc}"[:200]
        )
    return f"{parts.scheme}://{parts.netloc}".lower()


PublicUrl = Annotated[str, text(parse_public_url)]


def parse_ip_address(value: str) -> str:
    """An address of the host."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("an IP address of this host is wanted, such as 127.0.0.1") from None
    if "%" in value:
        raise ValueError("an address without a zone is wanted, such as ::1")
    return value


IpAddress = Annotated[str, text(parse_ip_address)]


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address, which is an IP address or a host's name."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost" or address.endswith(".localhost")


def is_unspecified(address: str) -> bool:
    """Whether an IP address stands for all of a machine's."""
    return ipaddress.ip_address(address).is_unspecified
