"""What was revoked since a cursor, signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.offline_roles.service import current_roles
from rbac_api.capabilities.revocations import queries
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import BEGINNING, cursor_of, seq_of
from rbac_api.guard.revocation.queries import RevocationRow, find_newest_revocation, find_revocation
from rbac_api.guard.tokens.signing import SigningKey, sign

MAX_ENTRIES = 5000  # entries in one answer; the rest comes with the next
TYPE = "revocations+jwt"
_LISTS = {"sid": "sids", "jti": "jtis", "kid": "kids"}


@dataclass(frozen=True, slots=True)
class FeedPosition:
    """Where the client's copy ends: after ``seq``, or at the beginning, if its cursor is not of this
    database."""

    since: str | None
    seq: int
    cursor: str
    key: SigningKey
    tag: str

    @property
    def complete(self) -> bool:
        """Whether the answer replaces everything that the client knew before."""
        return self.seq == 0


def find_position(clearance: Clearance, since: str | None) -> FeedPosition:
    """Where an answer begins, and its tag, which changes when anything is new. Reads two rows and signs
    nothing.

    The tag also changes from time to time without news: a cache that gets a 304 repeats its old answer, whose
    ``iat`` must not become too old.
    """
    roles = current_roles(clearance).digest
    connection, key = clearance.connection, clearance.snapshot.keyring.active()
    begin = _known(connection, since)
    seq, cursor = (begin.seq, cursor_of(begin)) if begin is not None else (0, BEGINNING)
    newest = find_newest_revocation(connection)
    period = int(clock.epoch_seconds()) // clearance.settings.revocation_seconds
    facts = (since, seq, cursor_of(newest) if newest is not None else BEGINNING, key.kid, roles, period)
    return FeedPosition(since, seq, cursor, key, hashlib.sha256(repr(facts).encode()).hexdigest()[:20])


def signed_feed(clearance: Clearance, place: FeedPosition) -> str:
    """The answer, a compact JWS; with ``more`` the client asks again at once, from ``cursor`` on."""
    now = clock.now()  # before reading: everything committed by then is in it
    roles = current_roles(clearance).digest
    rows = queries.list_revocations(clearance.connection, place.seq, MAX_ENTRIES + 1)
    listed, more = rows[:MAX_ENTRIES], len(rows) > MAX_ENTRIES
    payload: dict[str, object] = {
        "iss": clearance.settings.issuer_url,
        "iat": int(now.timestamp()),
        "cursor": cursor_of(listed[-1]) if listed else place.cursor,
        "since": place.since,
        "complete": place.complete,
        "more": more,
        "roles": roles,
        **{name: [] for name in _LISTS.values()},
        "users": {},
    }
    for row in listed:
        if row.expires_at > now:
            _put(payload, row)
    return sign(place.key, TYPE, payload)


def _put(payload: dict[str, Any], row: RevocationRow) -> None:
    if row.kind == "av":
        payload["users"][row.value] = row.minimum
    else:
        payload[_LISTS[row.kind]].append(row.value)


def _known(connection: Connection, since: str | None) -> RevocationRow | None:
    """The row of a cursor; None if it was deleted, has moved on, or is another database's."""
    row = find_revocation(connection, seq_of(since)) if since else None
    return row if row is not None and cursor_of(row) == since else None
