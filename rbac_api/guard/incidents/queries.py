"""SQL for opening incidents, and for finding the rightful party."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, func, insert, select, union, update

from rbac_api.database.queries.sessions import SESSIONS_AND_USERS
from rbac_api.database.tables import incidents, personal_values, refresh_tokens, sessions, trail_events, users


class Origin(NamedTuple):
    """A session: its user, from where it began and was last seen, and how it ended."""

    id: str
    user_id: str
    ip: str | None
    user_agent: str | None
    last_seen_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    username: str
    home: str


_ORIGIN = select(
    *(sessions.c[name] for name in Origin._fields[:-2]), users.c.username, users.c.home
).select_from(SESSIONS_AND_USERS)


def raise_occurrences(connection: Connection, kind: str, subject: str, times: int) -> bool:
    """Add this many occurrences to the open incident of this type about this subject; return whether there is
    one."""
    mine = (incidents.c.type == kind, incidents.c.subject == subject, incidents.c.closed_at.is_(None))
    raised = update(incidents).where(*mine).values(occurrences=incidents.c.occurrences + times)
    return connection.execute(raised).rowcount == 1


def raise_newest(connection: Connection, kind: str, subject: str, times: int) -> bool:
    """Add to the newest incident, closed or not, the occurrences that were counted before it was closed."""
    mine = (incidents.c.type == kind, incidents.c.subject == subject)
    newest = select(incidents.c.id).where(*mine).order_by(incidents.c.opened_at.desc()).limit(1)
    raised = update(incidents).where(incidents.c.id == newest.scalar_subquery())
    return connection.execute(raised.values(occurrences=incidents.c.occurrences + times)).rowcount == 1


def add_incident(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(incidents).values(values))


def find_origin(connection: Connection, session_id: str) -> Origin | None:
    """Return where a session comes from; None if there is no such session."""
    row = connection.execute(_ORIGIN.where(sessions.c.id == session_id)).first()
    return Origin._make(row) if row else None


def list_addresses(connection: Connection, session_id: str) -> list[str | None]:
    """Return where a session was refreshed, and from where its user signed out of it."""
    refreshed = select(refresh_tokens.c.ip).where(refresh_tokens.c.session_id == session_id)
    left = (trail_events.c.target_id == session_id, trail_events.c.action == "session.ended")
    known = trail_events.outerjoin(personal_values, trail_events.c.seq == personal_values.c.seq)
    address = func.coalesce(personal_values.c.ip, trail_events.c.ip)
    leaving = select(address).select_from(known).where(*left, trail_events.c.reason == "logout")
    return list(connection.execute(union(refreshed, leaving)).scalars())


def list_revokers(connection: Connection, jti: str) -> list[str | None]:
    """Return who revoked a token by itself."""
    revoked = (trail_events.c.target_id == jti, trail_events.c.action == "token.revoked")
    return list(connection.execute(select(trail_events.c.actor_id).where(*revoked)).scalars())


def find_latest_origin(connection: Connection, user_id: str) -> Origin | None:
    """Return where the newest session of a user comes from."""
    mine = _ORIGIN.where(sessions.c.user_id == user_id)
    newest = mine.order_by(sessions.c.created_at.desc(), sessions.c.id.desc())
    row = connection.execute(newest.limit(1)).first()
    return Origin._make(row) if row else None
