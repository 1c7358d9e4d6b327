"""SQL for signing keys."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from rbac_api.database.tables import signing_keys


def add_key(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(signing_keys).values(values))


def list_keys(connection: Connection) -> list[Row[Any]]:
    """Oldest first."""
    return list(connection.execute(select(signing_keys).order_by(signing_keys.c.created_at)))
