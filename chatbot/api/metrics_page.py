"""``/metrics``, for Prometheus. It has an access rule of its own, apart from every login.

``ARCHI_METRICS`` says who may read it: ``none``; ``loopback``, this machine and, while the port is
published on this machine only, the networks that the container itself is in; ``token``, who sends
the content of ``secrets/metrics_token`` as a Bearer token.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
import struct
from pathlib import Path

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from chatbot import metrics
from chatbot.failures import Failure
from chatbot.health import probe_model
from chatbot.services import services

blueprint = Blueprint("metrics", __name__)

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


@blueprint.get("/metrics")
def show_metrics() -> Response:
    """Show all numbers in Prometheus' text format."""
    _admit()
    try:
        probe_model()
        up = True
    except Failure:
        up = False
    admission = services().admission
    now = metrics.Now(up, admission.limit - admission.free, admission.limit)
    return Response(metrics.exposition(now), content_type=CONTENT_TYPE_LATEST)


def _admit() -> None:
    settings = services().settings
    if settings.metrics == "none":
        raise Failure("not_found", "There are no metrics here.", status=404)
    if settings.metrics == "token":
        _check_token()
        return
    # What a proxy hands on comes from its own address, whoever asks.
    proxied = any(name in request.headers for name in _FORWARDED)
    networks = own_networks() if settings.published_on_loopback else []
    if proxied or not near(request.remote_addr or "", networks):
        raise Failure(
            "metrics_refused",
            "The metrics are for this machine and the deployment's own network.",
            "Ask from there, or set ARCHI_METRICS=token and send the content of "
            "secrets/metrics_token as a Bearer token.",
            status=403,
        )


def _check_token() -> None:
    wanted = services().files.secret("metrics_token")
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if wanted is None or not hmac.compare_digest(given.encode(), wanted.encode()):
        raise Failure(
            "metrics_refused",
            "The metrics need a token.",
            "Send the content of secrets/metrics_token as `Authorization: Bearer TOKEN`.",
            status=401,
        )


def near(address: str, networks: list[ipaddress.IPv4Network]) -> bool:
    """Whether an address is this machine's, or lies in one of the networks."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return found.is_loopback or any(found in network for network in networks)


def own_networks(routes: Path = Path("/proc/net/route")) -> list[ipaddress.IPv4Network]:
    """Return the IPv4 networks that this container, or this machine, is itself in."""
    found = []
    for line in routes.read_text().splitlines()[1:] if routes.exists() else []:
        _, destination, gateway, flags, *_, mask, _mtu, _window, _irtt = line.split()
        # Not by way of a gateway, and not the default route.
        if int(gateway, 16) == 0 and int(mask, 16) != 0 and int(flags, 16) & 1:
            address, length = (
                socket.inet_ntoa(struct.pack("<I", int(x, 16))) for x in (destination, mask)
            )
            found.append(ipaddress.IPv4Network(f"{address}/{length}"))
    return found
