"""Reads the role graph, or a part of it."""

from __future__ import annotations

from collections.abc import Iterable

from rbac_api import clock
from rbac_api.capabilities.role_graph.answers import RoleGraphAnswer, RoleGraphFilters
from rbac_api.capabilities.users.service import find_user, find_user_id
from rbac_api.database.queries.subjects import list_assignments
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import ROOT, Assignment
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import AccessDenied, RoleNotFound


def get_role_graph(clearance: Clearance, filters: RoleGraphFilters) -> RoleGraphAnswer:
    """All roles, those around one role, or those that reach one user.

    403 for a user without ``users:read``, 404 for an unknown role or user, 422 for both at once.
    """
    graph = clearance.latest_graph()
    if "user" in filters:
        return _of_user(clearance, graph, filters)
    if "role" not in filters:
        return _part(graph, graph.roles)
    role = filters["role"]
    if role not in graph.roles:
        raise RoleNotFound()
    return _part(graph, graph.seniors(role) | graph.closures[role])


def _of_user(clearance: Clearance, graph: RoleGraph, filters: RoleGraphFilters) -> RoleGraphAnswer:
    if "role" in filters:
        words = "Give one of 'user' and 'role', or neither; both were given."
        raise Invalid(faults=(Fault("/user", "field.either", words),))
    if not clearance.reads_users:
        raise AccessDenied("You need the permission users:read.", required="users:read")
    user = find_user(clearance.connection, find_user_id(clearance, filters["user"]))
    given = sorted(list_assignments(clearance.connection, user.id, clock.now()), key=_place)
    answer = _part(graph, graph.closure_of(held.role for held in given))
    answer["user"] = {"id": user.id, "username": user.username}
    answer["assignments"] = [
        {
            "role": held.role,
            "domain": held.domain,
            "mode": held.mode,
            "starts_at": held.starts,
            "expires_at": held.ends,
        }
        for held in given
        if held.role in graph.roles
    ]
    return answer


def _place(held: Assignment) -> tuple[object, ...]:
    return held.role, held.domain != ROOT, held.starts, held.domain


def _part(graph: RoleGraph, names: Iterable[str]) -> RoleGraphAnswer:
    """These roles, and the inheritance among them."""
    part = sorted(names)
    inside = frozenset(part)
    return {
        "roles": [
            {
                "name": name,
                "requires_mfa": graph.roles[name].requires_mfa,
                "permissions": sorted(direct_permissions(graph.roles[name], graph.permissions)),
            }
            for name in part
        ],
        "inheritance": [
            {"senior": senior, "junior": junior}
            for senior in part
            for junior in sorted(graph.juniors[senior] & inside)
        ],
        "user": None,
        "assignments": [],
    }
