"""Deletes sessions that are no longer listed, and the addresses of erased users. Part of the service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.sessions import queries, queries_erasure


def delete_old_sessions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the sessions that were over before that moment, their refresh-token records first.
    Returns the number of rows."""
    return queries.delete_old_tokens(connection, before, limit) or queries.delete_old_sessions(
        connection, before, limit
    )


def erase_addresses(connection: Connection, user_id: str) -> None:
    """Empty the addresses and user agents of a user's sessions, which stay listed."""
    queries_erasure.erase_addresses(connection, user_id)
