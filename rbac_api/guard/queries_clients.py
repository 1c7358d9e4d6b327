"""SQL for telling who presents a client's credentials."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from rbac_api.database.tables import client_secrets, users


def find_service(connection: Connection, account_id: str) -> Row[Any] | None:
    """Name and status of a service account, a deleted one included."""
    columns: tuple[Any, ...] = (users.c.id, users.c.username, users.c.status)
    return connection.execute(
        select(*columns).where(users.c.id == account_id, users.c.kind == "service")
    ).first()


def find_secret(connection: Connection, secret_hash: str) -> Row[Any] | None:
    """By hash: whoever does not know the secret cannot learn from the search how close she is."""
    return connection.execute(
        select(client_secrets).where(client_secrets.c.secret_hash == secret_hash)
    ).first()


def note_use(connection: Connection, secret_id: str, now: datetime, unless_since: datetime) -> None:
    """Note that a secret was used, unless that was noted a short while ago."""
    stale = or_(client_secrets.c.last_used_at.is_(None), client_secrets.c.last_used_at < unless_since)
    connection.execute(
        update(client_secrets).where(client_secrets.c.id == secret_id, stale).values(last_used_at=now)
    )
