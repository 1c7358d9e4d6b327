"""SQL for sessions as they were at a past moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, select

from rbac_api.database.tables import refresh_tokens, sessions


def was_active(at: datetime) -> ColumnElement[bool]:
    """Condition: the session had begun by then, and was neither ended nor past a deadline."""
    return and_(
        was_begun(at),
        func.coalesce(sessions.c.ended_at, sessions.c.absolute_expires_at) > at,
        sessions.c.idle_expires_at > at,
        sessions.c.absolute_expires_at > at,
    )


def was_begun(at: datetime) -> ColumnElement[bool]:
    """Condition: the session had begun by then."""
    return func.coalesce(sessions.c.created_at, sessions.c.last_seen_at) <= at


def list_last_seen(
    connection: Connection, session_ids: Collection[str], at: datetime
) -> dict[str, tuple[datetime, datetime]]:
    """When each of these sessions had been refreshed last by then, and its idle deadline at that time."""
    seen = (func.max(refresh_tokens.c.issued_at), func.max(refresh_tokens.c.expires_at))
    by_then = (refresh_tokens.c.session_id.in_(session_ids), refresh_tokens.c.issued_at <= at)
    query = select(refresh_tokens.c.session_id, *seen).where(*by_then)
    rows = connection.execute(query.group_by(refresh_tokens.c.session_id))
    return {session_id: (last, deadline) for session_id, last, deadline in rows}
