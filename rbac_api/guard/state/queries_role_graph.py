"""Builds the roles from their rows: as they are for ``queries``, as they were for ``queries_history``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, select

from rbac_api.database.tables import (
    constraint_roles,
    constraints,
    permissions,
    role_inheritance,
    role_permissions,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    Constraint,
    Permission,
    Role,
)

Counts = Callable[[Table], ColumnElement[bool]]  # which rows of a table with periods


def compile_graph(connection: Connection, counts: Counts, roles: Mapping[str, Role]) -> RoleGraph:
    """Compile roles, given by id and still without permissions, with what they hold, inherit and must not be
    combined with.

    The tables are read one by one and joined here, so that no bad query plan is possible.
    """
    catalogue = {
        row.id: Permission(row.name, row.system)
        for row in list_columns(connection, counts, permissions, "id", "name", "system")
    }
    direct: dict[str, set[str]] = {}
    for grant in list_columns(connection, counts, role_permissions, "role_id", "permission_id"):
        if grant.permission_id in catalogue:
            direct.setdefault(grant.role_id, set()).add(catalogue[grant.permission_id].name)
    edges = list_columns(connection, counts, role_inheritance, "senior_id", "junior_id")
    return RoleGraph.compile(
        (replace(role, permissions=frozenset(direct.get(role_id, ()))) for role_id, role in roles.items()),
        catalogue.values(),
        (
            (roles[edge.senior_id].name, roles[edge.junior_id].name)
            for edge in edges
            if edge.senior_id in roles and edge.junior_id in roles
        ),
        _constraints(connection, counts, roles),
    )


def list_columns(connection: Connection, counts: Counts, table: Table, *columns: str) -> Sequence[Row[Any]]:
    """Return these columns of the rows that count."""
    return connection.execute(select(*(table.c[name] for name in columns)).where(counts(table))).all()


def _constraints(connection: Connection, counts: Counts, roles: Mapping[str, Role]) -> list[Constraint]:
    """Return the constraints, each with those of its roles that exist, in its order."""
    members: dict[str, list[str]] = {}
    columns = (constraint_roles.c.constraint_id, constraint_roles.c.role_id)
    for row in connection.execute(select(*columns).order_by(constraint_roles.c.position)):
        if row.role_id in roles:
            members.setdefault(row.constraint_id, []).append(roles[row.role_id].name)
    return [
        Constraint(row.name, row.kind, tuple(members.get(row.id, ())), row.cardinality)
        for row in list_columns(connection, counts, constraints, "id", "name", "kind", "cardinality")
    ]
