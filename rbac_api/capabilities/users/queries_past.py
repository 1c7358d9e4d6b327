"""SQL for users as they were at a past moment."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from rbac_api import clock
from rbac_api.database.filters import among, holding, one_of
from rbac_api.database.queries.roles import list_role_ids_at
from rbac_api.database.tables import assignments, trail_events, users
from rbac_api.database.validity import not_over
from rbac_api.guard.state.queries_history import was_assigned

_CHANGES = ("user.deleted", "user.disabled", "user.enabled")


def existed(at: datetime) -> list[ColumnElement[bool]]:
    """Conditions: the account had been created by then, and not deleted."""
    created, deleted = users.c.created_at, users.c.deleted_at
    return [func.coalesce(created, created) <= at, func.coalesce(deleted, clock.ENDLESS) > at]


def had_status(connection: Connection, status: str, at: datetime) -> ColumnElement[bool]:
    """Condition: the account had this status; the first change after that moment says which one it was."""
    later = (trail_events.c.action.in_(_CHANGES), trail_events.c.at > at)
    columns = (trail_events.c.target_id, trail_events.c.before)
    before: dict[str, str] = {}
    for event in connection.execute(select(*columns).where(*later).order_by(trail_events.c.seq)):
        before.setdefault(event.target_id, json.loads(event.before)["status"])
    same = [user_id for user_id, then in before.items() if then == status]
    unchanged = and_(users.c.status == status, ~among(users.c.id, list(before)))
    return or_(among(users.c.id, same), unchanged)


def held_role(connection: Connection, role_names: Collection[str], at: datetime) -> ColumnElement[bool]:
    """Condition: the user held one of these roles then; a role that needs activation does not count."""
    role_ids = list_role_ids_at(connection, role_names, at)
    given = holding(role_ids, at)
    mine = exists(select(1).where(assignments.c.user_id == users.c.id, given))
    return one_of(connection, users.c.id, select(assignments.c.user_id).where(given), mine)


def had_roles(at: datetime) -> ColumnElement[bool]:
    """Condition: a role was assigned to the user, for then or later, in any mode."""
    held = (assignments.c.user_id == users.c.id, not_over(assignments, at), was_assigned(at))
    return exists(select(1).where(*held))
