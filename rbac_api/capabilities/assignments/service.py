"""Giving roles to users and taking them away.

A holder is whoever roles are given to, as the trail names it: a user, or a service account (``service_accounts`` calls the functions
that take a ``holder``, after making sure that it is one).
"""

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
    find_user(clearance.connection, user_id)
    return held_roles(clearance, user_id)


def held_roles(clearance: Clearance, holder_id: str) -> dict[str, Any]:
    """The same for a holder who is known to exist."""
    connection, now = clearance.connection, clock.now()
    effective = effective_roles(
        clearance.graph(), get_subject(connection, holder_id, now, second_factor=True), now
    )
    return {
        "direct": [describe(row) for row in queries.list_assignments(connection, holder_id, now)],
        "effective": [{"role": role.role, "via": list(role.via)} for role in effective],
    }


def assign_role(
    clearance: Clearance, user_id: str, role: str, reason: str | None
) -> tuple[dict[str, Any], bool]:
    """Give a user a role; the assignment, and whether it is new.  The caller must hold all that the role effectively holds."""
    user = find_user(clearance.connection, user_id)
    return give_role(clearance, Target("user", user.id, user.username), role, reason)


def give_role(
    clearance: Clearance, holder: Target, role: str, reason: str | None
) -> tuple[dict[str, Any], bool]:
    """The same for any holder.  404 ``role.not_found``, 403 ``escalation.denied`` and ``target.stronger``."""
    holder_id, role_id = holder.id or "", _role_id(clearance, role)
    clearance.require_held(clearance.graph().effective[role])
    clearance.require_outranks_user(holder_id, holder.name or "")
    now = clock.now()
    present = queries.find_assignment(clearance.connection, holder_id, role_id, now)
    if present is not None:
        return describe(present), False
    row: dict[str, Any] = {
        "id": new_id(), "user_id": holder_id, "role_id": role_id, "valid_from": now, "valid_to": None, "reason": reason,
        "assigned_by": clearance.actor.id, "assigned_at": now,
    }  # fmt: skip
    queries.add_assignment(clearance.connection, row)
    note_authority_change(clearance, [holder_id])
    clearance.record("assignment.created", holder, reason=reason, after={"role": role})
    return describe(queries.get_assignment(clearance.connection, row["id"])), True


def revoke_role(clearance: Clearance, user_id: str, role: str) -> None:
    """Take a role away; 404 if it is not assigned directly, 409 ``admin.last``, 403 ``target.stronger``."""
    user = find_user(clearance.connection, user_id)
    take_role(clearance, Target("user", user.id, user.username), role)


def take_role(clearance: Clearance, holder: Target, role: str) -> None:
    """The same for any holder."""
    holder_id, role_id = holder.id or "", _role_id(clearance, role)
    clearance.require_outranks_user(holder_id, holder.name or "")
    present = queries.find_assignment(clearance.connection, holder_id, role_id, clock.now())
    if present is None:
        raise AssignmentNotFound()
    queries.end_assignment(clearance.connection, present.id, clock.now())
    clearance.record("assignment.ended", holder, before={"role": role})
    note_authority_change(clearance, [holder_id])
    clearance.require_administrator_remains()


def end_held_roles(clearance: Clearance, holder_id: str) -> list[str]:
    """End everything that a holder who is being deleted holds, without an event; the names of the roles."""
    return queries.end_all(clearance.connection, holder_id, clock.now())


def end_role_assignments(clearance: Clearance, role_id: str, role: str) -> list[str]:
    """Take a role from everybody, with an event for each; their ids."""
    found = queries.list_role_assignments(clearance.connection, role_id, clock.now())
    for row in found:
        queries.end_assignment(clearance.connection, row.id, clock.now())
        clearance.record(
            "assignment.ended",
            Target("service_account" if row.kind == "service" else "user", row.user_id, row.username),
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


def _role_id(clearance: Clearance, role: str) -> str:
    role_id = queries.find_role_id(clearance.connection, role)
    if role_id is None:
        raise RoleNotFound()
    return role_id
