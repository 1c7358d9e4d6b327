"""Reads roles by their names: those in force, and earlier ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.engine import batched
from rbac_api.database.filters import among
from rbac_api.database.tables import roles
from rbac_api.database.validity import in_force
from rbac_api.decision.model import Grants


class RoleRow(NamedTuple):
    """A role."""

    id: str
    name: str
    title: str | None
    description: str
    system: bool
    grants: Grants
    requires_mfa: bool
    version: int
    valid_from: datetime
    updated_at: datetime
    valid_to: datetime | None
    home: str


ROLE = tuple(roles.c[name] for name in RoleRow._fields)
_NAMED = (roles.c.name == bindparam("role"), roles.c.valid_to.is_(None))
_FIND_ROLE = select(*ROLE).where(*_NAMED)
_FIND_ID = select(roles.c.id).where(*_NAMED)


def find_role(connection: Connection, name: str) -> RoleRow | None:
    row = connection.execute(_FIND_ROLE, {"role": name}).first()
    return RoleRow._make(row) if row else None


def get_role_id(connection: Connection, name: str) -> str:
    """The id of a role that exists."""
    return str(connection.execute(_FIND_ID, {"role": name}).scalar_one())


def find_role_ids(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """Ids by name, for those that exist."""
    if not names:
        return {}
    named = select(roles.c.name, roles.c.id).where(among(roles.c.name, names), roles.c.valid_to.is_(None))
    return {row.name: row.id for row in connection.execute(named)}


def list_role_ids(connection: Connection, names: Collection[str]) -> list[str]:
    """The same without the names."""
    return list(find_role_ids(connection, names).values())


def list_role_ids_at(connection: Connection, names: Iterable[str], at: datetime) -> list[str]:
    """The ids of the roles that had these names at that moment."""
    found: list[str] = []
    for some in batched(names):
        named = select(roles.c.id).where(roles.c.name.in_(some), in_force(roles, at))
        found += connection.execute(named).scalars()
    return found
