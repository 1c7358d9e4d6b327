"""SQL for deleting old decisions."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete, select

from rbac_api.database.tables import decisions


def delete_old_decisions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete decisions from before that moment; return how many.  Ids are in the order of time, so only the
    oldest are read."""
    columns = (decisions.c.id, decisions.c.at)
    oldest = connection.execute(select(*columns).order_by(decisions.c.id).limit(limit))
    old = [row.id for row in oldest if row.at < before]
    return connection.execute(delete(decisions).where(decisions.c.id.in_(old))).rowcount
