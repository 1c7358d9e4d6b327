"""SQL for assignments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from rbac_api.database.tables import assignments, roles, users


def find_role_id(connection: Connection, name: str) -> str | None:
    return connection.execute(
        select(roles.c.id).where(roles.c.name == name, roles.c.valid_to.is_(None))
    ).scalar()


def find_assignment(connection: Connection, user_id: str, role_id: str, now: datetime) -> Row[Any] | None:
    """The one in force or still to come."""
    still = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > now)
    return connection.execute(
        _described().where(assignments.c.user_id == user_id, assignments.c.role_id == role_id, still)
    ).first()


def get_assignment(connection: Connection, assignment_id: str) -> Row[Any]:
    """One that exists."""
    row: Row[Any] = connection.execute(_described().where(assignments.c.id == assignment_id)).one()
    return row


def list_assignments(connection: Connection, user_id: str, now: datetime) -> list[Row[Any]]:
    """A user's, by role."""
    still = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > now)
    return list(
        connection.execute(
            _described()
            .where(assignments.c.user_id == user_id, still, roles.c.valid_to.is_(None))
            .order_by(roles.c.name)
        )
    )


def add_assignment(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(assignments).values(values))


def end_assignment(connection: Connection, assignment_id: str, now: datetime) -> None:
    connection.execute(update(assignments).where(assignments.c.id == assignment_id).values(valid_to=now))


def list_role_assignments(connection: Connection, role_id: str, now: datetime) -> list[Row[Any]]:
    """Everybody's assignments of one role."""
    joined = assignments.join(users, assignments.c.user_id == users.c.id)
    still = and_(
        assignments.c.role_id == role_id, or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > now)
    )
    columns = (assignments.c.id, assignments.c.user_id, users.c.username, users.c.kind)
    return list(
        connection.execute(select(*columns).select_from(joined).where(still).order_by(users.c.username))
    )


def end_all(connection: Connection, user_id: str, now: datetime) -> list[str]:
    """End everything somebody still holds; the names of the roles."""
    still = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > now)
    ending = update(assignments).where(assignments.c.user_id == user_id, still).values(valid_to=now)
    role_ids = list(connection.execute(ending.returning(assignments.c.role_id)).scalars())
    return sorted(connection.execute(select(roles.c.name).where(roles.c.id.in_(role_ids))).scalars())


def _described() -> Any:
    giver = users.alias("giver")
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).outerjoin(
        giver, assignments.c.assigned_by == giver.c.id
    )
    return select(assignments, roles.c.name.label("role"), giver.c.username.label("giver")).select_from(
        joined
    )
