"""Lists roles, by name, by text and by what they hold. Part of the service."""

from __future__ import annotations

from rbac_api.capabilities.roles import queries
from rbac_api.capabilities.roles.answers import RoleAnswer, RoleFilters
from rbac_api.capabilities.roles.service import describe
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance


def list_roles(clearance: Clearance, filters: RoleFilters, page: PageRequest) -> Page[RoleAnswer]:
    """Roles, by name, with what they hold directly and effectively: all, or those that hold a permission."""
    here = queries.readable(clearance.connection, clearance.domains_granting())
    which = filters.get("q"), _holding(clearance.graph(), filters), here
    rows = queries.list_roles(clearance.connection, page.after, page.limit + 1, which)
    total = queries.count_roles(clearance.connection, which) if page.count else None
    found, graph = cut(rows, page, lambda row: (row.name,), total), clearance.latest_graph()
    items = [describe(row, graph) for row in found.items if row.name in graph.roles]  # not deleted meanwhile
    return Page(items, found.next_key, found.total)


def _holding(graph: RoleGraph, filters: RoleFilters) -> list[str] | None:
    """The names of the roles that hold the permission of the filter; None without one."""
    if (permission := filters.get("permission")) is None:
        return None
    if filters.get("effective"):
        return [name for name, held in graph.effective.items() if permission in held]
    return [
        name
        for name, role in graph.roles.items()
        if permission in direct_permissions(role, graph.permissions)
    ]
