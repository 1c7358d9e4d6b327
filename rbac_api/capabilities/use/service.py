"""Says which permissions were used, and which of those that an account or a role holds were not."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.capabilities.use import queries
from rbac_api.capabilities.use.answers import (
    PermissionUseAnswer,
    UnusedPermissionAnswer,
    UnusedRolePermissionAnswer,
)
from rbac_api.capabilities.use.queries import CountedUse
from rbac_api.capabilities.use.windows import UseWindow, window_since
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.roles import list_role_ids
from rbac_api.decision.evaluate import in_force
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import Subject
from rbac_api.decision.naming import ROLE
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.state.queries_history import find_holder_at

__all__ = [
    "CountedUse", "UseWindow", "list_counted_uses", "list_permission_use", "list_role_unused",
    "list_service_account_unused", "list_user_unused", "used_by_holders", "window_since",
]  # fmt: skip
T = TypeVar("T")


def list_user_unused(
    clearance: Clearance, user_id: str, since: datetime | None, page: PageRequest
) -> tuple[Page[UnusedPermissionAnswer], UseWindow]:
    """The permissions that a user holds, also by roles that have to be activated, and did not use in the
    window. 404 for an unknown user."""
    window = window_since(clearance.connection, since)
    found = find_holder_at(clearance.connection, user_id, "person", window.until)
    return _unused(clearance, UserNotFound.require(found), window, page), window


def list_service_account_unused(
    clearance: Clearance, account_id: str, since: datetime | None, page: PageRequest
) -> tuple[Page[UnusedPermissionAnswer], UseWindow]:
    """The same for a service account."""
    window = window_since(clearance.connection, since)
    found = find_holder_at(clearance.connection, account_id, "service", window.until)
    return _unused(clearance, ServiceAccountNotFound.require(found), window, page), window


def list_role_unused(
    clearance: Clearance, role: str, since: datetime | None, page: PageRequest
) -> tuple[Page[UnusedRolePermissionAnswer], UseWindow]:
    """The effective permissions of a role that no account with the role used in the window, however it holds
    them. 404 for an unknown role."""
    window = window_since(clearance.connection, since)
    graph = clearance.graph()
    unused = graph.effective[known_role(graph, role)] - used_by_holders(clearance, graph, role, window)
    direct = direct_permissions(graph.roles[role], graph.permissions)
    items: list[UnusedRolePermissionAnswer] = [
        {"permission": name, "direct": name in direct} for name in sorted(unused)
    ]
    return _slice(items, page, lambda item: item["permission"]), window


def list_permission_use(
    clearance: Clearance, permission: str, since: datetime | None, page: PageRequest
) -> tuple[Page[PermissionUseAnswer], UseWindow]:
    """The accounts that used a permission in the window, in the order in which they were created. 403 without
    ``users:read``, 404 for an unknown permission."""
    clearance.require_permission("users:read")
    if permission not in clearance.graph().permissions:
        raise PermissionNotFound()
    connection, window = clearance.connection, window_since(clearance.connection, since)
    after = str(page.after[0]) if page.after else None
    rows = queries.list_account_uses(connection, permission, window.first, after, page.limit + 1)
    total = queries.count_accounts(connection, permission, window.first) if page.count else None
    return cut(rows, page, lambda row: (row.user_id,), total).map(_to_json), window


def list_counted_uses(
    connection: Connection, user_ids: Collection[str], permissions: Collection[str], days: int
) -> list[CountedUse]:
    """How often each of these accounts used each of these permissions, today and on so many days before."""
    return queries.list_uses(connection, user_ids, permissions, (clock.now() - timedelta(days)).date())


def known_role(graph: RoleGraph, role: str) -> str:
    """The name of a role that exists; 404 otherwise."""
    if role not in graph.roles:
        raise RoleNotFound(f"There is no role {role[: ROLE.longest]}. List them with GET /v1/roles.")
    return role


def used_by_holders(clearance: Clearance, graph: RoleGraph, role: str, window: UseWindow) -> set[str]:
    """The permissions of a role that an account used in the window that has the role now, directly or through
    a senior, active or eligible."""
    role_ids = list_role_ids(clearance.connection, graph.seniors(role))
    return queries.list_used(
        clearance.connection, role_ids, graph.effective[role], window.first, window.until
    )


def _unused(
    clearance: Clearance, subject: Subject, window: UseWindow, page: PageRequest
) -> Page[UnusedPermissionAnswer]:
    graph = clearance.graph()
    used = queries.find_last_uses(clearance.connection, subject.id)
    via: dict[str, list[str]] = {}
    held = (*subject.assignments, *subject.elsewhere)
    for role in sorted({one.role for one in held if in_force(one, window.until)}):
        for permission in graph.effective.get(role, ()):
            via.setdefault(permission, []).append(role)
    items: list[UnusedPermissionAnswer] = [
        {"permission": name, "via": via[name], "last_used": used.get(name)}
        for name in sorted(via)
        if name not in used or used[name] < window.since
    ]
    return _slice(items, page, lambda item: item["permission"])


def _slice(items: Sequence[T], page: PageRequest, key: Callable[[T], str]) -> Page[T]:
    """The page of a list that is in memory, in order of its key."""
    start = bisect_right(items, str(page.after[0]), key=key) if page.after else 0
    rows = items[start : start + page.limit + 1]
    return cut(rows, page, lambda item: (key(item),), len(items) if page.count else None)


def _to_json(row: queries.AccountUse) -> PermissionUseAnswer:
    return {
        "user": {"id": row.user_id, "username": row.username},
        "kind": "user" if row.kind == "person" else "service_account",
        "times": row.times,
        "days": row.days,
        "last_used": row.last_used,
    }
