"""Secrets: what they must be like, and how one is known that stands where it should not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from archi.settings import certificate

SECRET_NAME = re.compile(
    r"(^|_)(TOKEN|KEY|PASSWORD|PASSWD|SECRET|CREDENTIALS?)(_|$)", re.IGNORECASE
)
"""Names of variables that hold secrets."""


def _secret(check: Callable[[str], str | None]) -> AfterValidator:
    def validate(value: SecretStr) -> SecretStr:
        if problem := check(value.get_secret_value()):
            raise ValueError(problem)
        return value

    return AfterValidator(validate)


_SHORTEST_SESSION_KEY = 32  # chatbot/deployment_files.py refuses shorter ones

SessionKey = Annotated[
    SecretStr,
    _secret(
        lambda key: (
            None
            if len(key) >= _SHORTEST_SESSION_KEY and key.isprintable()
            else "it needs 32 printable characters or more, such as `openssl rand -hex 32` gives"
        )
    ),
]
ApiKey = Annotated[
    SecretStr,
    _secret(
        lambda key: (
            None
            if re.fullmatch(r"[!-~]{1,256}", key)
            else "it goes into an HTTP header: 1 to 256 letters, digits and signs, no spaces"
        )
    ),
]
Password = Annotated[
    SecretStr,
    _secret(
        lambda text: (
            None
            if text and text.isprintable() and len(text.encode(errors="replace")) <= 512
            else "it has to be one line of printable characters, 512 bytes at most"
        )
    ),
]
ClientSecret = Annotated[
    SecretStr,
    _secret(
        lambda text: (
            None
            if re.fullmatch(r"[ -~]{1,512}", text)
            else "it has to be one line of letters, digits and signs, 512 at most"
        )
    ),
]
TlsKey = Annotated[
    SecretStr,
    _secret(
        lambda pem: (
            None
            if certificate.key_readable(pem)
            else "a private key in PEM form is wanted, without a passphrase"
        )
    ),
]
