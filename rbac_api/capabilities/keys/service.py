"""Making, listing, rotating and withdrawing signing keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, Row

from rbac_api import clock
from rbac_api.capabilities.keys import queries
from rbac_api.capabilities.keys.errors import KeyActive, KeyExternal, KeyNotFound
from rbac_api.capabilities.sessions.service import Ending, close_sessions, signed_between
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.keyring import PURPOSE, SigningKey, generate_pem, key_from_pem, verifies_until
from rbac_api.guard.revocations import revoke
from rbac_api.sealing import seal
from rbac_api.settings import Settings
from rbac_api.trail.recorder import SYSTEM, Actor, Target, record
from rbac_api.web.pagination import Page, PageRequest, cut

# A key is withdrawn when somebody else may have it, and then its tokens live as long as that somebody likes.
NOTICE = timedelta(days=30)


def ensure_key(clearance: Clearance) -> bool:
    """Make a key of the configured algorithm unless there is one or none is needed; whether one was made."""
    algorithm = clearance.settings.signing_algorithm
    if clearance.snapshot.keyring.external:
        return False
    if any(row.algorithm == algorithm and _signs(row) for row in queries.list_keys(clearance.connection)):
        return False
    key = _add_key(clearance.connection, clearance.settings)
    clearance.record("key.created", _target(key.kid), after=_facts(key))
    return True


def list_keys(clearance: Clearance) -> list[dict[str, Any]]:
    """Every key, newest first, without its private part: where it is kept, whether it signs, and until when it verifies."""
    if clearance.snapshot.keyring.external:
        return [_described_external(clearance.snapshot.keyring.active())]
    return [_described(clearance.settings, row) for row in queries.list_keys(clearance.connection)]


def list_key_page(clearance: Clearance, page: PageRequest) -> Page:
    """The same, by pages.  There are few, so they are cut here."""
    keys = list_keys(clearance)
    names = [key["kid"] for key in keys]
    begin = names.index(page.after[0]) + 1 if page.after and page.after[0] in names else 0
    return cut(
        keys[begin : begin + page.limit + 1],
        page,
        lambda key: (key["kid"],),
        len(keys) if page.count else None,
    )


def get_key(clearance: Clearance, kid: str) -> dict[str, Any]:
    """One key."""
    found = [key for key in list_keys(clearance) if key["kid"] == kid]
    if not found:
        raise KeyNotFound()
    return found[0]


def rotate_keys(clearance: Clearance) -> str:
    """Let a new key sign from now on; the one before verifies until its last token has expired.  The new one's name."""
    _require_own(clearance)
    return _rotate(clearance.connection, clearance.settings, clearance.actor)


def rotate_if_due(connection: Connection, clearance: Clearance) -> None:
    """Do the same by itself when the key is old enough (``RBAC_KEY_ROTATION``); for whoever signs, under the write lock.

    The signing at hand still uses the key before, which is remembered: what this transaction writes is nobody's until it commits.
    """
    seconds, keyring = clearance.settings.key_rotation, clearance.snapshot.keyring
    if not seconds or keyring.external:
        return
    made = keyring.active(connection).created_at
    if made is not None and clock.now() >= made + timedelta(seconds=seconds):
        _rotate(connection, clearance.settings, SYSTEM)


def withdraw_key(clearance: Clearance, kid: str) -> None:
    """Let a key verify no more: all its tokens are dead at once, and the sessions whose newest tokens they were have ended.

    404 unknown; 409 the one that signs; twice changes nothing.
    """
    _require_own(clearance)
    connection, settings = clearance.connection, clearance.settings
    row = queries.find_key(connection, kid)
    if row is None:
        raise KeyNotFound()
    if row.algorithm == settings.signing_algorithm and _signs(row):
        raise KeyActive()
    if queries.withdraw_key(connection, kid, clock.now()):
        revoke(connection, settings, "kid", [kid], clock.now() + NOTICE)
        facts = {"kid": kid, "algorithm": row.algorithm}
        ended = {"sessions_ended": len(_end_its_sessions(clearance, row))}
        clearance.record("key.withdrawn", _target(kid), before=facts, after=ended)


def _end_its_sessions(clearance: Clearance, row: Row[Any]) -> list[str]:
    """End the sessions whose newest tokens this key signed.  Of an algorithm given up by configuration nobody noted when it signed last."""
    if row.retired_at is None:
        return []
    theirs = signed_between(row.created_at, row.retired_at)
    return close_sessions(
        clearance.connection, clearance.settings, theirs, Ending(clearance.actor.id, "admin")
    )


def _require_own(clearance: Clearance) -> None:
    if clearance.snapshot.keyring.external:
        raise KeyExternal()


def _rotate(connection: Connection, settings: Settings, actor: Actor) -> str:
    retired = queries.retire_keys(connection, settings.signing_algorithm, clock.now())
    key = _add_key(connection, settings)
    record(
        connection,
        actor,
        "key.rotated",
        _target(key.kid),
        before={"kid": retired[-1]} if retired else None,
        after=_facts(key),
    )
    return key.kid


def _add_key(connection: Connection, settings: Settings) -> SigningKey:
    pem = generate_pem(settings.signing_algorithm)
    key = key_from_pem(pem, settings.signing_algorithm)
    row = {
        "kid": key.kid, "algorithm": key.algorithm, "public_jwk": orjson.dumps(key.jwk).decode(),
        "private_sealed": seal(settings.secret_key, PURPOSE, pem), "created_at": clock.now(),
    }  # fmt: skip
    queries.add_key(connection, row)
    return key


def _signs(row: Row[Any]) -> bool:
    return row.retired_at is None and row.withdrawn_at is None


def _target(kid: str) -> Target:
    return Target("key", kid, kid)


def _facts(key: SigningKey) -> dict[str, Any]:
    return {"kid": key.kid, "algorithm": key.algorithm}


def _described(settings: Settings, row: Row[Any]) -> dict[str, Any]:
    state = "withdrawn" if row.withdrawn_at else "retired" if row.retired_at else "active"
    return {
        "kid": row.kid,
        "algorithm": row.algorithm,
        "state": state,
        "kept_in": "database",
        "created_at": row.created_at,
        "retired_at": row.retired_at,
        "withdrawn_at": row.withdrawn_at,
        "verifies_until": row.withdrawn_at or verifies_until(settings, row.retired_at),
    }


def _described_external(key: SigningKey) -> dict[str, Any]:
    unknown = dict.fromkeys(("created_at", "retired_at", "withdrawn_at", "verifies_until"))
    return {
        "kid": key.kid,
        "algorithm": key.algorithm,
        "state": "active",
        "kept_in": "settings",
        **unknown,
    }
