"""SQL for opening incidents, and for who the rightful party is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select, union, update

from rbac_api.database.tables import incidents, refresh_tokens, sessions, trail_events, users


def raise_occurrences(connection: Connection, kind: str, subject: str, times: int) -> bool:
    """Count so many occurrences more on the open incident of this type about this subject; whether there is one."""
    mine = (incidents.c.type == kind, incidents.c.subject == subject, incidents.c.closed_at.is_(None))
    raised = update(incidents).where(*mine).values(occurrences=incidents.c.occurrences + times)
    return connection.execute(raised).rowcount == 1


def raise_newest(connection: Connection, kind: str, subject: str, times: int) -> bool:
    """The same on the newest, closed or not, for occurrences that were counted before it was closed."""
    mine = (incidents.c.type == kind, incidents.c.subject == subject)
    newest = select(incidents.c.id).where(*mine).order_by(incidents.c.opened_at.desc()).limit(1)
    raised = update(incidents).where(incidents.c.id == newest.scalar_subquery())
    return connection.execute(raised.values(occurrences=incidents.c.occurrences + times)).rowcount == 1


def add_incident(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(incidents).values(values))


def find_origin(connection: Connection, session_id: str) -> Row[Any] | None:
    """Whose session it is, from where it began, and when it was last seen; None if there is no such session."""
    columns = (*_ORIGIN, users.c.username)
    found = select(*columns).select_from(sessions.join(users, sessions.c.user_id == users.c.id))
    return connection.execute(found.where(sessions.c.id == session_id)).first()


def list_addresses(connection: Connection, session_id: str) -> list[str | None]:
    """Where a session was refreshed, and from where its user signed out of it."""
    refreshed = select(refresh_tokens.c.ip).where(refresh_tokens.c.session_id == session_id)
    left = (trail_events.c.target_id == session_id, trail_events.c.action == "session.ended")
    leaving = select(trail_events.c.ip).where(*left, trail_events.c.reason == "logout")
    return list(connection.execute(union(refreshed, leaving)).scalars())


def list_revokers(connection: Connection, jti: str) -> list[str | None]:
    """Who revoked a token by itself."""
    revoked = (trail_events.c.target_id == jti, trail_events.c.action == "token.revoked")
    return list(connection.execute(select(trail_events.c.actor_id).where(*revoked)).scalars())


def find_latest_origin(connection: Connection, user_id: str) -> Row[Any] | None:
    """The same for the newest session of a user."""
    mine = select(*_ORIGIN).where(sessions.c.user_id == user_id)
    newest = mine.order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
    return connection.execute(newest.limit(1)).first()


_ORIGIN: tuple[Any, ...] = (
    sessions.c.id, sessions.c.user_id, sessions.c.ip, sessions.c.user_agent, sessions.c.last_seen_at, sessions.c.ended_at,
    sessions.c.ended_by, sessions.c.end_reason,
)  # fmt: skip
