"""Makes single keys, reads them from PEM or a public JWK, names them by RFC 7638 thumbprint, and signs with
them."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from rbac_api.sealing import derived_key
from rbac_api.settings import Settings

_ALGORITHMS: dict[str, Any] = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}
_THUMBPRINT_MEMBERS = {
    "OKP": ("crv", "kty", "x"),
    "EC": ("crv", "kty", "x", "y"),
    "RSA": ("e", "kty", "n"),
    "oct": ("k", "kty"),
}


class Use(NamedTuple):
    """When a key signed the tokens of a session (its ``last_seen_at``), and when they expire."""

    at: datetime
    access: datetime
    refresh: datetime | None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key: its ``kid``, its one algorithm, the objects PyJWT signs and verifies with, and its public JWK.

    It signs from ``signs_from`` (None: always) until ``signs_until``.  It verifies as long as it may sign and
    until ``until``, when the last token that it signed has expired (None: it has signed none).  A replaced
    key of the settings has no private part.
    """

    kid: str
    algorithm: str
    private: Any
    public: Any
    jwk: dict[str, str] | None
    created_at: datetime | None = None
    signs_from: datetime | None = None
    signs_until: datetime | None = None
    until: datetime | None = None


def sign(key: SigningKey, typ: str, payload: dict[str, object]) -> str:
    """Return a compact JWS (RFC 7515 section 3.1) of a type of its own, so that it cannot pass as a token."""
    return jwt.encode(payload, key.private, algorithm=key.algorithm, headers={"typ": typ, "kid": key.kid})


def sign_bytes(key: SigningKey, typ: str, payload: bytes) -> str:
    """Return the same for a payload that is JSON already."""
    headers = {"typ": typ, "kid": key.kid}
    return jwt.PyJWS().encode(payload, key.private, algorithm=key.algorithm, headers=headers)


def shared_secret_key(settings: Settings) -> SigningKey:
    """Return the HS256 key, the instance secret itself; its ``kid`` is the thumbprint of a derived key and
    reveals nothing about the secret."""
    raw = base64.urlsafe_b64encode(derived_key(settings.secret_key, "hs256-kid")).rstrip(b"=").decode()
    secret = settings.secret_key.encode()
    return SigningKey(thumbprint({"kty": "oct", "k": raw}), "HS256", secret, secret, None)


def key_from_pem(pem: bytes, algorithm: str, *, checked: bool = False) -> SigningKey:
    """Return the key of a private key in PEM that fits the algorithm (``value_checks.pem_problem`` has
    checked it).

    ``checked``: this service made or sealed it, so the slow primality test of its numbers is skipped.
    """
    private: Any = serialization.load_pem_private_key(
        pem, password=None, unsafe_skip_rsa_key_validation=checked
    )
    public = private.public_key()
    jwk = _named(json.loads(_ALGORITHMS[algorithm].to_jwk(public)), algorithm)
    return SigningKey(jwk["kid"], algorithm, private, public, jwk)


def key_from_jwk(jwk: dict[str, str]) -> SigningKey:
    """Return a key that only verifies, from a public JWK of ours."""
    return SigningKey(jwk["kid"], jwk["alg"], None, _ALGORITHMS[jwk["alg"]].from_jwk(jwk), jwk)


def generate_pem(algorithm: str) -> bytes:
    """Return a new private key for the algorithm, PKCS #8 in PEM."""
    makers: dict[str, Callable[[], Any]] = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    }
    key: Any = makers[algorithm]()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem: bytes = key.private_bytes(*form)
    return pem


def thumbprint(jwk: dict[str, str]) -> str:
    """Return the RFC 7638 section 3 thumbprint: base64url of the SHA-256 of the required members in lexical
    order."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _named(jwk: dict[str, str], algorithm: str) -> dict[str, str]:
    bare = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    return {**bare, "kid": thumbprint(bare), "use": "sig", "alg": algorithm}
