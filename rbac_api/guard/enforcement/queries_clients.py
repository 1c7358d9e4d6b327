"""SQL for authenticating a client by its credentials."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, or_, select, update

from rbac_api.database.tables import client_secrets, users
from rbac_api.decision.model import Status


class ServiceRow(NamedTuple):
    """A service account by name and status."""

    id: str
    username: str
    status: Status
    home: str


class SecretRow(NamedTuple):
    """A secret of a service account: its hash, and for how long it is valid."""

    id: str
    service_account_id: str
    secret_hash: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime
    last_used_at: datetime | None
    withdrawn_at: datetime | None


SECRET = tuple(client_secrets.c[name] for name in SecretRow._fields)


def find_service(connection: Connection, account_id: str) -> ServiceRow | None:
    """Return name and status of a service account, including a deleted one."""
    columns = (users.c[name] for name in ServiceRow._fields)
    row = connection.execute(
        select(*columns).where(users.c.id == account_id, users.c.kind == "service")
    ).first()
    return ServiceRow._make(row) if row else None


def find_secret(connection: Connection, secret_hash: str) -> SecretRow | None:
    """Find a secret by its hash: the time of the search does not reveal how close a guess was."""
    row = connection.execute(select(*SECRET).where(client_secrets.c.secret_hash == secret_hash)).first()
    return SecretRow._make(row) if row else None


def note_use(connection: Connection, secret_id: str, now: datetime, unless_since: datetime) -> None:
    """Note that a secret was used, unless that was noted a short while ago."""
    stale = or_(client_secrets.c.last_used_at.is_(None), client_secrets.c.last_used_at < unless_since)
    connection.execute(
        update(client_secrets).where(client_secrets.c.id == secret_id, stale).values(last_used_at=now)
    )
