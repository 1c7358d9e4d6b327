"""Makes, lists, rotates and withdraws signing keys."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

import orjson
from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.keys import queries
from rbac_api.capabilities.keys.answers import KeyAnswer
from rbac_api.capabilities.keys.errors import KeyActive, KeyExternal, KeyNotFound
from rbac_api.capabilities.keys.serializers import describe
from rbac_api.capabilities.sessions.service import (
    Termination,
    close_sessions,
    freeze_sessions,
    signed_between,
)
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import revoke
from rbac_api.guard.tokens.kept_keys import PURPOSE
from rbac_api.guard.tokens.keys import NoSigningKey, signs
from rbac_api.guard.tokens.queries import find_key_use, list_external_keys, withdraw_external_key
from rbac_api.guard.tokens.signing import SigningKey, generate_pem, key_from_pem
from rbac_api.sealing import SealBroken, seal
from rbac_api.settings import Settings
from rbac_api.trail.recorder import SYSTEM, Actor, Target, record

# A key is withdrawn when a thief may have it: then the tokens live as long as the thief likes.
NOTICE = timedelta(days=30)


def needs_key(clearance: Clearance) -> bool:
    """Whether there is no key of the configured algorithm, and none comes from elsewhere."""
    algorithm = clearance.settings.signing_algorithm
    if clearance.snapshot.keyring.external:
        return False
    rows = queries.list_keys(clearance.connection)
    return not any(row.algorithm == algorithm and _signs(row) for row in rows)


def ensure_key(clearance: Clearance) -> bool:
    """Make a key of the configured algorithm if one is needed; returns whether one was made.

    It signs at once. To publish it beforehand, run this with the new setting some minutes before the nodes
    get it.
    """
    if not needs_key(clearance):
        return False
    key = _add_key(clearance.connection, clearance.settings, clock.now())
    clearance.record("key.created", _target(key.kid), after=_facts(key))
    return True


def list_keys(clearance: Clearance) -> list[KeyAnswer]:
    """Every key, newest first, without its private part: where it is stored, whether it signs, and until when
    it verifies."""
    keyring, connection = clearance.snapshot.keyring, clearance.connection
    return describe(
        keyring, keyring.as_of(connection), queries.list_keys(connection), list_external_keys(connection)
    )


def list_key_page(clearance: Clearance, page: PageRequest) -> Page[KeyAnswer]:
    """The same, by pages. There are few, so they are cut here."""
    keys = list_keys(clearance)
    names = [key["kid"] for key in keys]
    begin = names.index(str(page.after[0])) + 1 if page.after and page.after[0] in names else 0
    return cut(
        keys[begin : begin + page.limit + 1],
        page,
        lambda key: (key["kid"],),
        len(keys) if page.count else None,
    )


def get_key(clearance: Clearance, kid: str) -> KeyAnswer:
    """One key."""
    found = [key for key in list_keys(clearance) if key["kid"] == kid]
    if not found:
        raise KeyNotFound()
    return found[0]


def rotate_keys(clearance: Clearance, *, emergency: bool = False) -> str:
    """Publish a new key that signs once every cache has it, or, in an ``emergency``, at once. Returns its
    name.

    The previous key signs until then and verifies until its last token has expired. An emergency also retires
    the keys that wait.
    """
    _require_own(clearance)
    now, keyring = clock.now(), clearance.snapshot.keyring
    if emergency:
        queries.retire_waiting_keys(clearance.connection, clearance.settings.signing_algorithm, now)
    return _add_next_key(
        clearance.connection, clearance, clearance.actor, now if emergency else now + keyring.lead()
    )


def rotate_for_signing(connection: Connection, clearance: Clearance, begins: datetime) -> None:
    """Rotate automatically when the key is old enough (``Keyring.rotation_begins``); under the write lock."""
    _add_next_key(connection, clearance, SYSTEM, begins)


def withdraw_key(clearance: Clearance, kid: str) -> None:
    """Withdraw a key: all its tokens are invalid at once, and the sessions with tokens of this key have
    ended.

    404 unknown; 409 the one that signs; a second time changes nothing.
    """
    connection, keyring, now = clearance.connection, clearance.snapshot.keyring, clock.now()
    row = queries.find_key(connection, kid) or find_key_use(connection, kid)
    if kid == _signing(clearance):
        raise KeyExternal() if keyring.external else KeyActive()
    if row is None:
        raise KeyNotFound()
    key = _known(clearance, kid)
    if queries.withdraw_key(connection, kid, now) or withdraw_external_key(connection, kid, now):
        revoke(connection, clearance.settings, "kid", [kid], now + NOTICE)
        facts = {"kid": kid, "algorithm": row.algorithm}
        ended = {"sessions_ended": len(_end_its_sessions(clearance, key))}
        clearance.record("key.withdrawn", _target(kid), before=facts, after=ended)


def _signing(clearance: Clearance) -> str | None:
    """The name of the key that signs, even if it cannot be opened: with another secret it may be the right
    one."""
    keyring, connection = clearance.snapshot.keyring, clearance.connection
    try:
        return keyring.signer(keyring.as_of(connection)).kid
    except NoSigningKey:
        return None
    except SealBroken:
        mine = [row for row in queries.list_keys(connection) if _signs(row)]
        return next((row.kid for row in mine if row.algorithm == clearance.settings.signing_algorithm), None)


def _known(clearance: Clearance, kid: str) -> SigningKey | None:
    with suppress(SealBroken):
        return clearance.snapshot.keyring.as_of(clearance.connection).get(kid)
    return None


def _end_its_sessions(clearance: Clearance, key: SigningKey | None) -> list[str]:
    """End the sessions whose newest tokens this key signed."""
    freeze_sessions(clearance.connection)
    used = find_key_use(clearance.connection, key.kid) if key else None
    if key is None or used is None:
        return []
    begin, end = (
        key.signs_from or used.first_used_at,
        min(used.last_used_at, key.signs_until or used.last_used_at),
    )
    ending = Termination(clearance.actor.id, "admin")
    return close_sessions(clearance.connection, clearance.settings, signed_between(begin, end), ending)


def _require_own(clearance: Clearance) -> None:
    if clearance.snapshot.keyring.external:
        raise KeyExternal()


def _add_next_key(connection: Connection, clearance: Clearance, actor: Actor, begins: datetime) -> str:
    keyring = clearance.snapshot.keyring
    before = [key.kid for key in keyring.as_of(connection).values() if signs(key, clock.now())]
    key = _add_key(connection, clearance.settings, begins)
    record(
        connection,
        actor,
        "key.rotated",
        _target(key.kid),
        before={"kid": before[-1]} if before else None,
        after={**_facts(key), "signs_from": clock.rfc3339(begins)},
    )
    return key.kid


def _add_key(connection: Connection, settings: Settings, begins: datetime) -> SigningKey:
    pem = generate_pem(settings.signing_algorithm)
    key = key_from_pem(pem, settings.signing_algorithm, checked=True)
    row = {
        "kid": key.kid, "algorithm": key.algorithm, "public_jwk": orjson.dumps(key.jwk).decode(),
        "private_sealed": seal(settings.secret_key, PURPOSE, pem), "created_at": clock.now(),
        "signs_from": begins,
    }  # fmt: skip
    queries.add_key(connection, row)
    return key


def _signs(row: queries.SigningKeyRow) -> bool:
    return row.retired_at is None and row.withdrawn_at is None


def _target(kid: str) -> Target:
    return Target("key", kid, kid)


def _facts(key: SigningKey) -> dict[str, object]:
    return {"kid": key.kid, "algorithm": key.algorithm}
