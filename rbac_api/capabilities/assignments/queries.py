"""SQL for assignments."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from rbac_api.database.queries.assignments import DESCRIBED, AssignmentRow
from rbac_api.database.tables import assignments, roles, users
from rbac_api.database.types import is_id
from rbac_api.database.validity import ended, in_force, not_over
from rbac_api.decision.names import canonical
from rbac_api.guard.state.queries_history import was_assigned

_ADDITION = insert(assignments)


class HolderRow(NamedTuple):
    """An account that holds a role, and at which domain; ``kind`` is ``person`` or ``service``."""

    id: str
    username: str
    kind: str
    domain: str


class Addressed(NamedTuple):
    """The user and the role of a request, and their homes; ``role_id`` is None for an unknown role."""

    user_id: str
    username: str
    user_home: str
    role_id: str | None
    role_home: str | None


_FIND_ADDRESSED = (
    select(users.c.id, users.c.username, users.c.home, roles.c.id, roles.c.home)
    .select_from(users.outerjoin(roles, and_(roles.c.name == bindparam("role"), roles.c.valid_to.is_(None))))
    .where(users.c.kind == "person", users.c.status != "deleted")
)
_FIND_BY_ID = _FIND_ADDRESSED.where(users.c.id == bindparam("user"))
_FIND_BY_NAME = _FIND_ADDRESSED.where(users.c.username_canonical == bindparam("user"))
_LIST_HELD = DESCRIBED.where(
    assignments.c.user_id == bindparam("user_id"), not_over(assignments, bindparam("at"))
)


def find_addressed(connection: Connection, user: str, role: str) -> Addressed | None:
    """A user who was not deleted, by id or name, and a role by name; None if there is no
    such user."""
    query, reference = (_FIND_BY_ID, user.lower()) if is_id(user) else (_FIND_BY_NAME, canonical(user))
    row = connection.execute(query, {"user": reference, "role": role}).first()
    return Addressed._make(row) if row else None


def list_held(connection: Connection, user_id: str, at: datetime) -> list[AssignmentRow]:
    """The assignments of an account that count at that moment or later, at all domains, with all their
    columns."""
    return [
        AssignmentRow._make(row) for row in connection.execute(_LIST_HELD, {"user_id": user_id, "at": at})
    ]


def same_place(held: Iterable[AssignmentRow], role: str, domain: str) -> AssignmentRow | None:
    """That of the assignments which is of this role at this very domain."""
    return next((one for one in held if (one.role, one.domain) == (role, domain)), None)


def list_assignments(connection: Connection, user_id: str, at: datetime) -> list[AssignmentRow]:
    """A user's assignments as of that moment, in force or still to come, at all domains; by role."""
    still = not_over(assignments, at)
    theirs = (assignments.c.user_id == user_id, still, was_assigned(at), in_force(roles, at))
    rows = connection.execute(DESCRIBED.where(*theirs).order_by(roles.c.name, assignments.c.domain))
    return [AssignmentRow._make(row) for row in rows]


def add_assignment(connection: Connection, assignment: AssignmentRow) -> None:
    """Write a row; the names in it are stored in other tables."""
    row = assignment._asdict()
    del row["role"], row["giver"]
    connection.execute(_ADDITION, row)


def update_assignment(connection: Connection, assignment_id: str, values: dict[str, object]) -> None:
    connection.execute(update(assignments).where(assignments.c.id == assignment_id).values(values))


def end_assignment(connection: Connection, assignment_id: str, now: datetime) -> None:
    connection.execute(
        update(assignments).where(assignments.c.id == assignment_id).values(ended(assignments, now))
    )


def list_role_assignments(connection: Connection, role_id: str, now: datetime) -> list[HolderRow]:
    """All users' assignments of one role, at all domains."""
    joined = assignments.join(users, assignments.c.user_id == users.c.id)
    still = and_(assignments.c.role_id == role_id, not_over(assignments, now))
    columns = (users.c.id, users.c.username, users.c.kind, assignments.c.domain)
    rows = connection.execute(select(*columns).select_from(joined).where(still).order_by(users.c.username))
    return [HolderRow._make(row) for row in rows]


def end_role_assignments(connection: Connection, role_id: str, now: datetime) -> None:
    """End all assignments of one role, at all domains."""
    still = and_(assignments.c.role_id == role_id, not_over(assignments, now))
    connection.execute(update(assignments).where(still).values(ended(assignments, now)))
