"""Giving roles to users and taking them away."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.users.service import find_user, note_authority_change
from rbac_api.database.types import new_id
from rbac_api.decision.evaluate import effective_roles
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.queries import get_subject
from rbac_api.trail.recorder import Target


def get_user_roles(clearance: Clearance, user_id: str) -> dict[str, Any]:
    """What a user holds: assigned directly, and effectively with the assigned roles it comes through."""
    connection, now = clearance.connection, clock.now()
    find_user(connection, user_id)
    effective = effective_roles(clearance.graph(), get_subject(connection, user_id, now), now)
    return {
        "direct": [describe(row) for row in queries.list_assignments(connection, user_id, now)],
        "effective": [{"role": role.role, "via": list(role.via)} for role in effective],
    }


def assign_role(
    clearance: Clearance, user_id: str, role: str, reason: str | None
) -> tuple[dict[str, Any], bool]:
    """Give a user a role; the assignment, and whether it is new.  The caller must hold all that the role effectively holds."""
    user = find_user(clearance.connection, user_id)
    role_id = _role_id(clearance, role)
    clearance.require_held(clearance.graph().effective[role])
    clearance.require_outranks_user(user.id, user.username)
    now = clock.now()
    present = queries.find_assignment(clearance.connection, user.id, role_id, now)
    if present is not None:
        return describe(present), False
    row = {
        "id": new_id(), "user_id": user.id, "role_id": role_id, "valid_from": now, "valid_to": None, "reason": reason,
        "assigned_by": clearance.actor.id, "assigned_at": now,
    }  # fmt: skip
    queries.add_assignment(clearance.connection, row)
    note_authority_change(clearance, [user.id])
    clearance.record(
        "assignment.created", Target("user", user.id, user.username), reason=reason, after={"role": role}
    )
    return describe(queries.get_assignment(clearance.connection, row["id"])), True


def revoke_role(clearance: Clearance, user_id: str, role: str) -> None:
    """Take a role away; 404 if it is not assigned directly, 409 ``admin.last``, 403 ``target.stronger``."""
    user = find_user(clearance.connection, user_id)
    role_id = _role_id(clearance, role)
    clearance.require_outranks_user(user.id, user.username)
    present = queries.find_assignment(clearance.connection, user.id, role_id, clock.now())
    if present is None:
        raise AssignmentNotFound()
    _end(clearance, present.id, user, role)
    note_authority_change(clearance, [user.id])
    clearance.require_administrator_remains()


def end_role_assignments(clearance: Clearance, role_id: str, role: str) -> list[str]:
    """Take a role from everybody, with an event for each; their ids."""
    found = queries.list_role_assignments(clearance.connection, role_id, clock.now())
    for row in found:
        queries.end_assignment(clearance.connection, row.id, clock.now())
        clearance.record(
            "assignment.ended",
            Target("user", row.user_id, row.username),
            reason="role deleted",
            before={"role": role},
        )
    return [row.user_id for row in found]


def describe(row: Row[Any]) -> dict[str, Any]:
    """An assignment as it is shown."""
    return {
        "role": row.role,
        "mode": "active",
        "reason": row.reason,
        "starts_at": row.valid_from,
        "expires_at": row.valid_to,
        "assigned_at": row.assigned_at,
        "assigned_by": {"id": row.assigned_by, "username": row.giver} if row.giver else None,
    }


def _end(clearance: Clearance, assignment_id: str, user: Row[Any], role: str) -> None:
    queries.end_assignment(clearance.connection, assignment_id, clock.now())
    clearance.record("assignment.ended", Target("user", user.id, user.username), before={"role": role})


def _role_id(clearance: Clearance, role: str) -> str:
    role_id = queries.find_role_id(clearance.connection, role)
    if role_id is None:
        raise RoleNotFound()
    return role_id
