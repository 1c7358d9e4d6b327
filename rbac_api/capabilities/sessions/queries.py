"""SQL for sessions and refresh tokens."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    union_all,
    update,
)

from rbac_api.database.filters import among, bounded_count, counting, holding, holds_one_of, one_of
from rbac_api.database.prepared import Prepared
from rbac_api.database.queries.roles import list_role_ids_at
from rbac_api.database.queries.sessions import (
    SESSION,
    SESSIONS_AND_USERS,
    TOKEN,
    RefreshTokenRow,
    SessionRow,
    is_active,
)
from rbac_api.database.tables import activations, assignments, refresh_tokens, sessions, users
from rbac_api.database.validity import in_force

_WITH_USER = select(*SESSION).select_from(SESSIONS_AND_USERS)
_PAGE = _WITH_USER.where(is_active(bindparam("now"))).order_by(sessions.c.id.desc()).limit(bindparam("limit"))
_ACTIVE = Prepared(_PAGE, SessionRow._make)
_NEXT_ACTIVE = Prepared(_PAGE.where(sessions.c.id < bindparam("after")), SessionRow._make)
_SURPLUS = (
    select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user_id"), is_active(bindparam("now")))
    .order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
    .offset(bindparam("kept"))
)
_NEW_SESSION = insert(sessions)


class UserSessions(NamedTuple):
    """The number of sessions of a user."""

    user_id: str
    username: str
    sessions: int


def add_session(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(_NEW_SESSION, values)


def is_listed(since: datetime) -> ColumnElement[bool]:
    """Condition: a session, active or ended, that is still listed: it did not end before ``since``."""
    return func.coalesce(sessions.c.ended_at, sessions.c.idle_expires_at) > since


def end_sessions(
    connection: Connection, condition: ColumnElement[bool], now: datetime, by: str | None, reason: str
) -> list[str]:
    """End the active sessions that match; returns the ids of those that were active."""
    ending = (
        update(sessions).where(condition, is_active(now)).values(ended_at=now, ended_by=by, end_reason=reason)
    )
    return list(connection.execute(ending.returning(sessions.c.id)).scalars())


def set_amr(connection: Connection, session_id: str, amr: str) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(amr=amr))


def set_active_roles(connection: Connection, session_id: str, names: str) -> None:
    connection.execute(update(sessions).where(sessions.c.id == session_id).values(active_roles=names))


def list_sessions(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    after: tuple[object, ...] | None,
    limit: int,
) -> list[SessionRow]:
    """Sessions that match, newest first."""
    query = _WITH_USER.where(*conditions).order_by(sessions.c.id.desc()).limit(limit)
    rows = connection.execute(query.where(sessions.c.id < after[0]) if after else query)
    return [SessionRow._make(row) for row in rows]


def list_active_sessions(
    connection: Connection, after: tuple[object, ...] | None, limit: int, now: datetime
) -> list[SessionRow]:
    """Active sessions, newest first."""
    page, values = (_NEXT_ACTIVE, {"after": after[0]}) if after else (_ACTIVE, {})
    return page.all(connection, **values, limit=limit, now=now)


def count_sessions(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    return bounded_count(connection, select(sessions.c.id).select_from(SESSIONS_AND_USERS).where(*conditions))


def count_by_user(connection: Connection, conditions: list[ColumnElement[bool]]) -> list[UserSessions]:
    """Of the sessions that match: the users (id and name), and how many sessions each has."""
    whose = (sessions.c.user_id, users.c.username)
    counted = (
        select(*whose, func.count().label("sessions")).select_from(SESSIONS_AND_USERS).where(*conditions)
    )
    rows = connection.execute(counted.group_by(*whose).order_by(users.c.username))
    return [UserSessions._make(row) for row in rows]


def list_surplus(connection: Connection, user_id: str, kept: int, now: datetime) -> list[str]:
    """A user's active sessions except the newest ``kept``."""
    return list(connection.execute(_SURPLUS, {"user_id": user_id, "kept": kept, "now": now}).scalars())


