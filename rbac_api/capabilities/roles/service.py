"""Roles: what they hold, what they inherit, and the guards on changing either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import end_role_assignments
from rbac_api.capabilities.constraints.service import constraints_on, require_constraints
from rbac_api.capabilities.domains.service import named_at_home, require_domain
from rbac_api.capabilities.permissions.service import find_permission
from rbac_api.capabilities.roles import queries
from rbac_api.capabilities.roles.answers import RoleAnswer
from rbac_api.capabilities.roles.built_in import is_role_as_built_in, reconcile_role
from rbac_api.capabilities.roles.errors import (
    GrantNotFound,
    InheritanceNotFound,
    RoleBuiltIn,
    RoleCycle,
    RoleInUse,
)
from rbac_api.capabilities.roles.homes import (
    at_home,
    is_readable,
    require_inheritable,
    unknown,
)
from rbac_api.capabilities.roles.rows import add_role, find_role, write
from rbac_api.database.queries import permissions
from rbac_api.database.queries import roles as reads
from rbac_api.database.queries.roles import RoleRow
from rbac_api.decision.domains import home_of
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.naming import ROLE
from rbac_api.formats.row_versions import require_match
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import note_authority_change
from rbac_api.trail.fields import changes, stated
from rbac_api.trail.recorder import Target

__all__ = [
    "add_role", "create_role", "delete_role", "describe", "disinherit_role", "find_role", "get_role",
    "grant_permission", "inherit_role", "is_role_as_built_in", "read_role", "reconcile_role",
    "require_inheritable", "update_role", "withdraw_permission",
]  # fmt: skip


def get_role(clearance: Clearance, name: str) -> tuple[RoleAnswer, int]:
    """One role and the row's version."""
    role, graph = find_role(clearance.connection, name), clearance.latest_graph()
    if name not in graph.roles:
        raise unknown(name)  # deleted at this very moment
    return describe(role, graph), role.version


def read_role(clearance: Clearance, name: str) -> tuple[RoleAnswer, int]:
    """The same for a caller who may read roles at a domain only: 404 also for a role of other homes."""
    if not is_readable(clearance, find_role(clearance.connection, name).home):
        raise unknown(name)
    return get_role(clearance, name)


def create_role(clearance: Clearance, body: Mapping[str, Any]) -> tuple[RoleAnswer, int]:
    """Create a role, which its home decides. 404 for an unknown permission, 403 ``escalation.denied`` for one
    that the caller does not hold there."""
    clearance, name = named_at_home(clearance, body, ROLE)
    require_domain(clearance, home_of(name))
    held = sorted(set(body.get("permissions", ())))
    found = _held_permissions(clearance, held)
    role = add_role(clearance, {**body, "name": name})
    for permission_id in found.values():
        queries.add_grant(clearance.connection, role.id, permission_id, role.valid_from)
    facts = {**stated("roles", role._asdict()), "permissions": held}
    clearance.record("role.created", Target("role", name, name), after=facts)
    return get_role(clearance, name)


def _held_permissions(clearance: Clearance, names: list[str]) -> dict[str, str]:
    """The ids of permissions that the caller holds. One who is asked at a domain only does not learn which
    others there are: they are at home at ``root``."""
    if not clearance.everywhere:
        clearance.require_held(names)
    found = {name: find_permission(clearance.connection, name).id for name in names}
    clearance.require_held(names)
    return found


def update_role(
    clearance: Clearance, name: str, tags: frozenset[str], body: Mapping[str, object]
) -> tuple[RoleAnswer, int]:
    """Change title, description and second-factor requirement. 409 for other fields of a built-in role, 412
    stale."""
    clearance, role = _changing(clearance, name)
    require_match(tags, describe(role, clearance.graph()), role.version)
    before, after = changes("roles", role._asdict(), {**role._asdict(), **body})
    _require_changeable(
        clearance, role, built_in_too=after.keys() <= {"requires_mfa"} and "requires_mfa" in body
    )
    if "requires_mfa" in after:
        clearance.require_outranks_holders([name])
    if after:
        affected = _affected(clearance, clearance.graph(), name) if "requires_mfa" in after else []
        write(clearance, role, after)
        note_authority_change(clearance.connection, clearance.settings, affected)
        clearance.record("role.updated", Target("role", name, name), before=before, after=after)
    return get_role(clearance, name)


def delete_role(clearance: Clearance, name: str, tags: frozenset[str], *, force: bool) -> None:
    """End a role. 409 ``role.in_use`` while held or inherited, unless forced: then every holder loses it,
    with an event each, and the caller must be allowed to act on each of them."""
    clearance, role = _changing(clearance, name)
    graph = clearance.graph()
    require_match(tags, describe(role, graph), role.version)
    _require_changeable(clearance, role)
    affected = _affected(clearance, graph, name)
    seniors = sorted(graph.direct_seniors[name])
    if named := constraints_on(clearance, name):
        raise RoleInUse(f"The role is part of {named[0]}. Delete that first; force does not help.")
    if (affected or seniors) and not force:
        raise RoleInUse()
    for senior in seniors:
        clearance.require_outranks(graph.effective[senior], f"The role {senior}")
    clearance.require_outranks_holders([name])
    before = {
        **stated("roles", role._asdict()),
        "permissions": sorted(graph.roles[name].permissions),
        "inherits": sorted(graph.juniors[name]),
    }
    holders = end_role_assignments(clearance, role.id, name)
    queries.end_all_edges(clearance.connection, role.id, clock.now())
    write(clearance, role, {"valid_to": clock.now()})
    note_authority_change(clearance.connection, clearance.settings, affected)
    clearance.record(
        "role.deleted", Target("role", name, name), before=before, after={"holders": len(holders)}
    )
    clearance.require_administrator_remains()
    require_constraints(clearance, users=affected, roles=graph.closures[name], losing=True)


