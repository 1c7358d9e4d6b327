"""Reads a role as it was. Part of the service."""

from __future__ import annotations

from datetime import datetime

from rbac_api.capabilities.roles.homes import is_readable
from rbac_api.decision.hierarchy import direct_permissions
from rbac_api.decision.naming import ROLE
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.state.queries_history import find_role_at


def get_role_at(clearance: Clearance, name: str, at: datetime) -> dict[str, object]:
    """One role as of a past moment; 404 if there was none with this name."""
    role = find_role_at(clearance.connection, name, at)
    if role is None or not is_readable(clearance, role["home"]):
        raise RoleNotFound(f"There was no role {name[: ROLE.longest]} at that moment.")
    graph = clearance.graph_at(at)
    return {
        "name": name,
        "title": role["title"],
        "description": role["description"],
        "home": role["home"],
        "system": role["system"],
        "requires_mfa": role["requires_mfa"],
        "permissions": sorted(direct_permissions(graph.roles[name], graph.permissions)),
        "inherits": sorted(graph.juniors[name]),
        "effective_permissions": sorted(graph.effective[name]),
        "created_at": role["valid_from"],
        "updated_at": role["updated_at"],
    }
