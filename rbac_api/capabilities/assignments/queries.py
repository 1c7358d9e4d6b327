"""SQL for assignments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, select, update

from rbac_api.database.batches import batched
from rbac_api.database.periods import ended, in_force, not_over
from rbac_api.database.tables import assignments, roles, users
from rbac_api.guard.queries_history import was_assigned


def find_role_id(connection: Connection, name: str) -> str | None:
    return connection.execute(
        select(roles.c.id).where(roles.c.name == name, roles.c.valid_to.is_(None))
    ).scalar()


def find_role_ids(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """Ids by name, of those that exist."""
    found = select(roles.c.name, roles.c.id).where(roles.c.valid_to.is_(None))
    some = (connection.execute(found.where(roles.c.name.in_(part))) for part in batched(set(names)))
    return {row.name: row.id for rows in some for row in rows}


def find_assignment(connection: Connection, user_id: str, role_id: str, now: datetime) -> Row[Any] | None:
    """The one in force or still to come."""
    still = not_over(assignments, now)
    return connection.execute(
        _described().where(assignments.c.user_id == user_id, assignments.c.role_id == role_id, still)
    ).first()


def get_assignment(connection: Connection, assignment_id: str) -> Row[Any]:
    """One that exists."""
    row: Row[Any] = connection.execute(_described().where(assignments.c.id == assignment_id)).one()
    return row


def list_assignments(connection: Connection, user_id: str, at: datetime) -> list[Row[Any]]:
    """A user's as of that moment, in force or still to come; by role."""
    still = not_over(assignments, at)
    theirs = (assignments.c.user_id == user_id, still, was_assigned(at), in_force(roles, at))
    return list(connection.execute(_described().where(*theirs).order_by(roles.c.name)))


def add_assignments(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(insert(assignments), rows)


def update_assignment(connection: Connection, assignment_id: str, values: dict[str, Any]) -> None:
    connection.execute(update(assignments).where(assignments.c.id == assignment_id).values(values))


def end_assignment(connection: Connection, assignment_id: str, now: datetime) -> None:
    connection.execute(
        update(assignments).where(assignments.c.id == assignment_id).values(ended(assignments, now))
    )


def list_role_assignments(connection: Connection, role_id: str, now: datetime) -> list[Row[Any]]:
    """Everybody's assignments of one role."""
    joined = assignments.join(users, assignments.c.user_id == users.c.id)
    still = and_(assignments.c.role_id == role_id, not_over(assignments, now))
    columns = (assignments.c.user_id, users.c.username, users.c.kind)
    return list(
        connection.execute(select(*columns).select_from(joined).where(still).order_by(users.c.username))
    )


def end_role_assignments(connection: Connection, role_id: str, now: datetime) -> None:
    """End them all."""
    still = and_(assignments.c.role_id == role_id, not_over(assignments, now))
    connection.execute(update(assignments).where(still).values(ended(assignments, now)))


def _described() -> Any:
    giver = users.alias("giver")
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).outerjoin(
        giver, assignments.c.assigned_by == giver.c.id
    )
    return select(assignments, roles.c.name.label("role"), giver.c.username.label("giver")).select_from(
        joined
    )
