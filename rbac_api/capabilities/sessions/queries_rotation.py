"""SQL for exchanging a refresh token: what decides whether it is valid, and the writes, under the write lock
or in one statement without it (PostgreSQL)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, func, insert, select, true, update

from rbac_api.database.queries.sessions import (
    SESSION,
    SESSIONS_AND_USERS,
    TOKEN,
    RefreshTokenRow,
    SessionRow,
    is_active,
)
from rbac_api.database.queries.trail import NEWEST
from rbac_api.database.queries.users import ACCOUNT, AccountRow
from rbac_api.database.tables import activations, refresh_tokens, sessions, users
from rbac_api.trail.outbox import entering


class Presented(NamedTuple):
    """A refresh token, its session and the account of the user, whether the session is active, whether a role
    may be active in it beyond those it began with, and the trail's newest event: all as of one moment."""

    token: RefreshTokenRow
    session: SessionRow
    account: AccountRow
    active: bool
    activated: bool
    end: tuple[int, str]


_ACTIVATED = exists().where(
    activations.c.session_id == sessions.c.id, activations.c.valid_to > bindparam("at")
)
_FIND_PRESENTED = (
    select(is_active(bindparam("at")), _ACTIVATED, *NEWEST.c, *TOKEN, *SESSION, *ACCOUNT)
    .select_from(
        refresh_tokens.join(SESSIONS_AND_USERS, refresh_tokens.c.session_id == sessions.c.id).join(
            NEWEST, true()
        )
    )
    .where(refresh_tokens.c.jti == bindparam("presented"))
)
_MOVED = update(sessions).where(
    sessions.c.id == bindparam("belongs_to"), sessions.c.generation == bindparam("before"),
    is_active(bindparam("now"))
)  # fmt: skip
_SPENT = update(refresh_tokens).where(
    refresh_tokens.c.jti == bindparam("presented"), refresh_tokens.c.spent_at.is_(None)
)
_NEW_TOKEN = insert(refresh_tokens)
# The row of the user is locked before that of the session, as whatever changes what a user may do locks them.
_UNCHANGED = (
    select(users.c.id)
    .where(
        users.c.id == bindparam("holder"),
        users.c.status == "active",
        users.c.authorization_version == bindparam("av"),
    )
    .with_for_update(read=True)
    .cte("unchanged")
)
_MOVE = (
    _MOVED.where(exists(select(_UNCHANGED.c.id)))
    .values(
        generation=bindparam("next_generation"),
        last_seen_at=bindparam("now"),
        idle_expires_at=bindparam("lasts"),
    )
    .returning(sessions.c.id)
    .cte("moved")
)
_SPEND = (
    _SPENT.where(exists(select(_MOVE.c.id)))
    .values(spent_at=bindparam("now"), replaced_by=bindparam("successor"))
    .cte("spent")
)
_SUCCESSOR = {
    "jti": "successor", "session_id": "belongs_to", "generation": "next_generation", "issued_at": "now",
    "expires_at": "ends", "ip": "origin",
}  # fmt: skip
_ADD = (
    insert(refresh_tokens)
    .from_select(
        list(_SUCCESSOR),
        select(
            *(bindparam(value, type_=refresh_tokens.c[name].type) for name, value in _SUCCESSOR.items())
        ).select_from(_MOVE),
    )
    .cte("added")
)
_ROTATE_WITHOUT_LOCK = (
    select(func.count()).select_from(_MOVE).add_cte(_SPEND, _ADD, entering(_MOVE).cte("recorded"))
)


def find_presented(connection: Connection, jti: str, at: datetime) -> Presented | None:
    """A refresh token by its ``jti``, with everything that decides whether it is valid, in one statement."""
    found = connection.execute(_FIND_PRESENTED, {"presented": jti, "at": at}).first()
    if found is None:
        return None
    active, activated, seq, digest, *row = found
    token, session = len(RefreshTokenRow._fields), len(RefreshTokenRow._fields) + len(SessionRow._fields)
    return Presented(
        RefreshTokenRow._make(row[:token]),
        SessionRow._make(row[token:session]),
        AccountRow._make(row[session:]),
        active,
        activated,
        (seq, digest),
    )


def touch_session(
    connection: Connection, session_id: str, generation: int, now: datetime, idle_expires_at: datetime
) -> bool:
    """Move a live session to its next generation: the one conditional write that all rotation depends on."""
    mine = {"belongs_to": session_id, "before": generation, "now": now}
    values = {"generation": generation + 1, "last_seen_at": now, "idle_expires_at": idle_expires_at}
    return connection.execute(_MOVED, {**mine, **values}).rowcount == 1


def rotate_without_lock(connection: Connection, values: dict[str, object]) -> bool:
    """Move a session to its next generation, spend its token, add the successor and the event, in a statement
    that is a transaction of its own (PostgreSQL).

    False, and nothing is changed, unless the session is live and in this generation, and the user is active
    and may do what the user might before.  Waits for a transaction that is changing one of the two rows, and
    sees what it did.
    """
    return connection.execute(_ROTATE_WITHOUT_LOCK, values).scalar_one() == 1


def add_refresh_token(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(_NEW_TOKEN, values)


def spend_refresh_token(connection: Connection, jti: str, now: datetime, successor: str) -> bool:
    """Spend the token if it is unspent: a conditional update, so only one of many attempts succeeds."""
    spent = {"presented": jti, "spent_at": now, "replaced_by": successor}
    return connection.execute(_SPENT, spent).rowcount == 1
