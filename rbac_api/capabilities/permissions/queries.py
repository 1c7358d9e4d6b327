"""SQL for permissions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, Connection, insert, select, update

from rbac_api.capabilities.permissions.errors import PermissionNameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.filters import naming
from rbac_api.database.folding import is_named
from rbac_api.database.queries.permissions import PERMISSION, PermissionRow
from rbac_api.database.tables import permissions

SEARCHED = ("name", "title", "description")

register_constraint("uq_permissions_name_open", PermissionNameTaken)
register_constraint("uq_permissions_name_folded", PermissionNameTaken)


def is_name_taken(connection: Connection, name: str) -> bool:
    """Whether a permission in force has this name, or one that differs from it only by case."""
    taken = select(permissions.c.id).where(
        is_named(permissions.c.name, name), permissions.c.valid_to.is_(None)
    )
    return connection.execute(taken).first() is not None


def add_permission(connection: Connection, values: Mapping[str, object]) -> None:
    connection.execute(insert(permissions).values(values))


def update_permission(connection: Connection, permission_id: str, values: dict[str, object]) -> None:
    connection.execute(update(permissions).where(permissions.c.id == permission_id).values(values))


def revive_permission(connection: Connection, name: str) -> bool:
    """Put the newest ended built-in permission with this name in force again; returns whether there was
    one."""
    ended = (permissions.c.name == name, permissions.c.system, permissions.c.valid_to.is_not(None))
    newest = select(permissions.c.id).where(*ended).order_by(permissions.c.valid_to.desc()).limit(1)
    revived = update(permissions).where(permissions.c.id == newest.scalar_subquery()).values(valid_to=None)
    return connection.execute(revived).rowcount == 1


def end_permission(connection: Connection, permission_id: str, now: datetime) -> None:
    connection.execute(update(permissions).where(permissions.c.id == permission_id).values(valid_to=now))


def list_permissions(
    connection: Connection, after: tuple[object, ...] | None, limit: int, text: str | None
) -> list[PermissionRow]:
    """Permissions by name; with a text those that contain it in name, title or description."""
    query = select(*PERMISSION).where(_open()).order_by(permissions.c.name)
    query = query.where(permissions.c.name > after[0]) if after else query
    rows = connection.execute(query if text else query.limit(limit))
    return [PermissionRow._make(row) for row in islice(naming(rows, text, *SEARCHED), limit)]


def count_permissions(connection: Connection, text: str | None) -> int:
    """The number of the same."""
    named = select(*(permissions.c[name] for name in SEARCHED)).where(_open())
    return sum(1 for _ in naming(connection.execute(named), text, *SEARCHED))


def _open() -> ColumnElement[bool]:
    return permissions.c.valid_to.is_(None)
