"""Finds, adds and changes the rows of roles. Part of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.roles import queries
from rbac_api.capabilities.roles.errors import RoleNameTaken
from rbac_api.capabilities.roles.homes import unknown
from rbac_api.database.queries import roles as reads
from rbac_api.database.queries.roles import RoleRow
from rbac_api.database.types import new_id
from rbac_api.decision.domains import home_of
from rbac_api.decision.model import Grants
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.guard.enforcement.clearance import Clearance


def find_role(connection: Connection, name: str) -> RoleRow:
    """The row; 404 for an unknown or deleted role."""
    role = reads.find_role(connection, name)
    if role is None:
        raise unknown(name)
    return role


def add_role(clearance: Clearance, facts: Mapping[str, Any], *, grants: Grants | None = None) -> RoleRow:
    """Write only the row; the caller records it. One with ``grants`` is built in. 409 if the name is in
    use."""
    name = facts["name"]
    if queries.is_name_taken(clearance.connection, name):
        raise RoleNameTaken()
    now = clock.now()
    row = {
        "id": new_id(),
        "name": name,
        "title": facts.get("title") or None,
        "description": facts.get("description", ""),
        "system": grants is not None,
        "grants": grants or "listed",
        "requires_mfa": facts.get("requires_mfa", False),
        "version": 1,
        "valid_from": now,
        "updated_at": now,
        "home": home_of(name),
    }
    queries.add_role(clearance.connection, row)
    return find_role(clearance.connection, name)


def write(clearance: Clearance, role: RoleRow, values: dict[str, object]) -> None:
    """Change the row, and give it a new version; 412 if it was changed meanwhile."""
    if not queries.update_role(
        clearance.connection, role.id, role.version, {**values, "updated_at": clock.now()}
    ):
        raise PreconditionFailed()
