"""SQL for the feed."""

from __future__ import annotations

from sqlalchemy import Connection, select

from rbac_api.database.tables import revocations
from rbac_api.guard.revocation.queries import REVOCATION, RevocationRow


def list_revocations(connection: Connection, after: int, limit: int) -> list[RevocationRow]:
    """Revocations in the order of commits."""
    found = select(*REVOCATION).where(revocations.c.seq > after).order_by(revocations.c.seq).limit(limit)
    return [RevocationRow._make(row) for row in connection.execute(found)]
