"""What guards every request: host, origin, size; and the headers of every response."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Flask, Response, request

from chatbot.failures import Failure
from chatbot.services import Services, services

MAX_BODY_BYTES = 4 * 1024 * 1024

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        # No remote images: a Markdown image in an answer could carry the conversation away.
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types dompurify",
    )
)

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Under no-referrer browsers send the forms of /login with "Origin: null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def guard(app: Flask, parts: Services) -> None:
    """Install the checks and the headers."""
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    if parts.secure:
        app.after_request(_insist_on_tls)
    app.before_request(_refuse_foreign_host)
    app.before_request(_refuse_foreign_origin)
    app.after_request(_add_headers)


def _refuse_foreign_host() -> None:
    """Refuse public names in the Host header.

    A page of such a name whose DNS answer is changed to 127.0.0.1 ("DNS rebinding") is of the same
    origin as this application, as far as the browser can tell. Addresses and names without a dot
    cannot be used for that.
    """
    host = urlsplit(f"//{request.host}").hostname or ""
    if request.path == "/healthz" or "." not in host or host.endswith(".localhost"):
        return
    public_url = services().settings.access.public_url
    if public_url is not None and host == urlsplit(public_url).hostname:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise Failure(
            "host_not_allowed",
            f"This application does not answer to the name {host}.",
            f"Open it as {public_url or 'http://localhost:PORT'}. It answers to the name in "
            "services.chatbot.public_url.",
            status=421,
        ) from None


def _refuse_foreign_origin() -> None:
    """Refuse changes that a page of another origin asks for.

    Browsers say where a request comes from in Sec-Fetch-Site, older ones in Origin; programs
    (curl, SDKs) send neither.
    """
    if request.method in _SAFE_METHODS:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site is not None and site not in ("same-origin", "none")
    # A proxy need not hand on the name that the browser has used.
    known = origin == services().settings.access.public_url
    if origin is not None and not known and urlsplit(origin).netloc != request.host:
        foreign = True
    if foreign:
        raise Failure(
            "cross_origin_refused",
            "A page of another site asked for this change.",
            "Use the application's own page, or a program that is not a browser.",
            status=403,
        )


def _insist_on_tls(response: Response) -> Response:
    response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _add_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response
