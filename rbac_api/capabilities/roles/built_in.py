"""Restores the roles that are built in, at start-up. Part of the service."""

from __future__ import annotations

from rbac_api import clock
from rbac_api.capabilities.roles import queries
from rbac_api.capabilities.roles.rows import add_role, write
from rbac_api.database.queries import roles as reads
from rbac_api.decision.model import Grants
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.fields import stated
from rbac_api.trail.recorder import Target


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
    write(clearance, present, {key: wanted[key] for key in ("description", "system", "grants")})
    clearance.record(
        "role.updated",
        Target("role", name, name),
        reason="restored to what is built in",
        before=before,
        after=wanted,
    )
    return True
