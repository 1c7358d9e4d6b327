"""Holds the signing keys of this process: which one signs, which ones verify and until when, and what is
published of them.

A key is published before it signs, for as long as others may cache what was published
(``RBAC_JWKS_SECONDS``).  So a token never names a key that a conforming cache does not know.  A key verifies
until the last token that it signed has expired; ``key_uses`` records when that is.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database, is_writer
from rbac_api.errors import Unavailable
from rbac_api.guard.tokens import queries
from rbac_api.guard.tokens.signing import (
    SigningKey,
    Use,
    generate_pem,
    key_from_jwk,
    key_from_pem,
    shared_secret_key,
)
from rbac_api.guard.tokens.signing import sign as sign  # noqa: PLC0414 -- for others
from rbac_api.guard.tokens.signing import thumbprint as thumbprint  # noqa: PLC0414 -- for others
from rbac_api.sealing import SealBroken, seal, unseal
from rbac_api.settings import Settings
from rbac_api.value_checks import pem_problem

__all__ = ["Keyring", "NoSigningKey", "SigningKey", "generate_pem", "key_from_pem", "shared_secret_key"]
PURPOSE, PUBLIC_PURPOSE = "signing-key", "verification-key"
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


class _Moments(TypedDict, total=False):
    """The times between which a key signs and verifies."""

    created_at: datetime | None
    signs_from: datetime | None
    signs_until: datetime | None
    until: datetime | None


class NoSigningKey(Unavailable):
    """No key of the configured algorithm exists yet."""

    code = "key.absent"
    default_detail = "This service has no signing key yet. Run `rbac-api init`, then try again."


class SigningKeyWithdrawn(NoSigningKey):
    """The configured key was withdrawn, which is permanent."""

    default_detail = (
        "The signing key in the settings was withdrawn. Put another one into RBAC_SIGNING_KEY, or for HS256"
        " choose another RBAC_SIGNING_ALGORITHM, and restart."
    )


KEY_PROBLEMS: tuple[type[Unavailable], ...] = (NoSigningKey, SealBroken)
"""The errors of an operation that has to sign."""


class Keyring:
    """All keys that verify or will sign.  It has no withdrawn key."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._keys: dict[str, SigningKey] | None = None
        self._configured: SigningKey | None = None
        self._opened: dict[str, SigningKey] = {}  # by the sealed text: opening is slow
        self._used: dict[str, queries.KeyUseRow] = {}
        self._forgotten = 0
        self._changing = threading.Lock()
        self._noting = threading.Lock()

    def forget(self) -> None:
        """Read the keys again at the next use."""
        with self._changing:
            self._forgotten += 1
            self._keys, self._used = None, {}

    def keys(self, connection: Connection | None = None) -> dict[str, SigningKey]:
        """Return every key by ``kid``.  What was read is remembered unless ``forget`` came meanwhile: it may
        be out of date already."""
        keys = self._keys
        if keys is None:
            before = self._forgotten
            keys = self._load(connection)
            with self._changing:
                if self._forgotten == before:
                    self._keys = keys
        return keys

    def active(self, connection: Connection | None = None) -> SigningKey:
        """Return the key that signs now."""
        return self.signer(self.keys(connection))

    def as_of(self, connection: Connection) -> dict[str, SigningKey]:
        """Return every key as this transaction sees it, with its own changes; not remembered."""
        return self._load(connection)

    def signer(self, keys: dict[str, SigningKey]) -> SigningKey:
        """Return which of these signs now; one that waits, if no other is left or this node's clock is behind
        the one that made it."""
        if self.external:
            return self._external_one(keys)
        now = clock.now()
        mine = [key for key in keys.values() if key.algorithm == self._settings.signing_algorithm]
        signing = [key for key in mine if key.created_at and key.signs(now)]
        found = signing[-1:] or [key for key in mine if key.waits(now)][:1]
        if not found:
            raise NoSigningKey()
        return found[0]

    def waiting(self, connection: Connection | None = None) -> list[SigningKey]:
        """Return the keys that are published and sign later, the first one first."""
        now = clock.now()
        return [key for key in self.keys(connection).values() if key.waits(now)]

    def rotation_begins(self, connection: Connection) -> datetime | None:
        """Return when the next key shall begin to sign, if it is time to make it (``RBAC_KEY_ROTATION``);
        None otherwise."""
        seconds = self._settings.key_rotation
        if not seconds or self.external or self.waiting(connection):
            return None
        begun, earliest = self.active(connection).signs_from, clock.now() + self.lead()
        due = begun + timedelta(seconds=seconds) if begun else earliest
        return earliest if due <= earliest else None

    def lead(self) -> timedelta:
        """Return how long a key is published before it signs: until every cache and every node's clock has
        reached that time."""
        return timedelta(seconds=self._settings.jwks_seconds + self._settings.clock_leeway_seconds)

    def find(self, kid: object, algorithm: object) -> SigningKey | None:
        """Return the key that a token names, if it is ours and of that algorithm: one key, one algorithm (RFC
        8725 section 3.1).

        A key unknown here may have begun to sign on another node a moment ago, and one that seems to be over
        may have signed since this worker read it: the database is asked.
        """
        if not isinstance(kid, str):
            return None
        key = (self._keys or self.keys()).get(kid)
        if key is None or (key.signs_until is not None and not key.verifies):
            key = self._look_again(kid) if _THUMBPRINT.fullmatch(kid) else None
        return key if key is not None and key.algorithm == algorithm else None

    def published(self) -> list[dict[str, str]]:
        """Return the public JWKs of all keys that verify or will sign, as the database has them now; none
        with a shared secret."""
        return [key.jwk for key in self._load(None).values() if key.jwk is not None and key.verifies]

    def note_use(self, connection: Connection, key: SigningKey, use: Use) -> None:
        """Record until when the tokens that this key signs now are alive, before they are issued.

        The use of a key kept here is recorded up to the end of the second, once for all tokens of that
        second: it is known when it begins and ceases to sign.  That of a key from the settings is recorded up
        to now, once for all requests that wait here.  What a row says is remembered only as it was read,
        because a write may be rolled back.
        """
        seen = use.at.replace(microsecond=0) if key.created_at else use.at
        if _covers(self._used.get(key.kid), use, seen):
            return
        # Under the write lock one thread comes at a time; without it others wait for the first one's commit.
        with nullcontext() if is_writer(connection) else self._noting:
            if not _covers(self._used.get(key.kid), use, seen):
                self._note_use(connection, key, use, seen)

    def _note_use(self, connection: Connection, key: SigningKey, use: Use, seen: datetime) -> None:
        row = queries.find_key_use(connection, key.kid)
        if row is not None:
            self._used[key.kid] = row
        if not _covers(row, use, seen):
            queries.note_key_use(connection, self._use(key, row, use))

    @property
    def external(self) -> bool:
        """Whether the signing key comes from the settings, so that its private part is not kept in SQL."""
        return self._settings.signing_algorithm == "HS256" or bool(self._settings.signing_key)

    def _use(self, key: SigningKey, row: queries.KeyUseRow | None, use: Use) -> dict[str, object]:
        sealed, second = None, use.at.replace(microsecond=0)
        if row is None and key.created_at is None and key.jwk is not None:
            sealed = seal(self._settings.secret_key, PUBLIC_PURPOSE, json.dumps(key.jwk).encode())
        return {
            "kid": key.kid, "algorithm": key.algorithm, "public_sealed": sealed, "first_used_at": use.at,
            "last_used_at": second + timedelta(seconds=1) if key.created_at else clock.now(),
            "access_until": use.access, "refresh_until": use.refresh,
        }  # fmt: skip

    def _external_one(self, keys: dict[str, SigningKey]) -> SigningKey:
        key = keys.get(self._from_settings().kid)
        if key is None:
            raise SigningKeyWithdrawn()
        return key

    def _from_settings(self) -> SigningKey:
        if self._configured is None:
            settings = self._settings
            self._configured = (
                shared_secret_key(settings)
                if settings.signing_algorithm == "HS256"
                else key_from_pem(settings.signing_key.encode(), settings.signing_algorithm)
            )
        return self._configured

    def _look_again(self, kid: str) -> SigningKey | None:
        key = self._load(None).get(kid)
        if key is None or not key.verifies:
            return None
        self.forget()  # memory is older
        return key

    def _load(self, connection: Connection | None) -> dict[str, SigningKey]:
        with nullcontext(connection) if connection else self._database.reading() as reader:
            rows, uses = queries.list_signing_keys(reader), queries.list_external_keys(reader)
        found = {key.kid: key for key in self._own(rows)}
        found |= {key.kid: key for key in self._replaced(uses)}
        if self.external:
            key = self._from_settings()
            if all(row.kid != key.kid or row.withdrawn_at is None for row in uses):
                found[key.kid] = key
        self._opened = {sealed: key for sealed, key in self._opened.items() if key.kid in found}
        return found

    def _own(self, rows: list[queries.KeptKey]) -> list[SigningKey]:
        """Return the keys kept in SQL, in the order in which they sign: each until the next of its algorithm
        does, or it was retired."""
        found: list[SigningKey] = []
        following: dict[str, datetime] = {}
        for row in reversed(rows):
            ends = min(filter(None, (row.retired_at, following.get(row.algorithm))), default=None)
            if row.retired_at is None:
                following[row.algorithm] = row.begins_at
            if ends is None and (self.external or row.algorithm != self._settings.signing_algorithm):
                ends = row.last_used_at  # None if it was made for a later setting
            signed = ends is not None and row.begins_at < ends
            until = self._until(row, ends if signed else None)
            moments = _Moments(
                created_at=row.created_at, signs_from=row.begins_at, signs_until=ends, until=until
            )
            found.append(replace(self._open(row), **moments))
        return found[::-1]

    def _replaced(self, uses: list[queries.KeyUseRow]) -> Iterator[SigningKey]:
        """Yield the keys from earlier settings, the public part alone."""
        for row in uses:
            if row.withdrawn_at is None:
                moments = _Moments(signs_until=row.last_used_at, until=self._until(row))
                if row.public_sealed is not None:
                    yield replace(self._open_public(row.public_sealed), **moments)
                elif row.kid == (key := shared_secret_key(self._settings)).kid:
                    yield replace(key, **moments)

    def _until(
        self, row: queries.KeptKey | queries.KeyUseRow, retired: datetime | None = None
    ) -> datetime | None:
        """Return when a key's last token has expired: as recorded, and no sooner than a token signed when the
        key was retired."""
        lifetime = timedelta(seconds=self._settings.refresh_token_seconds)
        ends = (row.access_until, row.refresh_until, retired and retired + lifetime)
        last = max(filter(None, ends), default=None)
        return last and last + timedelta(seconds=self._settings.clock_leeway_seconds)

    def _open(self, row: queries.KeptKey) -> SigningKey:
        key = self._opened.get(row.private_sealed)
        if key is None or key.algorithm != row.algorithm:
            pem = unseal(self._settings.secret_key, PURPOSE, row.private_sealed)
            if problem := pem_problem(pem, row.algorithm, checked=True):
                raise SealBroken(internal=f"a row of signing_keys was altered: its key {problem}")
            key = self._opened[row.private_sealed] = key_from_pem(pem, row.algorithm, checked=True)
        return key

    def _open_public(self, sealed: str) -> SigningKey:
        key = self._opened.get(sealed)
        if key is None:
            jwk = json.loads(unseal(self._settings.secret_key, PUBLIC_PURPOSE, sealed))
            key = self._opened[sealed] = key_from_jwk(jwk)
        return key


def _covers(row: queries.KeyUseRow | None, use: Use, seen: datetime) -> bool:
    """Return whether a row already records a use this recent, and tokens that live this long."""
    if row is None or row.last_used_at < seen or row.access_until is None or row.access_until < use.access:
        return False
    return use.refresh is None or (row.refresh_until is not None and use.refresh <= row.refresh_until)
