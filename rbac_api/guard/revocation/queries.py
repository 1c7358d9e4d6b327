"""SQL for the denylist."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from rbac_api.database.engine import batched
from rbac_api.database.tables import key_uses, revocations, sessions, users


class RevocationRow(NamedTuple):
    """What is refused though it verifies; only ``av`` has a ``minimum``."""

    seq: int
    kind: str
    value: str
    minimum: int | None
    revoked_at: datetime
    expires_at: datetime


class DenylistEnd(NamedTuple):
    """The newest number in the denylist, and when the last access token of any key expires; None where there
    is none."""

    seq: int | None
    tokens_until: datetime | None


class RaisedVersion(NamedTuple):
    """A user with the new authorization version, whether the user is signed in, the last sign-in, and the
    denylist's end."""

    user_id: str
    version: int
    signed_in: bool
    last_login_at: datetime | None
    seq: int | None
    tokens_until: datetime | None


REVOCATION = tuple(revocations.c[name] for name in RevocationRow._fields)
_END = (
    select(func.max(revocations.c.seq)).scalar_subquery().label("seq"),
    select(func.max(key_uses.c.access_until)).scalar_subquery().label("tokens_until"),
)
_FIND_END = select(*_END)
_ACTIVE = (
    sessions.c.user_id.in_(bindparam("user_ids", expanding=True)),
    sessions.c.end_reason.is_(None),
    sessions.c.idle_expires_at > bindparam("at"),
    sessions.c.absolute_expires_at > bindparam("at"),
)
_SIGNED_IN = select(sessions.c.user_id, *_END).distinct().where(*_ACTIVE)
_RAISE = (
    update(users)
    .where(users.c.id.in_(bindparam("user_ids", expanding=True)))
    .values(
        authorization_version=users.c.authorization_version + 1,
        version=users.c.version + 1,
        updated_at=bindparam("now"),
    )
    .returning(
        users.c.id,
        users.c.authorization_version,
        # not correlated: SQLAlchemy omits the table's name in RETURNING on SQLite
        users.c.id.in_(select(sessions.c.user_id).where(*_ACTIVE)),
        users.c.last_login_at,
        *_END,
    )
)


def find_denylist_end(connection: Connection) -> DenylistEnd:
    return DenylistEnd._make(connection.execute(_FIND_END).one())


def raise_authorization_versions(
    connection: Connection, user_ids: Sequence[str], now: datetime, at: datetime
) -> list[RaisedVersion]:
    """Raise the authorization versions of these users. Whether a session of theirs is active at that moment
    is read in the same statement.

    A session that began while this waited for the row of its user is not seen (PostgreSQL), but its sign-in
    stands in ``last_login_at``.
    """
    found: list[RaisedVersion] = []
    for some in batched(user_ids):
        rows = connection.execute(_RAISE, {"user_ids": some, "now": now, "at": at})
        found += map(RaisedVersion._make, rows)
    return found


def list_signed_in(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> tuple[list[str], DenylistEnd | None]:
    """Return which of these users have an active session, and the end of the denylist if one of them has."""
    found: list[str] = []
    end = None
    for some in batched(user_ids):
        for user_id, *rest in connection.execute(_SIGNED_IN, {"user_ids": some, "at": at}):
            found.append(user_id)
            end = DenylistEnd._make(rest)
    return found, end


def add_revocations(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Append rows in one statement; what is denied already moves to the end, and lasts until the later of the
    two ends."""
    kit: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    adding = kit.insert(revocations)
    new, old = adding.excluded, revocations.c
    later = case((new.expires_at > old.expires_at, new.expires_at), else_=old.expires_at)
    moved = {"seq": new.seq, "minimum": new.minimum, "revoked_at": new.revoked_at, "expires_at": later}
    connection.execute(adding.on_conflict_do_update(index_elements=["kind", "value"], set_=moved), rows)


def delete_old_revocations(connection: Connection, now: datetime, limit: int) -> int:
    """Delete what concerns no living token; return how many rows.  The newest stays: the next number follows
    from it."""
    newest = select(func.max(revocations.c.seq)).scalar_subquery()
    outdated = select(revocations.c.seq).where(revocations.c.expires_at <= now, revocations.c.seq < newest)
    return connection.execute(
        delete(revocations).where(revocations.c.seq.in_(outdated.limit(limit)))
    ).rowcount


def list_denied_tokens(connection: Connection, now: datetime) -> frozenset[str]:
    """Return the ``jti`` of every token that was revoked by itself and may still be alive."""
    denied = select(revocations.c.value).where(revocations.c.kind == "jti", revocations.c.expires_at > now)
    return frozenset(connection.execute(denied).scalars())


def find_newest_revocation(connection: Connection) -> RevocationRow | None:
    row = connection.execute(select(*REVOCATION).order_by(revocations.c.seq.desc()).limit(1)).first()
    return RevocationRow._make(row) if row else None


def find_revocation(connection: Connection, seq: int) -> RevocationRow | None:
    row = connection.execute(select(*REVOCATION).where(revocations.c.seq == seq)).first()
    return RevocationRow._make(row) if row else None


def list_live_revocations(connection: Connection, after: int, now: datetime) -> list[RevocationRow]:
    """Return what still concerns a living token, in the order of commits."""
    live = (revocations.c.seq > after, revocations.c.expires_at > now)
    rows = connection.execute(select(*REVOCATION).where(*live).order_by(revocations.c.seq))
    return [RevocationRow._make(row) for row in rows]
