"""SQL for service accounts and their secrets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from rbac_api.database.filters import bounded_count
from rbac_api.database.tables import client_secrets, service_accounts, users
from rbac_api.decision.model import Status
from rbac_api.guard.enforcement.queries_clients import SECRET, SecretRow


class ServiceAccountRow(NamedTuple):
    """A service account."""

    id: str
    username: str
    username_canonical: str
    status: Status
    version: int
    authorization_version: int
    created_at: datetime
    updated_at: datetime
    home: str
    description: str | None


_ACCOUNT = select(
    *(users.c[name] for name in ServiceAccountRow._fields[:-1]), service_accounts.c.description
).select_from(users.join(service_accounts, service_accounts.c.id == users.c.id))

# Written out, as the partial index in the order of names has it.
IS_SERVICE = users.c.kind == literal_column("'service'")


def find_account(connection: Connection, account_id: str) -> ServiceAccountRow | None:
    """A service account that was not deleted."""
    row = connection.execute(_ACCOUNT.where(users.c.id == account_id, users.c.status != "deleted")).first()
    return ServiceAccountRow._make(row) if row else None


def add_account(connection: Connection, row: Mapping[str, object], details: Mapping[str, object]) -> None:
    """Add the row that roles refer to, and the row with the details of a service account."""
    connection.execute(insert(users).values(row))
    connection.execute(insert(service_accounts).values(details))


def update_account(connection: Connection, account_id: str, version: int, values: dict[str, object]) -> bool:
    """Change the row if it still has that version; check and write are one statement."""
    changed = update(users).where(users.c.id == account_id, users.c.version == version)
    return connection.execute(changed.values(**values, version=version + 1)).rowcount == 1


def update_description(connection: Connection, account_id: str, description: str | None) -> None:
    changed = update(service_accounts).where(service_accounts.c.id == account_id)
    connection.execute(changed.values(description=description))


def list_accounts(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    after: tuple[object, ...] | None,
    limit: int,
) -> list[ServiceAccountRow]:
    """Service accounts by name."""
    query = _ACCOUNT.where(*conditions).order_by(users.c.username_canonical).limit(limit)
    rows = connection.execute(query.where(users.c.username_canonical > after[0]) if after else query)
    return [ServiceAccountRow._make(row) for row in rows]


def count_accounts(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    return bounded_count(connection, select(users.c.id).where(*conditions))


def add_secret(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(client_secrets).values(values))


def list_secrets(connection: Connection, account_id: str) -> list[SecretRow]:
    """Secrets that were not withdrawn, oldest first."""
    kept = (client_secrets.c.service_account_id == account_id, client_secrets.c.withdrawn_at.is_(None))
    rows = connection.execute(select(*SECRET).where(*kept).order_by(client_secrets.c.id))
    return [SecretRow._make(row) for row in rows]


def withdraw_secret(connection: Connection, account_id: str, secret_id: str, now: datetime) -> bool:
    """Withdraw one secret of an account; returns whether there was one."""
    one = (client_secrets.c.service_account_id == account_id, client_secrets.c.id == secret_id)
    ending = update(client_secrets).where(*one, client_secrets.c.withdrawn_at.is_(None))
    return connection.execute(ending.values(withdrawn_at=now)).rowcount == 1


def withdraw_all_secrets(connection: Connection, account_id: str, now: datetime) -> None:
    """Withdraw every secret of an account."""
    kept = (client_secrets.c.service_account_id == account_id, client_secrets.c.withdrawn_at.is_(None))
    connection.execute(update(client_secrets).where(*kept).values(withdrawn_at=now))


def delete_old_secrets(connection: Connection, before: datetime, limit: int) -> int:
    """Delete secrets that were withdrawn or expired before that moment; returns the number."""
    over = or_(client_secrets.c.withdrawn_at < before, client_secrets.c.expires_at < before)
    old = select(client_secrets.c.id).where(over).limit(limit)
    return connection.execute(delete(client_secrets).where(client_secrets.c.id.in_(old))).rowcount
