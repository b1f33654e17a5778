"""Pulumi's passphrase secrets: which passphrase opens a stack file.

The salt's form and the key's derivation are those of Pulumi's passphrase secrets manager
(pulumi/pulumi, sdk/go/common/resource/config/crypt.go, v3.259.0): PBKDF2-HMAC-SHA256 with
1,000,000 rounds gives a key for AES-256-GCM.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

SHIPPED_SALT = "v1:sm9KtlUcDyM=:v1:LIb0KLdLfnrUCQRa:GghYr+5y9BGGZkSEC5ix4giUV27fMg=="
"""The salt of every stack file that we ship: that of the empty passphrase."""

_ROUNDS = 1_000_000
_KNOWN_TEXT = b"pulumi"


def opens(passphrase: str, salt: str) -> bool:
    """Whether a passphrase belongs to a stack file's ``encryptionsalt``."""
    if passphrase == "" and salt == SHIPPED_SALT:
        return True  # known; deriving the key takes half a second
    try:
        version, encoded, check_version, nonce, check = salt.split(":")
        raw = [base64.b64decode(part) for part in (encoded, nonce, check)]
    except ValueError:
        return False
    if (version, check_version) != ("v1", "v1"):
        return False
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(_key(passphrase, raw[0])).decrypt(raw[1], raw[2], None) == _KNOWN_TEXT
    except InvalidTag:
        return False


def new_salt(passphrase: str) -> str:
    """An ``encryptionsalt`` for a new stack file."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(8), secrets.token_bytes(12)
    check = AESGCM(_key(passphrase, salt)).encrypt(nonce, _KNOWN_TEXT, None)
    encoded = [base64.b64encode(part).decode() for part in (salt, nonce, check)]
    return f"v1:{encoded[0]}:v1:{encoded[1]}:{encoded[2]}"


class Sealer:
    """Encrypts and opens values of one stack file, as ``pulumi config set --secret`` does.

    Raises:
        WrongPassphrase: when made, if the passphrase does not belong to the salt.

    """

    def __init__(self, passphrase: str, salt: str) -> None:
        if not opens(passphrase, salt):
            raise WrongPassphrase
        self._key = _key(passphrase, base64.b64decode(salt.split(":")[1]))

    def seal(self, value: str) -> str:
        """The text that stands under ``secure:`` in a stack file."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(12)
        sealed = AESGCM(self._key).encrypt(nonce, value.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def open(self, sealed: str) -> str:
        """The value of a text under ``secure:``.

        Raises:
            WrongPassphrase: it was not sealed with this passphrase and salt.

        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            version, nonce, content = sealed.split(":")
            if version != "v1":
                raise WrongPassphrase
            raw = [base64.b64decode(part) for part in (nonce, content)]
            return AESGCM(self._key).decrypt(raw[0], raw[1], None).decode()
        except (ValueError, InvalidTag):
            raise WrongPassphrase from None


class WrongPassphrase(Exception):
    """A secret can't be opened with the passphrase at hand."""


def in_use(environment: Mapping[str, str], home: Path) -> str:
    """The passphrase that pulumi would take: the environment's, else this person's own.

    Raises:
        OSError: the file that the environment names can't be read.

    """
    if (said := environment.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return said
    named = environment.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    path = Path(named) if named else own_passphrase_file(home)
    return path.read_text().strip()


def own_passphrase_file(home: Path) -> Path:
    """The file with this person's passphrase, made on first use, readable by them alone."""
    path = home / "passphrase"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600, exist_ok=True)
        path.write_text(secrets.token_urlsafe(32))
    return path


@lru_cache(maxsize=4)  # half a second each
def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, _ROUNDS, dklen=32)
