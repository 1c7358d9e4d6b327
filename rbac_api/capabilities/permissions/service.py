"""Permissions: lists, creates and deletes them."""

from __future__ import annotations

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.permissions import queries
from rbac_api.capabilities.permissions.answers import PermissionAnswer
from rbac_api.capabilities.permissions.errors import (
    PermissionBuiltIn,
    PermissionInUse,
    PermissionNameTaken,
    PermissionNotFound,
)
from rbac_api.database.queries import permissions as reads
from rbac_api.database.queries.permissions import PermissionRow
from rbac_api.database.types import new_id
from rbac_api.formats.paging import NamedFilters, Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.fields import stated
from rbac_api.trail.recorder import Target


def list_permissions(
    clearance: Clearance, filters: NamedFilters, page: PageRequest
) -> Page[PermissionAnswer]:
    """All permissions, by name."""
    text = filters.get("q")
    rows = queries.list_permissions(clearance.connection, page.after, page.limit + 1, text)
    total = queries.count_permissions(clearance.connection, text) if page.count else None
    return cut(rows, page, lambda row: (row.name,), total).map(describe)


def get_permission(clearance: Clearance, name: str) -> PermissionAnswer:
    """One permission by its name."""
    return describe(find_permission(clearance.connection, name))


def create_permission(
    clearance: Clearance, name: str, description: str, *, title: str | None = None, system: bool = False
) -> PermissionAnswer:
    """Create a permission. Only administrators hold it until it is added to a role."""
    if queries.is_name_taken(clearance.connection, name):
        raise PermissionNameTaken()
    row = {
        "id": new_id(),
        "name": name,
        "title": title or None,
        "description": description,
        "system": system,
        "valid_from": clock.now(),
        "valid_to": None,
    }
    queries.add_permission(clearance.connection, row)
    made = find_permission(clearance.connection, name)
    clearance.record(
        "permission.created", Target("permission", name, name), after=stated("permissions", made._asdict())
    )
    return describe(made)


def delete_permission(clearance: Clearance, name: str, *, force: bool) -> None:
    """End a permission. 409 for a built-in one, and ``permission.in_use`` while a role holds it directly,
    unless forced.

    Forced: every role loses it on the next request. 403 ``target.stronger`` if one of their holders holds
    more than the caller.
    """
    permission = find_permission(clearance.connection, name)
    if permission.system:
        raise PermissionBuiltIn()
    clearance.require_outranks(frozenset({name}), name)
    holders = sorted(role.name for role in clearance.graph().roles.values() if name in role.permissions)
    if holders and not force:
        raise PermissionInUse(_in_use(name, holders))
    clearance.require_outranks_holders(holders)
    queries.end_permission(clearance.connection, permission.id, clock.now())
    before = {**stated("permissions", permission._asdict()), "roles": holders}
    clearance.record("permission.deleted", Target("permission", name, name), before=before)


def _in_use(name: str, holders: list[str]) -> str:
    held = f"{holders[0]} and {len(holders) - 1} more hold" if len(holders) > 1 else f"{holders[0]} holds"
    return f"{held} {name}. Remove it from the roles first, or repeat with ?force=true."


def find_permission(connection: Connection, name: str) -> PermissionRow:
    """The row; 404 for an unknown or deleted permission."""
    permission = reads.find_permission(connection, name)
    if permission is None:
        raise PermissionNotFound(f"There is no permission {name}. List them with GET /v1/permissions.")
    return permission


def is_permission_as_built_in(clearance: Clearance, name: str, description: str) -> bool:
    """Whether ``reconcile_permission`` would change nothing; only reads."""
    found = reads.find_permission(clearance.connection, name)
    return found is not None and (found.system, found.description) == (True, description)


def reconcile_permission(clearance: Clearance, name: str, description: str) -> bool:
    """Make sure that one of this service's own permissions exists as described; returns whether anything
    changed.

    One that was ended, which only a direct change of the database can do, is revived: its roles still hold
    it.
    """
    connection = clearance.connection
    revived = reads.find_permission(connection, name) is None and queries.revive_permission(connection, name)
    present = reads.find_permission(connection, name)
    if present is None:
        create_permission(clearance, name, description, system=True)
        return True
    wanted = {"system": True, "description": description, "ended": False}
    before = {**present._asdict(), "ended": revived}
    before = {key: before[key] for key in wanted}
    if before == wanted:
        return False
    queries.update_permission(connection, present.id, {"system": True, "description": description})
    clearance.record(
        "permission.updated",
        Target("permission", name, name),
        reason="restored to what is built in",
        before=before,
        after=wanted,
    )
    return True


def describe(row: PermissionRow) -> PermissionAnswer:
    """A permission for the API."""
    return {
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "system": row.system,
        "created_at": row.valid_from,
    }
