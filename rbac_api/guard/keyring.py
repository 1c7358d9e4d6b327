"""The signing keys as this process holds them: private parts unsealed in memory, public parts for verification and for JWKS."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from sqlalchemy import Connection, Row

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.errors import Unavailable
from rbac_api.guard.queries import find_signing_key, list_signing_keys
from rbac_api.sealing import SealBroken, derived_key, unseal
from rbac_api.settings import Settings
from rbac_api.value_checks import pem_problem

PURPOSE = "signing-key"
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_ALGORITHMS: dict[str, Any] = {"EdDSA": OKPAlgorithm, "ES256": ECAlgorithm, "RS256": RSAAlgorithm}
_THUMBPRINT_MEMBERS = {
    "OKP": ("crv", "kty", "x"),
    "EC": ("crv", "kty", "x", "y"),
    "RSA": ("e", "kty", "n"),
    "oct": ("k", "kty"),
}


class NoSigningKey(Unavailable):
    """No key of the configured algorithm exists yet."""

    code = "key.absent"
    default_detail = "This service has no signing key yet. Run `flask rbac init`, then try again."


KEY_PROBLEMS: tuple[type[Unavailable], ...] = (NoSigningKey, SealBroken)
"""Why nothing can be signed."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key: its ``kid`` (RFC 7638 thumbprint), its one algorithm, the objects PyJWT signs and verifies with, and its public JWK.

    A retired one signs no more and verifies until ``until``; one from the settings was not made at a known time.
    """

    kid: str
    algorithm: str
    private: Any
    public: Any
    jwk: dict[str, Any] | None
    created_at: datetime | None = None
    until: datetime | None = None

    @property
    def verifies(self) -> bool:
        """Whether a token of its may still be alive."""
        return self.until is None or clock.now() < self.until


class Keyring:
    """All keys that verify; the newest of the configured algorithm that was not retired signs.  A withdrawn key is not here."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._keys: dict[str, SigningKey] | None = None
        self._forgotten = 0
        self._changing = threading.Lock()

    def forget(self) -> None:
        """Read the keys again when next asked."""
        with self._changing:
            self._forgotten += 1
            self._keys = None

    def keys(self, connection: Connection | None = None) -> dict[str, SigningKey]:
        """Every key by ``kid``.  What was read is remembered unless ``forget`` came meanwhile: it may be out of date already."""
        keys = self._keys
        if keys is None:
            before = self._forgotten
            keys = self._load(connection)
            with self._changing:
                if self._forgotten == before:
                    self._keys = keys
        return keys

    def active(self, connection: Connection | None = None) -> SigningKey:
        """The key that signs now."""
        keys = self.keys(connection).values()
        signing = [
            key for key in keys if key.algorithm == self._settings.signing_algorithm and key.until is None
        ]
        if not signing:
            raise NoSigningKey()
        return signing[-1]

    def find(self, kid: Any, algorithm: Any) -> SigningKey | None:
        """The key a token names, if it is ours and of that algorithm: one key, one algorithm (RFC 8725 section 3.1).

        A key unknown here may have begun to sign elsewhere a moment ago, before this worker heard of it: the database is asked.
        """
        if not isinstance(kid, str):
            return None
        key = (self._keys or self.keys()).get(kid)
        if key is None and not self.external and _THUMBPRINT.fullmatch(kid):
            key = self._look_again(kid)
        return key if key is not None and key.algorithm == algorithm and key.verifies else None

    def published(self) -> list[dict[str, Any]]:
        """The public JWKs of all keys that verify, as the database has them now; none with a shared secret."""
        keys = self._load(None).values()
        return [key.jwk for key in keys if key.jwk is not None and key.verifies]

    @property
    def external(self) -> bool:
        """Whether the key comes from the settings, so that none is kept in SQL."""
        return self._settings.signing_algorithm == "HS256" or bool(self._settings.signing_key)

    def _look_again(self, kid: str) -> SigningKey | None:
        with self._database.reading() as reader:
            row = find_signing_key(reader, kid)
        key = self._opened(row) if row is not None else None
        return key if key is not None and key.kid == kid else None

    def _load(self, connection: Connection | None) -> dict[str, SigningKey]:
        if self._settings.signing_algorithm == "HS256":
            key = shared_secret_key(self._settings)
            return {key.kid: key}
        if self._settings.signing_key:
            key = key_from_pem(self._settings.signing_key.encode(), self._settings.signing_algorithm)
            return {key.kid: key}
        with nullcontext(connection) if connection else self._database.reading() as reader:
            rows = list_signing_keys(reader)
        keys = [self._opened(row) for row in rows]
        return {key.kid: key for key in keys}

    def _opened(self, row: Row[Any]) -> SigningKey:
        pem = unseal(self._settings.secret_key, PURPOSE, row.private_sealed)
        if problem := pem_problem(pem, row.algorithm):
            raise SealBroken(internal=f"a row of signing_keys was altered: its key {problem}")
        until = verifies_until(self._settings, row.retired_at)
        return replace(key_from_pem(pem, row.algorithm), created_at=row.created_at, until=until)


def sign(key: SigningKey, typ: str, payload: dict[str, Any]) -> str:
    """A compact JWS (RFC 7515 section 3.1) of a type of its own, so that nobody takes it for a token."""
    return jwt.encode(payload, key.private, algorithm=key.algorithm, headers={"typ": typ, "kid": key.kid})


def verifies_until(settings: Settings, retired_at: datetime | None) -> datetime | None:
    """When the last token of a retired key has expired: a refresh token of the moment in which it was retired."""
    if retired_at is None:
        return None
    return retired_at + timedelta(seconds=settings.refresh_token_seconds + settings.clock_leeway_seconds)


def shared_secret_key(settings: Settings) -> SigningKey:
    """HS256 with the instance secret itself; its ``kid`` is the thumbprint of a derived key, so that it tells nothing of the secret."""
    raw = base64.urlsafe_b64encode(derived_key(settings.secret_key, "hs256-kid")).rstrip(b"=").decode()
    secret = settings.secret_key.encode()
    return SigningKey(thumbprint({"kty": "oct", "k": raw}), "HS256", secret, secret, None)


def key_from_pem(pem: bytes, algorithm: str) -> SigningKey:
    """The key that a private key in PEM makes; it fits the algorithm (``value_checks.pem_problem`` was asked)."""
    private: Any = serialization.load_pem_private_key(pem, password=None)
    public = private.public_key()
    jwk: dict[str, Any] = json.loads(_ALGORITHMS[algorithm].to_jwk(public))
    bare = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    kid = thumbprint(bare)
    return SigningKey(kid, algorithm, private, public, {**bare, "kid": kid, "use": "sig", "alg": algorithm})


def generate_pem(algorithm: str) -> bytes:
    """A new private key for the algorithm, PKCS #8 in PEM."""
    makers: dict[str, Callable[[], Any]] = {
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072),
    }
    key: Any = makers[algorithm]()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem: bytes = key.private_bytes(*form)
    return pem


def thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638 section 3: base64url of the SHA-256 of the required members in lexical order."""
    members = {name: jwk[name] for name in _THUMBPRINT_MEMBERS[jwk["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
