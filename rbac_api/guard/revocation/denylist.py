"""The denylist: what a token that still verifies is nevertheless refused for, written by whatever takes something back.

A row is written in the same transaction as what it follows from, so there is never the one without the other, and ``seq`` is the order
of commits.  Three read them: this service's guard (revoked tokens), the feed for detached verifiers, and the publisher to Redis.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.guard.revocation import queries
from rbac_api.settings import Settings

Kind = Literal["sid", "jti", "kid"]
Entry = tuple[str, str, int | None]  # kind, value, minimum


def revoke(
    connection: Connection,
    settings: Settings,
    kind: Kind,
    values: Iterable[str],
    until: datetime | None = None,
) -> None:
    """Deny whatever carries one of these: a session (``sid``), a token (``jti``), a key (``kid``).

    Inside the caller's writing transaction, which records an event that touches somebody.  It lasts until no token that was handed out
    before can be alive, whatever the settings were then, or ``until`` if that is later: a key that somebody else may have.
    """
    entries: list[Entry] = [(kind, value, None) for value in dict.fromkeys(values)]
    if entries:
        _add(connection, settings, entries, queries.find_denylist_end(connection), until)


def outdate(connection: Connection, settings: Settings, versions: Mapping[str, int]) -> None:
    """Note that the tokens of these users with a lower ``av`` than this are out of date, since what the users may do has changed.

    A user without an active session has no token to refuse, and gets no row.  As ``revoke`` otherwise.
    """
    leeway = timedelta(seconds=settings.clock_leeway_seconds)
    signed_in, end = queries.list_signed_in(connection, list(versions), clock.now() - leeway)
    if end is not None:
        entries: list[Entry] = [("av", user_id, versions[user_id]) for user_id in signed_in]
        _add(connection, settings, entries, end)


def _add(
    connection: Connection,
    settings: Settings,
    entries: list[Entry],
    end: queries.DenylistEnd,
    until: datetime | None = None,
) -> None:
    now = clock.now()
    ends = max(now + timedelta(seconds=settings.access_token_seconds), end.tokens_until or now, until or now)
    moments = {"revoked_at": now, "expires_at": ends + timedelta(seconds=settings.clock_leeway_seconds)}
    rows = [
        {"seq": seq, "kind": kind, "value": value, "minimum": minimum, **moments}
        for seq, (kind, value, minimum) in enumerate(entries, start=(end.seq or 0) + 1)
    ]
    queries.add_revocations(connection, rows)


# -- how far somebody has followed them ---------------------------------------------------------------------------------------------

CURSOR = r"^[0-9a-f]{16}-[0-9a-f]{16}$"
BEGINNING = f"{0:016x}-{0:016x}"


def cursor_of(row: queries.RevocationRow) -> str:
    """A row's place: its number, then a digest of the row, since a restored backup gives out the same numbers again.

    Text order is the order of commits.
    """
    facts = f"{row.seq}|{row.kind}|{row.value}|{clock.rfc3339(row.revoked_at)}"
    return f"{row.seq:016x}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def seq_of(cursor: str) -> int:
    """The number in a cursor, which has the form of one; as much of it as a column can hold."""
    return min(int(cursor[:16], 16), (1 << 63) - 1)
