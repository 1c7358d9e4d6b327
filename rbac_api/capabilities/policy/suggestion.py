"""Suggests a role cut to what its holders use, as a document to plan. Part of the service."""

from __future__ import annotations

from datetime import datetime

from rbac_api.capabilities.policy.current_state import exported_role
from rbac_api.capabilities.roles.errors import RoleBuiltIn
from rbac_api.capabilities.use.service import UseWindow, used_by_holders, window_since
from rbac_api.database.queries.roles import find_role
from rbac_api.decision.least_privilege import cut_to
from rbac_api.decision.naming import ROLE
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound

Suggestion = dict[str, list[dict[str, object]]]


def suggest_role(clearance: Clearance, role: str, since: datetime | None) -> tuple[Suggestion, UseWindow]:
    """The role with what was used of it in the window, and nothing else. 404 for an unknown role, 409 for a
    built-in one."""
    row, graph = find_role(clearance.connection, role), clearance.graph()
    if row is None or role not in graph.roles:
        raise RoleNotFound(f"There is no role {role[: ROLE.longest]}. List them with GET /v1/roles.")
    if row.system:
        raise RoleBuiltIn()
    window = window_since(clearance.connection, since)
    cut = cut_to(graph, role, used_by_holders(clearance, graph, role, window))
    facts = {
        "title": row.title,
        "description": row.description,
        "requires_mfa": row.requires_mfa,
        "permissions": sorted(cut.permissions),
        "inherits": sorted(cut.inherits),
    }
    return {"roles": [exported_role(role, facts)]}, window
