"""Builds the roles from their rows: as they are for ``queries``, as they were for ``queries_history``.

``compile_graph`` reads all of them, ``read_changes`` only those that a change touches.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, select

from rbac_api.database.filters import among
from rbac_api.database.tables import (
    constraint_roles,
    constraints,
    permissions,
    role_inheritance,
    role_permissions,
    roles,
)
from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.decision.model import (
    Constraint,
    Permission,
    Role,
)

Counts = Callable[[Table], ColumnElement[bool]]  # which rows of a table with periods
Named = Callable[[Collection[str]], dict[str, Role]]  # roles of these names by id, without permissions


@dataclass(frozen=True, slots=True)
class Touched:
    """The names of the roles and permissions that a change touches, and whether it touches constraints."""

    roles: frozenset[str]
    permissions: frozenset[str]
    constraints: bool


def compile_graph(connection: Connection, counts: Counts, roles: Mapping[str, Role]) -> RoleGraph:
    """Compile roles, given by id and still without permissions, with what they hold, inherit and must not be
    combined with.

    The tables are read one by one and joined here, so that no bad query plan is possible.
    """
    catalogue = {
        row.id: Permission(row.name, row.system)
        for row in _list_columns(connection, counts, permissions, "id", "name", "system")
    }
    direct: dict[str, set[str]] = {}
    for grant in _list_columns(connection, counts, role_permissions, "role_id", "permission_id"):
        if grant.permission_id in catalogue:
            direct.setdefault(grant.role_id, set()).add(catalogue[grant.permission_id].name)
    edges = _list_columns(connection, counts, role_inheritance, "senior_id", "junior_id")
    return RoleGraph.compile(
        (replace(role, permissions=frozenset(direct.get(role_id, ()))) for role_id, role in roles.items()),
        catalogue.values(),
        (
            (roles[edge.senior_id].name, roles[edge.junior_id].name)
            for edge in edges
            if edge.senior_id in roles and edge.junior_id in roles
        ),
        _constraints(connection, counts),
    )


def read_changes(
    connection: Connection, counts: Counts, graph: RoleGraph, touched: Touched, named: Named
) -> RoleChanges:
    """Read what the change touches: also the roles that hold a permission, the roles that inherit a role
    which begins, and the constraints where a role begins or ends."""
    catalogue = _catalogue(connection, counts, touched.permissions)
    names = touched.roles | _list_holders(connection, counts, catalogue)
    found = named(names) if names else {}
    begun = [key for key, role in found.items() if role.name not in graph.roles]
    if begun and (seniors := _list_seniors(connection, counts, begun) - names):
        found |= named(seniors)
    held = _by_role(connection, _granted(counts), role_permissions.c.role_id, found)
    below = _by_role(connection, _inherited(counts), role_inheritance.c.senior_id, found)
    names |= {role.name for role in found.values()}
    present = {role.name: replace(role, permissions=held[key]) for key, role in found.items()}
    changed = touched.constraints or begun or (names & graph.roles.keys()) - present.keys()
    return RoleChanges(
        {**dict.fromkeys(names), **present},
        {role.name: below[key] for key, role in found.items()},
        {**dict.fromkeys(touched.permissions), **catalogue},
        _constraints(connection, counts) if changed else None,
    )


def _granted(counts: Counts) -> Select[Any]:
    joined = role_permissions.join(permissions, role_permissions.c.permission_id == permissions.c.id)
    held = select(role_permissions.c.role_id, permissions.c.name).select_from(joined)
    return held.where(counts(role_permissions), counts(permissions))


def _inherited(counts: Counts) -> Select[Any]:
    joined = role_inheritance.join(roles, role_inheritance.c.junior_id == roles.c.id)
    below = select(role_inheritance.c.senior_id, roles.c.name).select_from(joined)
    return below.where(counts(role_inheritance), counts(roles))


def _by_role(
    connection: Connection, query: Select[Any], column: Column[Any], role_ids: Collection[str]
) -> dict[str, frozenset[str]]:
    """Return the names that the query finds for each of these roles."""
    found: dict[str, set[str]] = {role_id: set() for role_id in role_ids}
    if found:
        for role_id, name in connection.execute(query.where(among(column, found))):
            found[role_id].add(name)
    return {role_id: frozenset(names) for role_id, names in found.items()}


def _list_holders(connection: Connection, counts: Counts, names: Collection[str]) -> set[str]:
    """Return the names of the roles that directly hold one of these permissions: ending one, and beginning it
    again, leaves the grants as they are."""
    if not names:
        return set()
    joined = role_permissions.join(roles, role_permissions.c.role_id == roles.c.id)
    joined = joined.join(permissions, role_permissions.c.permission_id == permissions.c.id)
    held = select(roles.c.name).distinct().select_from(joined).where(among(permissions.c.name, names))
    counting = (counts(role_permissions), counts(permissions), counts(roles))
    return set(connection.execute(held.where(*counting)).scalars())


def _list_seniors(connection: Connection, counts: Counts, role_ids: Collection[str]) -> set[str]:
    """Return the names of the roles that directly inherit one of these."""
    joined = role_inheritance.join(roles, role_inheritance.c.senior_id == roles.c.id)
    above = select(roles.c.name).select_from(joined).where(counts(role_inheritance), counts(roles))
    return set(connection.execute(above.where(among(role_inheritance.c.junior_id, role_ids))).scalars())


def _catalogue(connection: Connection, counts: Counts, names: Collection[str]) -> dict[str, Permission]:
    if not names:
        return {}
    some = select(permissions.c.name, permissions.c.system)
    rows = connection.execute(some.where(among(permissions.c.name, names), counts(permissions)))
    return {row.name: Permission(row.name, row.system) for row in rows}


def _list_columns(connection: Connection, counts: Counts, table: Table, *columns: str) -> Sequence[Row[Any]]:
    """Return these columns of the rows that count."""
    return connection.execute(select(*(table.c[name] for name in columns)).where(counts(table))).all()


def _constraints(connection: Connection, counts: Counts) -> list[Constraint]:
    """Return the constraints, each with those of its roles that exist, in its order."""
    members: dict[str, list[str]] = {}
    joined = constraint_roles.join(roles, constraint_roles.c.role_id == roles.c.id)
    listed = select(constraint_roles.c.constraint_id, roles.c.name).select_from(joined).where(counts(roles))
    for row in connection.execute(listed.order_by(constraint_roles.c.position)):
        members.setdefault(row.constraint_id, []).append(row.name)
    return [
        Constraint(row.name, row.kind, tuple(members.get(row.id, ())), row.cardinality)
        for row in _list_columns(connection, counts, constraints, "id", "name", "kind", "cardinality")
    ]
