"""SQL for what the guard reads: the roles, a user, a session."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    select,
)

from rbac_api.database.filters import among
from rbac_api.database.tables import (
    assignments,
    client_secrets,
    roles,
    sessions,
    users,
)
from rbac_api.database.validity import not_over
from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Role
from rbac_api.guard.state.queries_role_graph import Touched, compile_graph, read_changes
from rbac_api.trail.feed import newest_seq


class SessionStateRow(NamedTuple):
    """A session as the guard needs it, and who issued the secret it was begun with, and when."""

    user_id: str
    ended_at: datetime | None
    client_id: str
    created_at: datetime
    amr: str
    active_roles: str | None
    domain: str
    issued_by: str | None
    issued_at: datetime | None


_ROLE = (roles.c.id, roles.c.name, roles.c.grants, roles.c.requires_mfa)
_SESSION_STATE = (
    select(
        sessions.c.user_id,
        sessions.c.ended_at,
        sessions.c.client_id,
        sessions.c.created_at,
        sessions.c.amr,
        sessions.c.active_roles,
        sessions.c.domain,
        client_secrets.c.created_by.label("issued_by"),
        client_secrets.c.created_at.label("issued_at"),
    )
    .select_from(sessions.outerjoin(client_secrets, sessions.c.client_secret_id == client_secrets.c.id))
    .where(sessions.c.id == bindparam("session_id"))
)


def find_role_graph(connection: Connection) -> RoleGraph:
    """Return all roles in force, compiled, as of the trail's end; ``connection`` sees the rows of one
    moment."""
    rows = connection.execute(select(*_ROLE).where(_open(roles)))
    graph = compile_graph(connection, _open, {row.id: _role(row) for row in rows})
    return replace(graph, revision=newest_seq(connection))


def find_role_changes(connection: Connection, graph: RoleGraph, touched: Touched) -> RoleChanges:
    """Return these roles and permissions as they are now, to change the graph with."""

    def named(names: Collection[str]) -> dict[str, Role]:
        some = select(*_ROLE).where(among(roles.c.name, names), _open(roles))
        return {row.id: _role(row) for row in connection.execute(some)}

    return read_changes(connection, _open, graph, touched, named)


def _role(row: Any) -> Role:
    return Role(row.name, grants=row.grants, requires_mfa=row.requires_mfa)


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
        users.c.status == "active",
        users.c.password_hash.is_not(None),
        assignments.c.mode == "active",
        assignments.c.domain == ROOT,  # an administrator of one domain keeps nothing else governable
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
