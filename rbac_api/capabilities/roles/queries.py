"""SQL for roles, their permissions and their inheritance."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, Table, and_, insert, or_, select, true, update

from rbac_api.capabilities.roles.errors import RoleNameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.filters import among, naming
from rbac_api.database.folding import is_named
from rbac_api.database.homes import at_home
from rbac_api.database.queries.roles import ROLE, RoleRow
from rbac_api.database.tables import (
    assignments,
    role_inheritance,
    role_permissions,
    roles,
    users,
)
from rbac_api.database.types import new_id
from rbac_api.database.validity import not_over
from rbac_api.decision.domains import lineage
from rbac_api.decision.model import ROOT

# A text, the names that come into question (None: all), and which roles the caller may read
Which = tuple[str | None, Collection[str] | None, ColumnElement[bool]]
SEARCHED = ("name", "title", "description")

register_constraint("uq_roles_name_open", RoleNameTaken)
register_constraint("uq_roles_name_folded", RoleNameTaken)


def is_name_taken(connection: Connection, name: str) -> bool:
    """Whether a role in force has this name, or one that differs from it only by case."""
    taken = select(roles.c.id).where(is_named(roles.c.name, name), roles.c.valid_to.is_(None))
    return connection.execute(taken).first() is not None


def add_role(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(roles).values(values))


def update_role(connection: Connection, role_id: str, version: int, values: dict[str, object]) -> bool:
    """Change the row if it still has that version; check and write are one statement."""
    changed = update(roles).where(
        roles.c.id == role_id, roles.c.version == version, roles.c.valid_to.is_(None)
    )
    return connection.execute(changed.values(**values, version=version + 1)).rowcount == 1


def readable(connection: Connection, domains: tuple[str, ...]) -> ColumnElement[bool]:
    """The role is at home in one of these domains, or above one."""
    if ROOT in domains:
        return true()
    above = {place for domain in domains for place in lineage(domain)}
    return or_(at_home(connection, roles, domains), among(roles.c.home, above))


def list_roles(
    connection: Connection, after: tuple[object, ...] | None, limit: int, which: Which
) -> list[RoleRow]:
    """Roles by name; with a text those that contain it in name, title or description."""
    text, named, readable = which
    open_ones = select(*ROLE).where(roles.c.valid_to.is_(None), readable, *_among(named))
    query = open_ones.order_by(roles.c.name)
    query = query.where(roles.c.name > after[0]) if after else query
    rows = connection.execute(query if text else query.limit(limit))
    return [RoleRow._make(row) for row in islice(naming(rows, text, *SEARCHED), limit)]


def count_roles(connection: Connection, which: Which) -> int:
    """The number of the same."""
    text, named, readable = which
    among_these = (roles.c.valid_to.is_(None), readable, *_among(named))
    found = select(*(roles.c[name] for name in SEARCHED)).where(*among_these)
    return sum(1 for _ in naming(connection.execute(found), text, *SEARCHED))


def _among(named: Collection[str] | None) -> list[ColumnElement[bool]]:
    return [] if named is None else [among(roles.c.name, named)]


def add_grant(connection: Connection, role_id: str, permission_id: str, now: datetime) -> bool:
    """Add an edge unless one is in force; returns whether it is new."""
    return _open_edge(connection, role_permissions, {"role_id": role_id, "permission_id": permission_id}, now)


def end_grant(connection: Connection, role_id: str, permission_id: str, now: datetime) -> bool:
    """End an edge in force; returns whether there was one."""
    ended = _joins(role_permissions, {"role_id": role_id, "permission_id": permission_id})
    return _end_edges(connection, role_permissions, ended, now) == 1


def add_inheritance(connection: Connection, senior_id: str, junior_id: str, now: datetime) -> bool:
    return _open_edge(connection, role_inheritance, {"senior_id": senior_id, "junior_id": junior_id}, now)


def end_inheritance(connection: Connection, senior_id: str, junior_id: str, now: datetime) -> bool:
    ended = _joins(role_inheritance, {"senior_id": senior_id, "junior_id": junior_id})
    return _end_edges(connection, role_inheritance, ended, now) == 1


def revive_role(connection: Connection, name: str) -> bool:
    """Put the newest ended built-in role with this name in force again; returns whether there was one."""
    ended = (roles.c.name == name, roles.c.system, roles.c.valid_to.is_not(None))
    newest = select(roles.c.id).where(*ended).order_by(roles.c.valid_to.desc()).limit(1).scalar_subquery()
    return connection.execute(update(roles).where(roles.c.id == newest).values(valid_to=None)).rowcount == 1


def inherits_any(connection: Connection, role_id: str) -> bool:
    """Whether the role inherits another."""
    edge = role_inheritance.c
    mine = select(edge.id).where(edge.senior_id == role_id, edge.valid_to.is_(None))
    return connection.execute(mine.limit(1)).first() is not None


def end_juniors(connection: Connection, role_id: str, now: datetime) -> list[str]:
    """End all inheritances of the role; returns the names of the inherited roles."""
    edge = role_inheritance.c
    mine = and_(edge.senior_id == role_id, edge.valid_to.is_(None))
    below = list(connection.execute(select(edge.junior_id).where(mine)).scalars())
    _end_edges(connection, role_inheritance, mine, now)
    return sorted(connection.execute(select(roles.c.name).where(roles.c.id.in_(below))).scalars())


def end_all_edges(connection: Connection, role_id: str, now: datetime) -> None:
    """End everything the role holds, inherits and is inherited by."""
    _end_edges(connection, role_permissions, role_permissions.c.role_id == role_id, now)
    _end_edges(connection, role_inheritance, role_inheritance.c.senior_id == role_id, now)
    _end_edges(connection, role_inheritance, role_inheritance.c.junior_id == role_id, now)


def list_holder_ids(connection: Connection, role_ids: list[str], now: datetime) -> list[str]:
    """The ids of users who are assigned one of these roles, now or later."""
    still = not_over(assignments, now)
    joined = assignments.join(users, assignments.c.user_id == users.c.id)
    query = select(users.c.id).distinct().select_from(joined)
    return list(connection.execute(query.where(assignments.c.role_id.in_(role_ids), still)).scalars())


def _joins(table: Table, pair: dict[str, str]) -> ColumnElement[bool]:
    return and_(*(table.c[column] == value for column, value in pair.items()))


def _open_edge(connection: Connection, table: Table, pair: dict[str, str], now: datetime) -> bool:
    same = select(table.c.id).where(_joins(table, pair), table.c.valid_to.is_(None))
    if connection.execute(same).first():
        return False
    connection.execute(insert(table).values(id=new_id(), valid_from=now, **pair))
    return True


def _end_edges(connection: Connection, table: Table, condition: ColumnElement[bool], now: datetime) -> int:
    return connection.execute(
        update(table).where(condition, table.c.valid_to.is_(None)).values(valid_to=now)
    ).rowcount
