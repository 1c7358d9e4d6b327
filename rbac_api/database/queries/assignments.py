"""Reads assignments: which roles are assigned to whom."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.engine import batched
from rbac_api.database.tables import assignments, roles, users
from rbac_api.database.validity import not_over
from rbac_api.decision.model import Assignment, Mode


class AssignmentRow(NamedTuple):
    """An assignment with the names of its role and of the user who made it; ``giver`` is None if it was not a
    user."""

    id: str
    user_id: str
    role_id: str
    valid_from: datetime
    valid_to: datetime | None
    reason: str | None
    assigned_by: str | None
    assigned_at: datetime
    mode: Mode
    max_duration: int | None
    role: str
    giver: str | None


_ASSIGNMENT = (roles.c.name, assignments.c.valid_from, assignments.c.valid_to, assignments.c.mode)
_JOINED = assignments.join(roles, assignments.c.role_id == roles.c.id)
_LIST_ASSIGNMENTS = (
    select(*_ASSIGNMENT)
    .select_from(_JOINED)
    .where(
        assignments.c.user_id == bindparam("user_id"),
        not_over(assignments, bindparam("at")),
        roles.c.valid_to.is_(None),
    )
)
_GIVER = users.alias("giver")
DESCRIBED = select(
    *(assignments.c[name] for name in AssignmentRow._fields[:-2]), roles.c.name, _GIVER.c.username
).select_from(_JOINED.outerjoin(_GIVER, assignments.c.assigned_by == _GIVER.c.id))
"""Selects the columns of an ``AssignmentRow``."""


def list_assignments(connection: Connection, user_id: str, at: datetime) -> list[Assignment]:
    """The assignments of an account that count at that moment or later, as decisions take them."""
    return [Assignment(*row) for row in connection.execute(_LIST_ASSIGNMENTS, {"user_id": user_id, "at": at})]


def list_assignments_of(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> dict[str, list[Assignment]]:
    """The same for several accounts, by id; an account without assignments is left out."""
    counts = (not_over(assignments, at), roles.c.valid_to.is_(None))
    held = select(assignments.c.user_id, *_ASSIGNMENT).select_from(_JOINED).where(*counts)
    found: dict[str, list[Assignment]] = {}
    for some in batched(user_ids):
        for user_id, *rest in connection.execute(held.where(assignments.c.user_id.in_(some))):
            found.setdefault(user_id, []).append(Assignment(*rest))
    return found


def list_roles_of(connection: Connection, user_ids: Sequence[str], at: datetime) -> dict[str, frozenset[str]]:
    """The roles that these users hold directly, now or later; a user without any is left out."""
    counts = (not_over(assignments, at), roles.c.valid_to.is_(None))
    held = select(assignments.c.user_id, roles.c.name).select_from(_JOINED).where(*counts)
    found: dict[str, set[str]] = {}
    for some in batched(user_ids):
        for row in connection.execute(held.where(assignments.c.user_id.in_(some))):
            found.setdefault(row.user_id, set()).add(row.name)
    return {user_id: frozenset(names) for user_id, names in found.items()}
