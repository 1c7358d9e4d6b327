"""Decodes hexadecimal and Base64 in one spelling: the one in which the same bytes are encoded.

Python's own functions also take capitals, spaces, and a last character whose ignored bits are set. With a
second spelling of the same bytes a signed or hashed text could be changed without being noticed.
"""

from __future__ import annotations

import base64
from collections.abc import Callable


def hex_bytes(text: str) -> bytes:
    """Return the bytes of hexadecimal digits; ``ValueError`` for any other spelling."""
    return _only(bytes.fromhex(text), bytes.hex, text)


def base64_bytes(text: str) -> bytes:
    """Return the bytes of padded Base64 (RFC 4648 section 4); ``ValueError`` for any other spelling."""
    return _only(base64.b64decode(text, validate=True), encode_base64, text)


def base64url_bytes(text: str) -> bytes:
    """Return the bytes of base64url without padding (section 5); ``ValueError`` for any other spelling."""
    return _only(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), encode_base64url, text)


def encode_base64(raw: bytes) -> str:
    """Return padded Base64."""
    return base64.b64encode(raw).decode()


def encode_base64url(raw: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _only(raw: bytes, encode: Callable[[bytes], str], text: str) -> bytes:
    if encode(raw) != text:
        raise ValueError("a second spelling of the same bytes")
    return raw
