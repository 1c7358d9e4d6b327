"""Describes sessions and refresh-token records for the API and for files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries_past
from rbac_api.capabilities.sessions.answers import RefreshTokenAnswer, SessionActorAnswer, SessionAnswer
from rbac_api.database.queries.sessions import RefreshTokenRow, SessionRow
from rbac_api.database.queries.users import list_actors
from rbac_api.formats.sheets import Sheet
from rbac_api.guard.enforcement.clearance import Clearance

Actors = Mapping[str, tuple[str, str]]  # kind and name, by id
NO_ACTORS: Actors = {}


def describe_all(
    clearance: Clearance, connection: Connection, rows: Sequence[SessionRow], at: datetime | None = None
) -> list[SessionAnswer]:
    """Sessions for the API, now or as they were at that moment, with the names of those who ended them.

    Neither a user whom the caller may not read is named, nor a domain where the caller may not read, with the
    roles that the session was begun with there.
    """
    if at is not None:
        seen = queries_past.list_last_seen(connection, [row.id for row in rows], at)
        rows = [_as_of(row, seen.get(row.id), at) for row in rows]
    ended_by = clearance.nameable({row.ended_by for row in rows if row.ended_by}, connection)
    actors, moment = list_actors(connection, ended_by), at or clock.now()
    items = [describe(row, actors, moment) for row in rows]
    for item in items:
        if item["domain"] is not None and not clearance.sees(item["domain"]):
            item["domain"], item["roles"] = None, []
    return items


def _as_of(row: SessionRow, seen: tuple[datetime, datetime] | None, at: datetime) -> SessionRow:
    if seen is not None:
        row = row._replace(last_seen_at=seen[0], idle_expires_at=seen[1])
    if row.ended_at is not None and row.ended_at > at:
        return row._replace(ended_at=None, ended_by=None, end_reason=None)
    return row


def describe(row: SessionRow, actors: Actors = NO_ACTORS, at: datetime | None = None) -> SessionAnswer:
    """A session for the API; evaluates deadlines that have passed."""
    ended_at, reason = row.ended_at, row.end_reason
    deadline = min(row.idle_expires_at, row.absolute_expires_at)
    if ended_at is None and deadline <= (at or clock.now()):
        ended_at, reason = deadline, "expired" if row.absolute_expires_at <= row.idle_expires_at else "idle"
    return {
        "id": row.id,
        "user": {"id": row.user_id, "username": row.username},
        "state": "active" if ended_at is None else "ended",
        "created_at": row.created_at,
        "last_seen_at": row.last_seen_at,
        "expires_at": deadline,
        "ip": row.ip,
        "user_agent": row.user_agent,
        "client_id": row.client_id,
        "amr": row.amr.split(),
        "roles": None if row.active_roles is None else row.active_roles.split(),
        "domain": row.domain,
        "ended_at": ended_at,
        "ended_by": _actor(row.ended_by, actors),
        "end_reason": reason,
    }


def _actor(user_id: str | None, actors: Actors) -> SessionActorAnswer | None:
    if user_id is None or user_id not in actors:
        return None
    kind, name = actors[user_id]
    return {"type": "service" if kind == "service" else "user", "id": user_id, "name": name}


def describe_token(row: RefreshTokenRow) -> RefreshTokenAnswer:
    """The record of a refresh token, without the token."""
    return {
        "jti": row.jti,
        "generation": row.generation,
        "issued_at": row.issued_at,
        "expires_at": row.expires_at,
        "spent_at": row.spent_at,
        "replaced_by": row.replaced_by,
        "ip": row.ip,
    }


SESSIONS: Sheet[SessionAnswer] = Sheet(
    (
        "id", "user_id", "user_username", "state", "created_at", "last_seen_at", "expires_at", "ip",
        "user_agent", "client_id", "amr", "roles", "domain", "ended_at", "ended_by_type",
        "ended_by_id", "ended_by_name", "end_reason",
    ),
    dict,
)  # fmt: skip
REFRESH_TOKENS = Sheet(
    ("jti", "generation", "issued_at", "expires_at", "spent_at", "replaced_by", "ip"), describe_token
)
