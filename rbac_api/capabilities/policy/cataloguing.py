"""Creates, changes and deletes permissions in a ``State``, with the rules of the single change. Part of the
service."""

from __future__ import annotations

from rbac_api.capabilities.permissions.errors import PermissionBuiltIn, PermissionNameTaken
from rbac_api.capabilities.policy.outranking import require_outranks_holders
from rbac_api.capabilities.policy.state import State, Thing
from rbac_api.database.pending import NOW
from rbac_api.database.tables import permissions
from rbac_api.database.types import new_id
from rbac_api.decision.difference import Facts
from rbac_api.decision.model import Permission
from rbac_api.trail.fields import stated


def create_permission(state: State, facts: Facts) -> None:
    """Create a permission; a caller who holds all permissions holds this one too in later steps."""
    name = facts["name"]
    if state.permission_rows.is_taken(name):
        raise PermissionNameTaken()
    said = {"name": name, "title": facts.get("title") or None, "description": facts["description"]}
    row = {"id": new_id(), **said, "system": False}
    state.pending.add(permissions, {**row, "valid_from": NOW, "valid_to": None})
    state.permission_rows[name] = Thing(row["id"], facts["description"], said["title"])
    state.roles.add_permission(Permission(name))
    state.record_event("permission.created", "permission", name, after=stated("permissions", said))
    if state.holds_all:
        state.held.add(name)


def update_permission(state: State, facts: Facts) -> None:
    """Change title and description."""
    name, row = facts["name"], _permission_of_yours(state, facts["name"])
    before, after = reworded(row, facts["after"])
    state.pending.change(permissions, {"id": row.id}, after)
    state.record_event("permission.updated", "permission", name, before=before, after=after)


def reworded(row: Thing, wanted: Facts) -> tuple[Facts, Facts]:
    """The changed texts of a row, before and after; also sets them on the row."""
    present = {"title": row.title, "description": row.description}
    after = {key: value for key, value in wanted.items() if key in present and value != present[key]}
    row.title, row.description = after.get("title", row.title), after.get("description", row.description)
    return {key: present[key] for key in after}, after


def delete_permission(state: State, facts: Facts) -> None:
    """Delete a permission; the roles that hold it lose it."""
    name, row = facts["name"], _permission_of_yours(state, facts["name"])
    require_outranks_holders(state, state.roles.holders.get(name, ()))
    state.pending.change(permissions, {"id": row.id}, {"valid_to": NOW})
    del state.permission_rows[name]
    holders = state.roles.remove_permission(name)
    said = {"name": name, "title": row.title, "description": row.description}
    before = {**stated("permissions", said), "roles": holders}
    state.record_event("permission.deleted", "permission", name, before=before)


def _permission_of_yours(state: State, name: str) -> Thing:
    row = state.permission(name)
    if row.system:
        raise PermissionBuiltIn()
    state.clearance.require_outranks(frozenset({name}), name)
    return row
