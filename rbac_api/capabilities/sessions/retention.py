"""Deletes sessions that are no longer listed. Part of the service, in a file of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.sessions import queries


def delete_old_sessions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the sessions that were over before that moment, their refresh-token records first.
    Returns the number of rows."""
    return queries.delete_old_tokens(connection, before, limit) or queries.delete_old_sessions(
        connection, before, limit
    )
