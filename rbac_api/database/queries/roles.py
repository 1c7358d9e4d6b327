"""Roles in force by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.searching import among
from rbac_api.database.tables import roles

_FIND_ID = select(roles.c.id).where(roles.c.name == bindparam("role"), roles.c.valid_to.is_(None))


def find_role_id(connection: Connection, name: str) -> str | None:
    return connection.execute(_FIND_ID, {"role": name}).scalar()


def get_role_id(connection: Connection, name: str) -> str:
    """Of one that exists."""
    return str(connection.execute(_FIND_ID, {"role": name}).scalar_one())


def find_role_ids(connection: Connection, names: Collection[str]) -> dict[str, str]:
    """Ids by name, of those that exist."""
    named = select(roles.c.name, roles.c.id).where(among(roles.c.name, names), roles.c.valid_to.is_(None))
    return {row.name: row.id for row in connection.execute(named)} if names else {}


def list_role_ids(connection: Connection, names: Iterable[str]) -> list[str]:
    """The ids alone, in the order of the names."""
    found = find_role_ids(connection, set(names))
    return [found[name] for name in sorted(found)]
