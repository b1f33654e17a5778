"""A certificate and its key: whether they belong together, for which names, until when."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def readable(pem: str) -> bool:
    """Whether there is a certificate in it."""
    return _first(pem) is not None


def key_readable(pem: str) -> bool:
    """Whether it is a private key that needs no passphrase."""
    return _public_key_of(pem) is not None


def belong_together(certificate: str, key: str) -> bool:
    """Whether the key is the certificate's; both as PEM."""
    first = _first(certificate)
    return first is not None and _public_bytes(first.public_key()) == _public_key_of(key)


def names(pem: str) -> list[str]:
    """The names and addresses that the certificate is for, as it says them."""
    from cryptography import x509

    first = _first(pem)
    if first is None:
        return []
    try:
        extension = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return []
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return [
        *extension.value.get_values_for_type(x509.DNSName),
        *(str(address) for address in addresses),
    ]


def covers(pem: str, host: str) -> bool:
    """Whether a browser takes the certificate for a host (RFC 9525: names of the extension)."""
    try:
        wanted = str(ipaddress.ip_address(host))
    except ValueError:
        wanted = host.lower()
        parent = wanted.partition(".")[2]
        return any(name.lower() in (wanted, f"*.{parent}") for name in names(pem))
    return wanted in names(pem)


def ends(pem: str) -> datetime | None:
    """When it is valid no more; None where it can't be read."""
    first = _first(pem)
    return first.not_valid_after_utc.astimezone(UTC) if first else None


@lru_cache(maxsize=8)
def _first(pem: str) -> Certificate | None:
    from cryptography.x509 import load_pem_x509_certificates

    try:
        return load_pem_x509_certificates(pem.encode("ascii", "replace"))[0]
    except (ValueError, IndexError):
        return None


def _public_key_of(pem: str) -> bytes | None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode("ascii", "replace"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return _public_bytes(key.public_key())


def _public_bytes(key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind has it
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
    return encoded
