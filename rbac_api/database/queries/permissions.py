"""Reads permissions in force by their names."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.tables import permissions


class PermissionRow(NamedTuple):
    """A permission."""

    id: str
    name: str
    title: str | None
    description: str
    system: bool
    valid_from: datetime
    valid_to: datetime | None


PERMISSION = tuple(permissions.c[name] for name in PermissionRow._fields)
_FIND_PERMISSION = select(*PERMISSION).where(
    permissions.c.name == bindparam("permission"), permissions.c.valid_to.is_(None)
)


def find_permission(connection: Connection, name: str) -> PermissionRow | None:
    row = connection.execute(_FIND_PERMISSION, {"permission": name}).first()
    return PermissionRow._make(row) if row else None
