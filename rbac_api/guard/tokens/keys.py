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
from contextlib import nullcontext
from datetime import datetime, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database, is_writer
from rbac_api.errors import Unavailable
from rbac_api.guard.tokens import queries
from rbac_api.guard.tokens.kept_keys import PUBLIC_PURPOSE, KeptKeys
from rbac_api.guard.tokens.signing import SigningKey, Use
from rbac_api.sealing import SealBroken, seal
from rbac_api.settings import Settings

_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


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
        self._kept = KeptKeys(settings)
        self.external = self._kept.external
        self._keys: dict[str, SigningKey] | None = None
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
        signing = [key for key in mine if key.created_at and signs(key, now)]
        found = signing[-1:] or [key for key in mine if waits(key, now)][:1]
        if not found:
            raise NoSigningKey()
        return found[0]

    def waiting(self, connection: Connection | None = None) -> list[SigningKey]:
        """Return the keys that are published and sign later, the first one first."""
        now = clock.now()
        return [key for key in self.keys(connection).values() if waits(key, now)]

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
        if key is None or (key.signs_until is not None and not verifies(key)):
            key = self._look_again(kid) if _THUMBPRINT.fullmatch(kid) else None
        return key if key is not None and key.algorithm == algorithm else None

    def published(self) -> list[dict[str, str]]:
        """Return the public JWKs of all keys that verify or will sign, as the database has them now; none
        with a shared secret."""
        return [key.jwk for key in self._load(None).values() if key.jwk is not None and verifies(key)]

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
        key = keys.get(self._kept.from_settings().kid)
        if key is None:
            raise SigningKeyWithdrawn()
        return key

    def _look_again(self, kid: str) -> SigningKey | None:
        key = self._load(None).get(kid)
        if key is None or not verifies(key):
            return None
        self.forget()  # memory is older
        return key

    def _load(self, connection: Connection | None) -> dict[str, SigningKey]:
        with nullcontext(connection) if connection else self._database.reading() as reader:
            return self._kept.read(reader)


def signs(key: SigningKey, at: datetime) -> bool:
    """Return whether the key's time to sign has come and is not over."""
    return (key.signs_from is None or key.signs_from <= at) and not _replaced(key, at)


def waits(key: SigningKey, at: datetime) -> bool:
    """Return whether the key is published and will sign later."""
    return key.signs_from is not None and at < key.signs_from and not _replaced(key, at)


def verifies(key: SigningKey) -> bool:
    """Return whether a token of this key may be alive, or may still be signed."""
    if key.signs_until is None:
        return True
    now = clock.now()
    return now < key.signs_until or (key.until is not None and now < key.until)


def _replaced(key: SigningKey, at: datetime) -> bool:
    return key.signs_until is not None and key.signs_until <= at


def _covers(row: queries.KeyUseRow | None, use: Use, seen: datetime) -> bool:
    """Return whether a row already records a use this recent, and tokens that live this long."""
    if row is None or row.last_used_at < seen or row.access_until is None or row.access_until < use.access:
        return False
    return use.refresh is None or (row.refresh_until is not None and use.refresh <= row.refresh_until)