def is_one_of(session_ids: list[str]) -> ColumnElement[bool]:
    """Condition: the session is one of these."""
    return sessions.c.id.in_(session_ids)


def is_any() -> ColumnElement[bool]:
    """Condition: any session."""
    return sessions.c.id.is_not(None)


def is_among(conditions: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Condition: the session matches these conditions, which may refer to its user."""
    return sessions.c.id.in_(select(sessions.c.id).select_from(SESSIONS_AND_USERS).where(*conditions))


def is_of(user_ids: Collection[str]) -> ColumnElement[bool]:
    """Condition: the session's user is one of these."""
    return sessions.c.user_id.in_(user_ids)


def is_from(ip: str) -> ColumnElement[bool]:
    """Condition: the session began at this address."""
    return sessions.c.ip == ip


def is_begun(after: datetime | None, before: datetime | None) -> list[ColumnElement[bool]]:
    """Condition: the session began between these moments, where they are given."""
    found = [sessions.c.created_at > after] if after else []
    return [*found, sessions.c.created_at < before] if before else found


def is_signed(begin: datetime, end: datetime) -> ColumnElement[bool]:
    """Condition: its newest tokens were signed between these moments, both included."""
    return sessions.c.last_seen_at.between(begin, end)


def holds_role(
    connection: Connection, role_names: frozenset[str], at: datetime, listed: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Condition: the session's user holds one of these roles at that moment, at any domain, or made one
    active in it.

    ``listed``: which sessions are asked for at all.
    """
    role_ids = list_role_ids_at(connection, role_names, at)
    given = holding(role_ids, at, None)
    theirs = one_of(
        connection,
        sessions.c.user_id,
        select(assignments.c.user_id).where(given),
        holds_one_of(connection, sessions.c.user_id, role_ids, counting(at, None)),
    )
    activated = (among(activations.c.role_id, role_ids), in_force(activations, at))
    here = select(activations.c.session_id).where(*activated)
    found = union_all(select(sessions.c.id).where(theirs, listed), here)
    assigned = select(assignments.c.id).where(assignments.c.user_id == sessions.c.user_id, given)
    active = select(activations.c.id).where(activations.c.session_id == sessions.c.id, *activated)
    either = union_all(assigned.correlate(sessions), active.correlate(sessions))
    return one_of(connection, sessions.c.id, found, either.exists())


def list_refresh_tokens(
    connection: Connection, session_id: str, after: tuple[object, ...] | None, limit: int
) -> list[RefreshTokenRow]:
    """Refresh-token records, by generation."""
    query = (
        select(*TOKEN)
        .where(refresh_tokens.c.session_id == session_id)
        .order_by(refresh_tokens.c.generation)
        .limit(limit)
    )
    rows = connection.execute(query.where(refresh_tokens.c.generation > after[0]) if after else query)
    return [RefreshTokenRow._make(row) for row in rows]


def count_refresh_tokens(connection: Connection, session_id: str) -> int:
    mine = select(refresh_tokens.c.jti).where(refresh_tokens.c.session_id == session_id)
    return bounded_count(connection, mine)


def delete_old_tokens(connection: Connection, before: datetime, limit: int) -> int:
    """Delete refresh-token records of sessions that were over before that moment, and expired ones of longer
    sessions. Returns the number."""
    belongs = and_(refresh_tokens.c.session_id == sessions.c.id, sessions.c.created_at < before)
    old = select(refresh_tokens.c.jti).select_from(sessions.join(refresh_tokens, belongs))
    some = old.where(or_(~is_listed(before), refresh_tokens.c.expires_at < before)).limit(limit)
    return connection.execute(delete(refresh_tokens).where(refresh_tokens.c.jti.in_(some))).rowcount


def delete_old_sessions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete sessions that were over before that moment, with their activations; returns the number."""
    over = select(sessions.c.id).where(sessions.c.created_at < before, ~is_listed(before)).limit(limit)
    ids = list(connection.execute(over).scalars())
    connection.execute(delete(activations).where(activations.c.session_id.in_(ids)))
    return connection.execute(delete(sessions).where(sessions.c.id.in_(ids))).rowcount
