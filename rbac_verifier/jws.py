"""Reads signed texts (compact JWS, RFC 7515) more strictly than PyJWT, and verifies them with public keys.

Each key has one algorithm (RFC 8725 section 3.1). A header that names another one only causes a refusal.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import jwt

from rbac_verifier.encodings import base64url_bytes, encode_base64url

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
KID = re.compile(r"[A-Za-z0-9_-]{43}")
_MEMBERS = {
    "EdDSA": ("OKP", ("crv", "kty", "x")),
    "ES256": ("EC", ("crv", "kty", "x", "y")),
    "RS256": ("RSA", ("e", "kty", "n")),
}
_VALUES = frozenset({"x", "y", "n", "e"})
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class Unverifiable(Exception):
    """The text is not valid."""


class TooLate(Unverifiable):
    """The text was valid until its ``exp``."""


@dataclass(frozen=True, slots=True)
class Key:
    """A public key and its one algorithm."""

    kid: str
    algorithm: str
    public: Any


def read_key(jwk: Any) -> Key | None:
    """Return a member of a JWK Set as a key.

    None for a private or symmetric key, for another algorithm, or if ``kid`` is not the key's own.
    """
    if not isinstance(jwk, dict) or _PRIVATE & jwk.keys() or jwk.get("use", "sig") != "sig":
        return None
    kind, members = _MEMBERS.get(str(jwk.get("alg")), ("", ()))
    if not kind or jwk.get("kty") != kind or not all(isinstance(jwk.get(name), str) for name in members):
        return None
    if jwk.get("kid") != _thumbprint({name: jwk[name] for name in members}):
        return None
    try:
        for name in _VALUES.intersection(members):
            base64url_bytes(jwk[name])
        return Key(jwk["kid"], jwk["alg"], jwt.PyJWK(jwk, algorithm=jwk["alg"]).key)
    except (jwt.PyJWTError, ValueError):
        return None


def unpack(text: str, longest: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and payload. Only the form is verified.

    ``Unverifiable`` for any text that is not written exactly as the service writes.
    """
    if len(text) > longest or not _SHAPE.fullmatch(text):
        raise Unverifiable("not a compact JWS")
    head, body, signature = text.split(".")
    _bytes(signature)
    header, payload = _object(_bytes(head)), _object(_bytes(body))
    return header, payload


def header_fits(header: dict[str, Any], typ: str) -> bool:
    """Return True if a header has the service's members, and this type (RFC 7515 section 4.1.9)."""
    if header.keys() != {"alg", "kid", "typ"} or not all(isinstance(part, str) for part in header.values()):
        return False
    named: str = header["typ"]
    return named.lower().removeprefix("application/") == typ


def verify(text: str, key: Key, **expected: Any) -> dict[str, Any]:
    """Return the payload of a text that this key signed.

    ``expected`` is passed to PyJWT (audience, issuer, leeway, options).
    """
    try:
        found: dict[str, Any] = jwt.decode(text, key.public, algorithms=[key.algorithm], **expected)
    except jwt.ExpiredSignatureError as fault:
        raise TooLate("expired") from fault
    except jwt.PyJWTError as fault:
        raise Unverifiable(type(fault).__name__) from fault
    return found


def _thumbprint(members: dict[str, str]) -> str:
    """RFC 7638 section 3."""
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return encode_base64url(hashlib.sha256(text.encode()).digest())


def _bytes(text: str) -> bytes:
    try:
        return base64url_bytes(text)
    except ValueError as fault:
        raise Unverifiable("not base64url, as this service writes it") from fault


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_without_repetition, parse_constant=_refuse)
        json.dumps(found, ensure_ascii=False).encode()  # no lone surrogates
    except (ValueError, RecursionError) as fault:
        raise Unverifiable("not JSON") from fault
    if not isinstance(found, dict):
        raise Unverifiable("not an object")
    return found


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
