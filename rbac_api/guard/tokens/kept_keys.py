"""Reads the signing keys that are kept: those in SQL, which are sealed, and that of the settings; and works
out between which times each signs and verifies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypedDict

from sqlalchemy import Connection

from rbac_api.guard.tokens import queries
from rbac_api.guard.tokens.signing import SigningKey, key_from_jwk, key_from_pem, shared_secret_key
from rbac_api.sealing import SealBroken, unseal
from rbac_api.settings import Settings
from rbac_api.value_checks import pem_problem

PURPOSE, PUBLIC_PURPOSE = "signing-key", "verification-key"


class _Moments(TypedDict, total=False):
    """The times between which a key signs and verifies."""

    created_at: datetime | None
    signs_from: datetime | None
    signs_until: datetime | None
    until: datetime | None


class KeptKeys:
    """Opens each key once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # The signing key comes from the settings, so that its private part is not kept in SQL.
        self.external = settings.signing_algorithm == "HS256" or bool(settings.signing_key)
        self._configured: SigningKey | None = None
        self._opened: dict[str, SigningKey] = {}  # by the sealed text: opening is slow

    def from_settings(self) -> SigningKey:
        """Return the signing key of the settings, where it comes from there."""
        if self._configured is None:
            settings = self._settings
            self._configured = (
                shared_secret_key(settings)
                if settings.signing_algorithm == "HS256"
                else key_from_pem(settings.signing_key.encode(), settings.signing_algorithm)
            )
        return self._configured

    def read(self, connection: Connection) -> dict[str, SigningKey]:
        """Return every key that verifies or will sign, by ``kid``."""
        rows, uses = queries.list_signing_keys(connection), queries.list_external_keys(connection)
        found = {key.kid: key for key in self._own(rows)}
        found |= {key.kid: key for key in self._replaced(uses)}
        if self.external:
            key = self.from_settings()
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
