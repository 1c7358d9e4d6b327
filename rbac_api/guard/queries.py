"""What the guard reads: the roles, one person, one session, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, delete, insert, or_, select

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


def find_role_graph(connection: Connection) -> RoleGraph:
    """All roles in force, compiled.  The tables are read one by one and joined here: no plan the database makes can be a bad one."""
    catalogue = {
        row.id: Permission(row.name, row.system)
        for row in _in_force(connection, permissions, "id", "name", "system")
    }
    found = {row.id: row for row in _in_force(connection, roles, "id", "name", "grants")}
    direct: dict[str, set[str]] = {}
    for grant in _in_force(connection, role_permissions, "role_id", "permission_id"):
        if grant.permission_id in catalogue:
            direct.setdefault(grant.role_id, set()).add(catalogue[grant.permission_id].name)
    edges = _in_force(connection, role_inheritance, "senior_id", "junior_id")
    return RoleGraph.compile(
        (Role(role.name, frozenset(direct.get(role.id, ())), role.grants) for role in found.values()),
        catalogue.values(),
        (
            (found[edge.senior_id].name, found[edge.junior_id].name)
            for edge in edges
            if edge.senior_id in found and edge.junior_id in found
        ),
    )


def _in_force(connection: Connection, table: Table, *columns: str) -> Sequence[Row[Any]]:
    return connection.execute(
        select(*(table.c[name] for name in columns)).where(table.c.valid_to.is_(None))
    ).all()


def find_subject(connection: Connection, user_id: str, at: datetime) -> tuple[Subject, str] | None:
    """The person as decisions see her, with assignments that count now or later, and her username."""
    user = connection.execute(_account(user_id)).first()
    return None if user is None else (_subject(connection, user, at), user.username)


def get_subject(connection: Connection, user_id: str, at: datetime) -> Subject:
    """The same, for somebody who is known to exist (a session or an account of hers was just read)."""
    return _subject(connection, connection.execute(_account(user_id)).one(), at)


def _account(user_id: str) -> Any:
    columns = (users.c.id, users.c.username, users.c.status, users.c.password_temporary)
    return select(*columns).where(users.c.id == user_id)


def _subject(connection: Connection, user: Row[Any], at: datetime) -> Subject:
    held = tuple(
        Assignment(row.name, row.valid_from, row.valid_to)
        for row in connection.execute(_assignments(user.id, at))
    )
    return Subject(user.id, user.status, held, user.password_temporary)


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
