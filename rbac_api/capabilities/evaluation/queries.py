"""SQL for searches."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, exists, func, select

from rbac_api.database.filters import among, holding, one_of
from rbac_api.database.tables import assignments, users
from rbac_api.database.validity import in_force


class Candidates(NamedTuple):
    """Active accounts of one kind with an assignment, in force at a moment, of one of these roles."""

    kind: str
    role_ids: Collection[str]
    at: datetime


def list_candidates(connection: Connection, wanted: Candidates, after: str, limit: int) -> list[str]:
    """Their ids in order, after one; loads only these, however many there are."""
    return list(connection.execute(candidates_query(connection, wanted, after, limit)).scalars())


def candidates_query(connection: Connection, wanted: Candidates, after: str, limit: int) -> Select[str]:
    """The query for these.  Few are looked up by the index of roles, many are read in the order of ids until
    there are enough."""
    given = holding(wanted.role_ids, wanted.at)
    # Not the bare column: with an index of it SQLite would look up every role for each account.
    role_id = func.coalesce(assignments.c.role_id, assignments.c.role_id)
    counts = (
        among(role_id, wanted.role_ids),
        assignments.c.mode == "active",
        in_force(assignments, wanted.at),
    )
    mine = exists(select(1).where(assignments.c.user_id == users.c.id, *counts))
    held = one_of(connection, users.c.id, select(assignments.c.user_id).where(given), mine)
    query = select(users.c.id).where(held, users.c.kind == wanted.kind, users.c.status == "active")
    if after:
        query = query.where(users.c.id > after)
    return query.order_by(users.c.id).limit(limit)
