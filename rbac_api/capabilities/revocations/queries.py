"""SQL for the feed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from rbac_api.database.tables import revocations


def list_revocations(connection: Connection, after: int, limit: int) -> list[Row[Any]]:
    """In the order of commits."""
    found = select(revocations).where(revocations.c.seq > after).order_by(revocations.c.seq).limit(limit)
    return list(connection.execute(found))
