"""Derives keys from the instance secret, one per purpose, and seals with them (AES-256-GCM).

HKDF (RFC 5869) with the purpose as ``info``: a derived key reveals nothing about another one, or about the
secret.
"""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rbac_api.errors import Unavailable


class SealBroken(Unavailable):
    """A sealed value cannot be opened: it was altered, or the instance secret is a different one."""

    code = "seal.broken"
    default_detail = (
        "The instance secret (RBAC_SECRET_KEY, or secret_key in the data folder) is not the one this"
        " database was created with. Restore the original."
    )


@lru_cache(maxsize=64)  # a process has one secret, and few purposes
def derived_key(secret: str, purpose: str) -> bytes:
    """Return the 32-byte key of one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"rbac-api/{purpose}".encode()).derive(
        secret.encode()
    )


def keyed_hash(secret: str, purpose: str, text: str) -> str:
    """Return a hash of the text in hexadecimal; without the secret, texts cannot be tried against it."""
    return hmac.digest(derived_key(secret, purpose), text.encode(), "sha256").hex()


def seal(secret: str, purpose: str, plain: bytes) -> str:
    """Encrypt and authenticate; only the same secret and purpose open the returned text."""
    nonce = os.urandom(12)
    return base64.urlsafe_b64encode(
        nonce + AESGCM(derived_key(secret, purpose)).encrypt(nonce, plain, purpose.encode())
    ).decode()


def unseal(secret: str, purpose: str, sealed: str) -> bytes:
    """Return the plain bytes; ``SealBroken`` if they were not sealed with this secret for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        if base64.urlsafe_b64encode(raw).decode() != sealed:
            raise ValueError("a second spelling of the same bytes")
        return AESGCM(derived_key(secret, purpose)).decrypt(raw[:12], raw[12:], purpose.encode())
    except (InvalidTag, ValueError) as fault:  # not base64, or truncated
        raise SealBroken(internal=f"{purpose}: {type(fault).__name__}") from fault
