"""Checks whether a connection to PostgreSQL is a session of its own, which LISTEN, leases and session locks
require.

A pooler in transaction mode (or one that spreads statements over servers) gives each transaction any free
server connection.  Such a connection looks like any other, answers every query, and never receives a
notification: so the check sends one.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import text

from rbac_api.database.engine import Database

if TYPE_CHECKING:
    import psycopg

NOTIFICATION_TIMEOUT = 2.0  # seconds; a direct connection needs about a thousandth
_PID = "SELECT pg_backend_pid()"


def keeps_its_session(kept: psycopg.Connection, database: Database) -> bool:
    """Return whether a notification from another connection reaches this idle one, which must be in
    autocommit."""
    channel = f"rbac_{secrets.token_hex(8)}"
    kept.execute(f"LISTEN {channel}".encode())
    try:
        return _is_heard(kept, database, channel)
    finally:
        kept.execute(f"UNLISTEN {channel}".encode())


def _is_heard(kept: psycopg.Connection, database: Database, channel: str) -> bool:
    mine = _pid(kept)
    with database.unlocked() as other:  # its transaction occupies a server connection meanwhile
        theirs = other.execute(text(_PID)).scalar()
        if theirs == mine or _pid(kept) != mine:
            return False
        other.execute(text("SELECT pg_notify(:channel, '')"), {"channel": channel})
    # By name: one of an earlier check may be left over where sessions are shared.
    return any(heard.channel == channel for heard in kept.notifies(timeout=NOTIFICATION_TIMEOUT))


def _pid(connection: psycopg.Connection) -> int:
    [(found,)] = connection.execute(_PID).fetchall()
    return int(found)