def grant_permission(clearance: Clearance, name: str, permission: str) -> bool:
    """Add a permission to a role; returns whether it is new. The caller must hold it."""
    clearance, role = _changing(clearance, name)
    permission_id = _held_permissions(clearance, [permission])[permission]
    _require_changeable(clearance, role)
    clearance.require_outranks_holders([name])
    if not queries.add_grant(clearance.connection, role.id, permission_id, clock.now()):
        return False
    write(clearance, role, {})
    clearance.record("permission.granted", Target("role", name, name), after={"permission": permission})
    return True


def withdraw_permission(clearance: Clearance, name: str, permission: str) -> None:
    """Remove a permission from a role; 404 if the role does not hold it directly."""
    clearance, role = _changing(clearance, name)
    known = find_permission(clearance.connection, permission) if clearance.everywhere else None
    _require_changeable(clearance, role)
    clearance.require_outranks_holders([name])
    known = known or GrantNotFound.require(permissions.find_permission(clearance.connection, permission))
    if not queries.end_grant(clearance.connection, role.id, known.id, clock.now()):
        raise GrantNotFound()
    write(clearance, role, {})
    clearance.record("permission.withdrawn", Target("role", name, name), before={"permission": permission})


def inherit_role(clearance: Clearance, senior: str, junior: str) -> bool:
    """Let a role inherit another; whether that is new. Hands out all permissions of the junior. 409
    ``role.cycle``, and ``role.elsewhere`` for one that is not at home where the senior is, or above."""
    clearance, above = _changing(clearance, senior)
    below = _readable(clearance, junior)
    require_inheritable(senior, junior)
    graph = clearance.graph()
    clearance.require_held(graph.effective[junior])
    _require_changeable(clearance, above)
    clearance.require_outranks_holders([senior])
    if graph.would_close_cycle(senior, junior):
        raise RoleCycle()
    if not queries.add_inheritance(clearance.connection, above.id, below.id, clock.now()):
        return False
    write(clearance, above, {})
    note_authority_change(clearance.connection, clearance.settings, _affected(clearance, graph, senior))
    clearance.record("inheritance.created", Target("role", senior, senior), after={"inherits": junior})
    require_constraints(clearance, through=senior, roles=[junior])
    return True


def disinherit_role(clearance: Clearance, senior: str, junior: str) -> None:
    """End an inheritance; 404 if there is none directly between the two."""
    clearance, above = _changing(clearance, senior)
    below = _readable(clearance, junior)
    _require_changeable(clearance, above)
    clearance.require_outranks_holders([senior])
    affected = _affected(clearance, clearance.graph(), senior)
    if not queries.end_inheritance(clearance.connection, above.id, below.id, clock.now()):
        raise InheritanceNotFound()
    write(clearance, above, {})
    note_authority_change(clearance.connection, clearance.settings, affected)
    clearance.record("inheritance.ended", Target("role", senior, senior), before={"inherits": junior})
    clearance.require_administrator_remains()
    require_constraints(clearance, through=senior, roles=[junior], losing=True)


def _changing(clearance: Clearance, name: str) -> tuple[Clearance, RoleRow]:
    """The role, with the clearance at its home."""
    role = find_role(clearance.connection, name)
    return at_home(clearance, name, role.home), role


def _readable(clearance: Clearance, name: str) -> RoleRow:
    role = find_role(clearance.connection, name)
    if not clearance.everywhere and not is_readable(clearance, role.home):
        raise unknown(name)
    return role


def describe(row: RoleRow, graph: RoleGraph) -> RoleAnswer:
    """A role for the API."""
    return {
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "home": row.home,
        "system": row.system,
        "requires_mfa": row.requires_mfa,
        "permissions": sorted(direct_permissions(graph.roles[row.name], graph.permissions)),
        "inherits": sorted(graph.juniors[row.name]),
        "effective_permissions": sorted(graph.effective[row.name]),
        "created_at": row.valid_from,
        "updated_at": row.updated_at,
    }


def _require_changeable(clearance: Clearance, role: RoleRow, *, built_in_too: bool = False) -> None:
    """Check the caller first, then the role: a caller who is weaker than the role learns only that."""
    clearance.require_outranks(clearance.graph().effective[role.name], f"The role {role.name}")
    if role.system and not built_in_too:
        raise RoleBuiltIn()


def _affected(clearance: Clearance, graph: RoleGraph, name: str) -> list[str]:
    """Ids of the users who effectively hold the role."""
    role_ids = reads.list_role_ids(clearance.connection, graph.seniors(name))
    return queries.list_holder_ids(clearance.connection, role_ids, clock.now())
