"""Roles: what they hold, what they inherit, and the guards on changing either."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.assignments.service import end_role_assignments
from rbac_api.capabilities.constraints.service import constraints_on, require_constraints
from rbac_api.capabilities.permissions.service import find_permission
from rbac_api.capabilities.roles import queries
from rbac_api.capabilities.roles.answers import RoleAnswer
from rbac_api.capabilities.roles.errors import (
    GrantNotFound,
    InheritanceNotFound,
    RoleBuiltIn,
    RoleCycle,
    RoleInUse,
    RoleNameTaken,
)
from rbac_api.capabilities.roles.homes import is_readable
from rbac_api.database.queries import roles as reads
from rbac_api.database.queries.roles import RoleRow
from rbac_api.database.types import new_id
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import Grants
from rbac_api.decision.naming import ROLE
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.formats.row_versions import require_match
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.revocation.denylist import note_authority_change
from rbac_api.trail.fields import changes, stated
from rbac_api.trail.recorder import Target


def get_role(clearance: Clearance, name: str) -> tuple[RoleAnswer, int]:
    """One role and the row's version."""
    role, graph = find_role(clearance.connection, name), clearance.latest_graph()
    if name not in graph.roles:
        raise _unknown(name)  # deleted at this very moment
    return describe(role, graph), role.version


def read_role(clearance: Clearance, name: str) -> tuple[RoleAnswer, int]:
    """The same for a caller who may read roles at a domain only: 404 also for a role of other homes."""
    if not is_readable(clearance, find_role(clearance.connection, name).home):
        raise _unknown(name)
    return get_role(clearance, name)


def create_role(clearance: Clearance, body: Mapping[str, Any]) -> tuple[RoleAnswer, int]:
    """Create a role. 404 for an unknown permission, 403 ``escalation.denied`` for one the caller does not
    hold."""
    name, permissions = body["name"], sorted(set(body.get("permissions", ())))
    found = {permission: find_permission(clearance.connection, permission).id for permission in permissions}
    clearance.require_held(permissions)
    role = add_role(clearance, body)
    for permission_id in found.values():
        queries.add_grant(clearance.connection, role.id, permission_id, role.valid_from)
    facts = {**stated("roles", role._asdict()), "permissions": permissions}
    clearance.record("role.created", Target("role", name, name), after=facts)
    return get_role(clearance, name)


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
    }
    queries.add_role(clearance.connection, row)
    return find_role(clearance.connection, name)


def update_role(
    clearance: Clearance, name: str, tags: frozenset[str], body: Mapping[str, object]
) -> tuple[RoleAnswer, int]:
    """Change title, description and second-factor requirement. 409 for other fields of a built-in role, 412
    stale."""
    role = find_role(clearance.connection, name)
    require_match(tags, describe(role, clearance.graph()), role.version)
    before, after = changes("roles", role._asdict(), {**role._asdict(), **body})
    _require_changeable(
        clearance, role, built_in_too=after.keys() <= {"requires_mfa"} and "requires_mfa" in body
    )
    if "requires_mfa" in after:
        clearance.require_outranks_holders([name])
    if after:
        affected = _affected(clearance, clearance.graph(), name) if "requires_mfa" in after else []
        _write(clearance, role, after)
        note_authority_change(clearance.connection, clearance.settings, affected)
        clearance.record("role.updated", Target("role", name, name), before=before, after=after)
    return get_role(clearance, name)


def delete_role(clearance: Clearance, name: str, tags: frozenset[str], *, force: bool) -> None:
    """End a role. 409 ``role.in_use`` while held or inherited, unless forced: then every holder loses it,
    with an event each, and the caller must be allowed to act on each of them."""
    role = find_role(clearance.connection, name)
    graph = clearance.graph()
    require_match(tags, describe(role, graph), role.version)
    _require_changeable(clearance, role)
    affected = _affected(clearance, graph, name)
    seniors = sorted(graph.direct_seniors[name])
    if named := constraints_on(clearance, name):
        raise RoleInUse(
            f"The role is part of the constraint {named[0]}. Delete that first; force does not help."
        )
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
    _write(clearance, role, {"valid_to": clock.now()})
    note_authority_change(clearance.connection, clearance.settings, affected)
    clearance.record(
        "role.deleted", Target("role", name, name), before=before, after={"holders": len(holders)}
    )
    clearance.require_administrator_remains()
    require_constraints(clearance, users=affected, roles=graph.closures[name], losing=True)


def grant_permission(clearance: Clearance, name: str, permission: str) -> bool:
    """Add a permission to a role; returns whether it is new. The caller must hold it."""
    role = find_role(clearance.connection, name)
    permission_id = find_permission(clearance.connection, permission).id
    clearance.require_held((permission,))
    _require_changeable(clearance, role)
    clearance.require_outranks_holders([name])
    if not queries.add_grant(clearance.connection, role.id, permission_id, clock.now()):
        return False
    _write(clearance, role, {})
    clearance.record("permission.granted", Target("role", name, name), after={"permission": permission})
    return True


