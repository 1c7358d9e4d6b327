"""SQL for finding holders of a role who also hold a stronger one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from rbac_api.database.engine import batched
from rbac_api.database.queries.roles import list_role_ids
from rbac_api.database.tables import assignments, users
from rbac_api.database.validity import not_over


def list_holders_of_both(
    connection: Connection, some: Iterable[str], others: Iterable[str], at: datetime, most: int | None = None
) -> dict[str, str]:
    """Return the names, by id, of accounts to which one of ``some`` and one of ``others`` is assigned, now or
    later.  ``most`` limits how many."""
    first, second = assignments.alias(), assignments.alias()
    joined = first.join(second, second.c.user_id == first.c.user_id).join(
        users, users.c.id == first.c.user_id
    )
    both = select(users.c.id, users.c.username).distinct().select_from(joined)
    both = both.where(not_over(first, at), not_over(second, at)).limit(most)
    one, other = list_role_ids(connection, set(some)), list_role_ids(connection, set(others))
    found: dict[str, str] = {}
    for few in batched(one):
        for rest in batched(other):
            rows = connection.execute(both.where(first.c.role_id.in_(few), second.c.role_id.in_(rest)))
            found.update((row.id, row.username) for row in rows)
            if most is not None and len(found) >= most:
                return found
    return found
