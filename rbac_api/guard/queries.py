"""What the guard reads: the roles, one person, one session, the keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select

from rbac_api.database.tables import (
    assignments,
    idempotency_keys,
    permissions,
    role_inheritance,
    role_permissions,
    roles,
    sessions,
    signing_keys,
    users,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Permission, Role, Subject

_senior, _junior = roles.alias("senior"), roles.alias("junior")


def find_role_graph(connection: Connection) -> RoleGraph:
    """All roles in force, compiled."""
    catalogue = connection.execute(
        select(permissions.c.name, permissions.c.system).where(permissions.c.valid_to.is_(None))
    ).all()
    direct: dict[str, set[str]] = {}
    for role_id, name in connection.execute(_direct_permissions()):
        direct.setdefault(role_id, set()).add(name)
    found = connection.execute(
        select(roles.c.id, roles.c.name, roles.c.grants).where(roles.c.valid_to.is_(None))
    ).all()
    return RoleGraph.compile(
        (Role(row.name, frozenset(direct.get(row.id, ())), row.grants) for row in found),
        (Permission(row.name, row.system) for row in catalogue),
        ((row.senior, row.junior) for row in connection.execute(_inheritance())),
    )


def _direct_permissions() -> Any:
    edge = role_permissions
    joined = edge.join(permissions, edge.c.permission_id == permissions.c.id)
    return (
        select(edge.c.role_id, permissions.c.name)
        .select_from(joined)
        .where(edge.c.valid_to.is_(None), permissions.c.valid_to.is_(None))
    )


def _inheritance() -> Any:
    edge = role_inheritance
    joined = edge.join(_senior, edge.c.senior_id == _senior.c.id).join(
        _junior, edge.c.junior_id == _junior.c.id
    )
    in_force = and_(edge.c.valid_to.is_(None), _senior.c.valid_to.is_(None), _junior.c.valid_to.is_(None))
    return (
        select(_senior.c.name.label("senior"), _junior.c.name.label("junior"))
        .select_from(joined)
        .where(in_force)
    )


def find_subject(connection: Connection, user_id: str, at: datetime) -> tuple[Subject, str] | None:
    """The person as decisions see her, with assignments that count now or later, and her username."""
    columns = (users.c.id, users.c.username, users.c.status, users.c.password_temporary)
    user = connection.execute(select(*columns).where(users.c.id == user_id)).first()
    if user is None:
        return None
    held = tuple(
        Assignment(row.name, row.valid_from, row.valid_to)
        for row in connection.execute(_assignments(user_id, at))
    )
    return Subject(user.id, user.status, held, user.password_temporary), user.username


def get_subject(connection: Connection, user_id: str, at: datetime) -> Subject:
    """The same, for somebody who is known to exist (a session or an account of hers was just read)."""
    found = find_subject(connection, user_id, at)
    if found is None:
        raise LookupError(user_id)
    return found[0]


def _assignments(user_id: str, at: datetime) -> Any:
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    counts = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > at)
    columns = (roles.c.name, assignments.c.valid_from, assignments.c.valid_to)
    return (
        select(*columns)
        .select_from(joined)
        .where(assignments.c.user_id == user_id, counts, roles.c.valid_to.is_(None))
    )


def find_session_standing(connection: Connection, session_id: str) -> Row[Any] | None:
    """Whose session it is and whether it was ended."""
    columns: tuple[Any, ...] = (sessions.c.user_id, sessions.c.ended_at, sessions.c.client_id)
    return connection.execute(select(*columns).where(sessions.c.id == session_id)).first()


def list_signing_keys(connection: Connection) -> list[Row[Any]]:
    """Every key that may still verify, oldest first."""
    return list(connection.execute(select(signing_keys).order_by(signing_keys.c.created_at)).all())


def list_administrators(connection: Connection, role_names: frozenset[str], at: datetime) -> list[Assignment]:
    """Assignments of these roles to enabled users who can sign in: those that keep the service governable."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).join(
        users, assignments.c.user_id == users.c.id
    )
    able = and_(users.c.status == "active", users.c.password_hash.is_not(None))
    counts = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > at)
    columns = (roles.c.name, assignments.c.valid_from, assignments.c.valid_to)
    query = (
        select(*columns)
        .select_from(joined)
        .where(able, counts, roles.c.name.in_(role_names), roles.c.valid_to.is_(None))
    )
    return [Assignment(row.name, row.valid_from, row.valid_to) for row in connection.execute(query)]


def find_authorization_version(connection: Connection, user_id: str) -> int:
    """``av``: how often what this user may do was changed."""
    found = select(users.c.authorization_version).where(users.c.id == user_id)
    return int(connection.execute(found).scalar_one())


def find_answer(connection: Connection, scope: str, key: str, now: datetime) -> Row[Any] | None:
    """What was answered to a caller's request under this Idempotency-Key, unless it is too old."""
    table = idempotency_keys
    mine = (table.c.scope == scope, table.c.key == key, table.c.expires_at > now)
    return connection.execute(select(table).where(*mine)).first()


def add_answer(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(idempotency_keys).values(values))


def clear_old_answers(connection: Connection, now: datetime) -> None:
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now))
