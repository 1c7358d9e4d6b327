"""SQL for searches."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, Select, select

from rbac_api.database.filters import counting, holding, holds_one_of, one_of
from rbac_api.database.tables import assignments, users
from rbac_api.decision.model import ROOT


class Candidates(NamedTuple):
    """Active accounts of one kind with an assignment, in force at a moment and a domain, of one of these
    roles."""

    kind: str
    role_ids: Collection[str]
    at: datetime
    domain: str = ROOT


def list_candidates(connection: Connection, wanted: Candidates, after: str, limit: int) -> list[str]:
    """Their ids in order, after one; loads only these, however many there are."""
    return list(connection.execute(candidates_query(connection, wanted, after, limit)).scalars())


def candidates_query(connection: Connection, wanted: Candidates, after: str, limit: int) -> Select[str]:
    """The query for these.  Few are looked up by the index of roles, many are read in the order of ids until
    there are enough."""
    given = holding(wanted.role_ids, wanted.at, wanted.domain)
    mine = holds_one_of(connection, users.c.id, wanted.role_ids, counting(wanted.at, wanted.domain))
    held = one_of(connection, users.c.id, select(assignments.c.user_id).where(given), mine)
    query = select(users.c.id).where(held, users.c.kind == wanted.kind, users.c.status == "active")
    if after:
        query = query.where(users.c.id > after)
    return query.order_by(users.c.id).limit(limit)
