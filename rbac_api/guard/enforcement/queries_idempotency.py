"""SQL for answers kept under an ``Idempotency-Key``."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    Connection,
    delete,
    insert,
    select,
)

from rbac_api.database.tables import (
    idempotency_keys,
)


class AnswerRow(NamedTuple):
    """The stored answer to a request with an Idempotency-Key."""

    fingerprint: str
    status: int
    location: str | None
    body_sealed: str


def find_answer(connection: Connection, scope: str, key: str, now: datetime) -> AnswerRow | None:
    """Return the stored answer to a caller's request under this Idempotency-Key, unless it is too old."""
    table = idempotency_keys
    mine = (table.c.scope == scope, table.c.key == key, table.c.expires_at > now)
    row = connection.execute(select(*(table.c[name] for name in AnswerRow._fields)).where(*mine)).first()
    return AnswerRow._make(row) if row else None


def add_answer(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(idempotency_keys).values(values))


def clear_answers(connection: Connection, scope: str, location: str) -> None:
    """Delete the stored answers about this resource: they show a secret that must not, or need not, be seen
    again."""
    columns = idempotency_keys.c
    connection.execute(delete(idempotency_keys).where(columns.scope == scope, columns.location == location))


def clear_answers_of_all(connection: Connection, location: str) -> None:
    """Delete the stored answers about this resource, of all callers: they show what was erased."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.location == location))


def clear_old_answers(connection: Connection, now: datetime) -> int:
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now)).rowcount