def withdraw_permission(clearance: Clearance, name: str, permission: str) -> None:
    """Remove a permission from a role; 404 if the role does not hold it directly."""
    role = find_role(clearance.connection, name)
    permission_id = find_permission(clearance.connection, permission).id
    _require_changeable(clearance, role)
    clearance.require_outranks_holders([name])
    if not queries.end_grant(clearance.connection, role.id, permission_id, clock.now()):
        raise GrantNotFound()
    _write(clearance, role, {})
    clearance.record("permission.withdrawn", Target("role", name, name), before={"permission": permission})


def inherit_role(clearance: Clearance, senior: str, junior: str) -> bool:
    """Let a role inherit another; whether that is new. Hands out all permissions of the junior. 409
    ``role.cycle``."""
    above, below = find_role(clearance.connection, senior), find_role(clearance.connection, junior)
    graph = clearance.graph()
    clearance.require_held(graph.effective[junior])
    _require_changeable(clearance, above)
    clearance.require_outranks_holders([senior])
    if graph.would_close_cycle(senior, junior):
        raise RoleCycle()
    if not queries.add_inheritance(clearance.connection, above.id, below.id, clock.now()):
        return False
    _write(clearance, above, {})
    note_authority_change(clearance.connection, clearance.settings, _affected(clearance, graph, senior))
    clearance.record("inheritance.created", Target("role", senior, senior), after={"inherits": junior})
    require_constraints(clearance, through=senior, roles=[junior])
    return True


def disinherit_role(clearance: Clearance, senior: str, junior: str) -> None:
    """End an inheritance; 404 if there is none directly between the two."""
    above, below = find_role(clearance.connection, senior), find_role(clearance.connection, junior)
    _require_changeable(clearance, above)
    clearance.require_outranks_holders([senior])
    affected = _affected(clearance, clearance.graph(), senior)
    if not queries.end_inheritance(clearance.connection, above.id, below.id, clock.now()):
        raise InheritanceNotFound()
    _write(clearance, above, {})
    note_authority_change(clearance.connection, clearance.settings, affected)
    clearance.record("inheritance.ended", Target("role", senior, senior), before={"inherits": junior})
    clearance.require_administrator_remains()
    require_constraints(clearance, through=senior, roles=[junior], losing=True)


def is_role_as_built_in(clearance: Clearance, name: str, description: str, grants: Grants) -> bool:
    """Whether ``reconcile_role`` would change nothing; only reads."""
    connection = clearance.connection
    found = reads.find_role(connection, name)
    if found is None or (found.description, found.system, found.grants) != (description, True, grants):
        return False
    return not queries.inherits_any(connection, found.id)


def reconcile_role(clearance: Clearance, name: str, description: str, grants: Grants) -> bool:
    """Make sure that a built-in role exists as described and inherits nothing; whether anything changed. One
    that was ended, which only a direct change of the database can do, is revived with its holders."""
    connection = clearance.connection
    revived = reads.find_role(connection, name) is None and queries.revive_role(connection, name)
    present = reads.find_role(connection, name)
    if present is None:
        role = add_role(clearance, {"name": name, "description": description}, grants=grants)
        clearance.record("role.created", Target("role", name, name), after=stated("roles", role._asdict()))
        return True
    inherited = queries.end_juniors(connection, present.id, clock.now())
    wanted = {"description": description, "system": True, "grants": grants, "ended": False, "inherits": []}
    before = {**present._asdict(), "ended": revived, "inherits": inherited}
    before = {key: before[key] for key in wanted}
    if before == wanted:
        return False
    _write(clearance, present, {key: wanted[key] for key in ("description", "system", "grants")})
    clearance.record(
        "role.updated",
        Target("role", name, name),
        reason="restored to what is built in",
        before=before,
        after=wanted,
    )
    return True


def find_role(connection: Connection, name: str) -> RoleRow:
    """The row; 404 for an unknown or deleted role."""
    role = reads.find_role(connection, name)
    if role is None:
        raise _unknown(name)
    return role


def _unknown(name: str) -> RoleNotFound:
    return RoleNotFound(f"There is no role {name[: ROLE.longest]}. List them with GET /v1/roles.")


def describe(row: RoleRow, graph: RoleGraph) -> RoleAnswer:
    """A role for the API."""
    return {
        "name": row.name,
        "title": row.title,
        "description": row.description,
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


def _write(clearance: Clearance, role: RoleRow, values: dict[str, object]) -> None:
    if not queries.update_role(
        clearance.connection, role.id, role.version, {**values, "updated_at": clock.now()}
    ):
        raise PreconditionFailed()


def _affected(clearance: Clearance, graph: RoleGraph, name: str) -> list[str]:
    """Ids of the users who effectively hold the role."""
    role_ids = reads.list_role_ids(clearance.connection, graph.seniors(name))
    return queries.list_holder_ids(clearance.connection, role_ids, clock.now())
