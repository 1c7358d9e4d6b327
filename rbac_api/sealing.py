"""Keys derived from the instance secret, one per purpose, and sealing (AES-256-GCM).

HKDF (RFC 5869) with the purpose as ``info``: learning one derived key tells nothing of another or of the secret.
"""

from __future__ import annotations

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rbac_api.errors import Unavailable


class SealBroken(Unavailable):
    """Something sealed cannot be opened: it was altered, or the instance secret is another one."""

    code = "seal.broken"
    default_detail = (
        "The instance secret (RBAC_SECRET_KEY, or secret_key in the data folder) is not the one this"
        " database was created with. Restore the original."
    )


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"rbac-api/{purpose}".encode()).derive(
        secret.encode()
    )


def seal(secret: str, purpose: str, plain: bytes) -> str:
    """Encrypt and authenticate; text that only the same secret and purpose open."""
    nonce = os.urandom(12)
    return base64.urlsafe_b64encode(
        nonce + AESGCM(derived_key(secret, purpose)).encrypt(nonce, plain, purpose.encode())
    ).decode()


def unseal(secret: str, purpose: str, sealed: str) -> bytes:
    """The plain bytes; ``SealBroken`` if it was not sealed with this secret for this purpose."""
    try:
        raw = base64.urlsafe_b64decode(sealed)
        return AESGCM(derived_key(secret, purpose)).decrypt(raw[:12], raw[12:], purpose.encode())
    except (InvalidTag, ValueError) as fault:  # not base64, or cut short
        raise SealBroken(internal=f"{purpose}: {type(fault).__name__}") from fault
