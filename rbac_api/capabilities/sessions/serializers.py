"""Describes sessions and refresh-token records for the API and for files."""

from __future__ import annotations

from rbac_api import clock
from rbac_api.capabilities.sessions.answers import RefreshTokenAnswer, SessionAnswer
from rbac_api.database.queries.sessions import RefreshTokenRow, SessionRow
from rbac_api.formats.sheets import Sheet


def describe(row: SessionRow) -> SessionAnswer:
    """A session for the API; evaluates deadlines that have passed."""
    ended_at, reason = row.ended_at, row.end_reason
    deadline = min(row.idle_expires_at, row.absolute_expires_at)
    if ended_at is None and deadline <= clock.now():
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
        "ended_at": ended_at,
        "ended_by": row.ended_by,
        "end_reason": reason,
    }


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


SESSIONS = Sheet(
    (
        "id", "user_id", "user_username", "state", "created_at", "last_seen_at", "expires_at", "ip",
        "user_agent", "client_id", "amr", "roles", "ended_at", "ended_by", "end_reason",
    ),
    describe,
)  # fmt: skip
REFRESH_TOKENS = Sheet(
    ("jti", "generation", "issued_at", "expires_at", "spent_at", "replaced_by", "ip"), describe_token
)
