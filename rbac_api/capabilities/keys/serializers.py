"""Describes keys for the API, without any key material."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from rbac_api import clock
from rbac_api.capabilities.keys.answers import KeyAnswer, KeyState, Moments
from rbac_api.capabilities.keys.queries import SigningKeyRow
from rbac_api.guard.tokens.keys import Keyring, NoSigningKey, waits
from rbac_api.guard.tokens.queries import KeyUseRow
from rbac_api.guard.tokens.signing import SigningKey

_NEVER = Moments(created_at=None, signs_from=None, retired_at=None, withdrawn_at=None, verifies_until=None)


def describe(
    keyring: Keyring,
    keys: dict[str, SigningKey],
    kept: Iterable[SigningKeyRow],
    external: Iterable[KeyUseRow],
) -> list[KeyAnswer]:
    """Every key: those ``kept`` in the database, those of the settings that have signed, and the current one
    in the settings."""
    active = None
    with suppress(NoSigningKey):
        active = keyring.signer(keys)
    found = [(row.created_at, row.kid, _row(row, keys.get(row.kid), active, row.created_at)) for row in kept]
    found += [(row.first_used_at, row.kid, _row(row, keys.get(row.kid), active, None)) for row in external]
    shown = [each for _, _, each in sorted(found, key=lambda each: each[:2], reverse=True)]
    if active is not None and active.kid not in {each["kid"] for each in shown}:
        shown.insert(0, _to_json(active, "active", _NEVER))
    return shown


def _row(
    row: SigningKeyRow | KeyUseRow,
    key: SigningKey | None,
    active: SigningKey | None,
    created: datetime | None,
) -> KeyAnswer:
    moments: Moments = {**_NEVER, "created_at": created, "signs_from": created}
    if isinstance(row, SigningKeyRow):
        moments |= {"signs_from": row.signs_from or row.created_at, "retired_at": row.retired_at}
    if row.withdrawn_at is not None or key is None:
        return _to_json(
            row,
            "withdrawn",
            {**moments, "withdrawn_at": row.withdrawn_at, "verifies_until": row.withdrawn_at},
        )
    if active is not None and row.kid == active.kid:
        return _to_json(row, "active", moments)
    if key.signs_until is None or waits(key, clock.now()):
        return _to_json(row, "next", moments)
    ends = max(key.signs_until, key.until or key.signs_until)
    return _to_json(row, "retired", {**moments, "retired_at": key.signs_until, "verifies_until": ends})


def _to_json(key: SigningKey | SigningKeyRow | KeyUseRow, state: KeyState, moments: Moments) -> KeyAnswer:
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": state,
        "kept_in": "database" if moments["created_at"] else "settings",
        **moments,
    }
