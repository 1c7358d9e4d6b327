"""SQL for what the guard reads: the roles, a user, a session."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    select,
)

from rbac_api.database.tables import (
    assignments,
    client_secrets,
    roles,
    sessions,
    users,
)
from rbac_api.database.validity import not_over
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Role
from rbac_api.guard.state.queries_role_graph import compile_graph, list_columns


class SessionStateRow(NamedTuple):
    """A session as the guard needs it, and who issued the secret it was begun with, and when."""

    user_id: str
    ended_at: datetime | None
    client_id: str
    created_at: datetime
    amr: str
    active_roles: str | None
    issued_by: str | None
    issued_at: datetime | None


_SESSION_STATE = (
    select(
        sessions.c.user_id,
        sessions.c.ended_at,
        sessions.c.client_id,
        sessions.c.created_at,
        sessions.c.amr,
        sessions.c.active_roles,
        client_secrets.c.created_by.label("issued_by"),
        client_secrets.c.created_at.label("issued_at"),
    )
    .select_from(sessions.outerjoin(client_secrets, sessions.c.client_secret_id == client_secrets.c.id))
    .where(sessions.c.id == bindparam("session_id"))
)


def find_role_graph(connection: Connection) -> RoleGraph:
    """Return all roles in force, compiled."""
    rows = list_columns(connection, _open, roles, "id", "name", "grants", "requires_mfa")
    found = {row.id: Role(row.name, grants=row.grants, requires_mfa=row.requires_mfa) for row in rows}
    return compile_graph(connection, _open, found)


def _open(table: Table) -> ColumnElement[bool]:
    """The row has not ended; roles and what they hold end only when a change ends them."""
    return table.c.valid_to.is_(None)


def find_session_state(connection: Connection, session_id: str) -> SessionStateRow | None:
    """Return the user of a session, whether it has ended, and how it began."""
    row = connection.execute(_SESSION_STATE, {"session_id": session_id}).first()
    return SessionStateRow._make(row) if row else None


def list_administrators(
    connection: Connection, role_names: frozenset[str], at: datetime
) -> list[tuple[str, Assignment]]:
    """Return the assignments of these roles to enabled users who can sign in, with their ids: they keep the
    service governable."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).join(
        users, assignments.c.user_id == users.c.id
    )
    able = and_(
        users.c.status == "active", users.c.password_hash.is_not(None), assignments.c.mode == "active"
    )
    counts = not_over(assignments, at)
    columns = (assignments.c.user_id, roles.c.name, assignments.c.valid_from, assignments.c.valid_to)
    query = (
        select(*columns)
        .select_from(joined)
        .where(able, counts, roles.c.name.in_(role_names), roles.c.valid_to.is_(None))
    )
    return [
        (row.user_id, Assignment(row.name, row.valid_from, row.valid_to)) for row in connection.execute(query)
    ]
