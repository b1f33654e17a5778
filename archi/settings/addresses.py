"""Addresses: of servers elsewhere, and of this host."""

from __future__ import annotations

import ipaddress
import re
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


def parse_hub_url(value: str) -> str:
    """The address of a model hub, without a slash at its end."""
    _without_credentials(value, _split(value), "a token belongs in archi:hf_token")
    return value.rstrip("/")


HubUrl = Annotated[str, text(parse_hub_url)]


def parse_ip_address(value: str) -> str:
    """An address of the host; only loopback ones for now: the chat has no login."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("an IP address of this host is wanted, such as 127.0.0.1") from None
    if not address.is_loopback:
        raise ValueError(
            "other machines could reach the chat, which has no login yet; leave it at 127.0.0.1 "
            "and reach it from elsewhere by `ssh -L 7861:localhost:7861 THIS-HOST`"
        )
    return value


IpAddress = Annotated[str, text(parse_ip_address)]
