"""Exports the lists of sessions and of refresh-token records as files."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.answers import SessionAnswer, SessionFilters
from rbac_api.capabilities.sessions.filters import conditions
from rbac_api.capabilities.sessions.serializers import REFRESH_TOKENS, SESSIONS, describe_all
from rbac_api.capabilities.sessions.termination import find_session_at_home
from rbac_api.database.queries.sessions import RefreshTokenRow
from rbac_api.formats.sheets import CHUNK, Form, stream
from rbac_api.guard.enforcement.clearance import Clearance


def export_sessions(
    clearance: Clearance, filters: SessionFilters, form: Form, at: datetime | None = None
) -> Iterator[bytes]:
    """All sessions that match, newest first; without those that begin meanwhile."""
    database, fitting = clearance.work.database, conditions(clearance, filters, at)

    def batch(last: SessionAnswer | None) -> list[SessionAnswer]:
        after = (last["id"],) if last else None
        with database.reading() as connection:
            return describe_all(
                clearance, connection, queries.list_sessions(connection, fitting, after, CHUNK), at
            )

    return stream(SESSIONS, form, batch)


def export_refresh_tokens(clearance: Clearance, session_id: str, form: Form) -> Iterator[bytes]:
    """Every rotation of a session."""
    find_session_at_home(clearance, session_id)
    database = clearance.work.database

    def batch(last: RefreshTokenRow | None) -> list[RefreshTokenRow]:
        after = (last.generation,) if last else None
        with database.reading() as connection:
            return queries.list_refresh_tokens(connection, session_id, after, CHUNK)

    return stream(REFRESH_TOKENS, form, batch)
