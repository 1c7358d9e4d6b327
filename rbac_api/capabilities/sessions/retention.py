"""Deleting what is no longer listed of sessions.  Part of the service, in a file of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.sessions import queries


def delete_old_sessions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the sessions that were over before that moment, their refresh-token records first; how many rows went."""
    return queries.delete_old_tokens(connection, before, limit) or queries.delete_old_sessions(
        connection, before, limit
    )
