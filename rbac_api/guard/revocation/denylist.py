"""Records the denylist: the tokens that still verify and are refused all the same.

A row is written in the same transaction as the change it follows from, so there is never one without the
other, and ``seq`` is the order of commits.  Three read it: this service's guard (revoked tokens), the feed
for detached verifiers, and the publisher to Redis.
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
RECENT = timedelta(hours=1)  # longer than a statement waits, however much the clocks of two nodes differ


def revoke(
    connection: Connection,
    settings: Settings,
    kind: Kind,
    values: Iterable[str],
    until: datetime | None = None,
) -> None:
    """Deny every token that carries one of these: a session (``sid``), a token (``jti``), a key (``kid``).

    Runs inside the caller's writing transaction, which records an event that touches what is cached.  A row
    lasts until every token issued before has expired, whatever the settings were then, or ``until`` if that
    is later: a key that a third party may have.
    """
    entries: list[Entry] = [(kind, value, None) for value in dict.fromkeys(values)]
    if entries:
        _add(connection, settings, entries, queries.find_denylist_end(connection), until)


def outdate(connection: Connection, settings: Settings, versions: Mapping[str, int]) -> None:
    """Note that tokens of these users with a lower ``av`` than this are out of date, because what the users
    may do has changed.

    A user without an active session has no token to refuse, and gets no row.  Otherwise as ``revoke``.
    """
    leeway = timedelta(seconds=settings.clock_leeway_seconds)
    signed_in, end = queries.list_signed_in(connection, list(versions), clock.now() - leeway)
    if end is not None:
        entries: list[Entry] = [("av", user_id, versions[user_id]) for user_id in signed_in]
        _add(connection, settings, entries, end)


def note_authority_change(connection: Connection, settings: Settings, user_ids: list[str]) -> None:
    """Raise ``av`` and ETag of these users, whose permissions have changed; otherwise as ``outdate``."""
    now = clock.now()
    leeway = timedelta(seconds=settings.clock_leeway_seconds)
    raised = queries.raise_authorization_versions(connection, user_ids, now, now - leeway)
    entries: list[Entry] = [("av", one.user_id, one.version) for one in raised if one.signed_in]
    if entries:
        _add(connection, settings, entries, queries.DenylistEnd(raised[0].seq, raised[0].tokens_until))
    unsure = [one for one in raised if not one.signed_in and _is_recent(one.last_login_at, now)]
    if unsure:  # read again, now that these rows are locked
        outdate(connection, settings, {one.user_id: one.version for one in unsure})


def _is_recent(signin: datetime | None, now: datetime) -> bool:
    return signin is not None and signin > now - RECENT


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


# -- how far a reader has followed them ----------------------------------------------------------------------

CURSOR = r"^[0-9a-f]{16}-[0-9a-f]{16}$"
BEGINNING = f"{0:016x}-{0:016x}"


def cursor_of(row: queries.RevocationRow) -> str:
    """Return a row's position: its number, then a digest of the row, because a restored backup issues the
    same numbers again.

    Text order is the order of commits.
    """
    facts = f"{row.seq}|{row.kind}|{row.value}|{clock.rfc3339(row.revoked_at)}"
    return f"{row.seq:016x}-{hashlib.sha256(facts.encode()).hexdigest()[:16]}"


def seq_of(cursor: str) -> int:
    """Return the number in a well-formed cursor, limited to what a column can hold."""
    return min(int(cursor[:16], 16), (1 << 63) - 1)
