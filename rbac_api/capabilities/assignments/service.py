"""Giving roles to users and taking them away.

A holder is whoever roles are given to, as the trail names it: a user, or a service account (``service_accounts`` calls the functions
that take a ``holder``, after making sure that it is one).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.assignments.bulk import Gift, give_roles
from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.exports import ASSIGNMENTS, export_roles
from rbac_api.capabilities.assignments.own import require_lasting
from rbac_api.capabilities.assignments.terms import (
    Terms,
    columns_of,
    differences,
    is_within,
    require_activatable,
    told,
)
from rbac_api.capabilities.constraints.service import require_constraints
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.capabilities.users.service import find_user, note_authority_change
from rbac_api.database.types import new_id
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.guard import queries_history as history
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.trail.recorder import Target, record_all

__all__ = [
    "ASSIGNMENTS", "ORDINARY", "Terms", "assign_role", "columns_of", "describe", "differences", "end_role_assignments", "export_roles",
    "get_user_roles", "give_role", "held_roles", "is_within", "require_activatable", "require_lasting", "revoke_role", "take_role", "told",
]  # fmt: skip
ORDINARY = Terms()


def get_user_roles(clearance: Clearance, user_id: str, at: datetime | None = None) -> dict[str, Any]:
    """What a user holds, or held: assigned directly, effectively with the assigned roles it comes from, and the effective permissions."""
    found = held_roles(clearance, user_id, "person", at)
    if found is None:
        raise UserNotFound()
    return found


def held_roles(
    clearance: Clearance, holder_id: str, kind: str, at: datetime | None = None
) -> dict[str, Any] | None:
    """The same for an account of either kind; None if there is, or was, none."""
    connection, moment = clearance.connection, at or clock.now()
    subject = history.find_holder_at(connection, holder_id, kind, moment)
    if subject is None:
        return None
    graph = clearance.graph() if at is None else history.find_role_graph_at(connection, at)
    graph = replace(
        graph, dynamic=()
    )  # what she is authorized for, not what may be active together in one session
    return {
        "direct": [describe(row) for row in queries.list_assignments(connection, holder_id, moment)],
        "effective": [
            {"role": role.role, "via": list(role.via)} for role in effective_roles(graph, subject, moment)
        ],
        "permissions": sorted(effective_permissions(graph, subject, moment)),
    }


def assign_role(
    clearance: Clearance, user_id: str, role: str, terms: Terms = ORDINARY
) -> tuple[dict[str, Any], bool]:
    """Give a user a role, or change the terms on which she has it; the assignment, and whether it is new."""
    user = find_user(clearance.connection, user_id)
    return give_role(clearance, Target("user", user.id, user.username), role, terms)


def give_role(
    clearance: Clearance, holder: Target, role: str, terms: Terms = ORDINARY
) -> tuple[dict[str, Any], bool]:
    """The same for any holder.  Nobody hands out what she does not hold, nor acts on somebody stronger: who makes an assignment count
    longer or for more hands out.

    404 ``role.not_found``, 403 ``escalation.denied`` and ``target.stronger``, 409 ``admin.last``, 422 for terms that cannot be.
    """
    connection, holder_id, role_id = clearance.connection, holder.id or "", _role_id(clearance, role)
    present = queries.find_assignment(connection, holder_id, role_id, clock.now())
    if present is None:
        (written,) = give_roles(clearance, [Gift(holder, role, terms)])
    else:
        written = _change_terms(clearance, present, holder, terms)
    return describe(queries.get_assignment(connection, written)), present is None


def _change_terms(clearance: Clearance, present: Row[Any], holder: Target, terms: Terms) -> str:
    """The one place where an assignment changes; the id under which it goes on."""
    now, role, longest = clock.now(), present.role, clearance.settings.activation_seconds
    values = terms.settled(present, now)
    require_activatable(holder, values)
    before, after = differences(present, values)
    grows = not is_within(values, columns_of(present), longest)
    if grows or not after:
        clearance.require_held(clearance.graph().effective[role], values["valid_to"] if grows else now)
    if grows:
        require_lasting(clearance, holder, values, clearance.graph().effective[role])
    clearance.require_outranks_user(present.user_id, holder.name or "")
    if not after:
        return str(present.id)
    written = _rewrite(clearance, present, values, now)
    note_authority_change(clearance, [present.user_id])
    clearance.record(
        "assignment.updated", holder, reason=terms.reason, before={"role": role, **before}, after={"role": role, **after}
    )  # fmt: skip
    if not is_within(columns_of(present), values, longest):  # what only grows leaves an administrator
        clearance.require_administrator_remains()
    require_constraints(clearance, users=[present.user_id], roles=[role])
    return written


def _rewrite(clearance: Clearance, present: Row[Any], values: dict[str, Any], now: datetime) -> str:
    """Write the row as it shall be; of another mode a new one, so that what it was stays readable as of any moment before."""
    if present.mode == values["mode"]:
        queries.update_assignment(clearance.connection, present.id, values)
        return str(present.id)
    written = new_id()
    queries.end_assignment(clearance.connection, present.id, now)
    whose = {"user_id": present.user_id, "role_id": present.role_id, "assigned_by": clearance.actor.id}
    begun = {"assigned_at": now, "valid_from": max(values["valid_from"], now)}
    queries.add_assignments(clearance.connection, [{"id": written, **whose, **values, **begun}])
    return written


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
    require_constraints(clearance, users=[holder_id], roles=[role], losing=True)


def end_role_assignments(clearance: Clearance, role_id: str, role: str) -> list[str]:
    """Take a role from everybody, with an event for each; their ids."""
    connection, now = clearance.connection, clock.now()
    found = queries.list_role_assignments(connection, role_id, now)
    queries.end_role_assignments(connection, role_id, now)
    ended = [(_holder(row), "role deleted", {"role": role}) for row in found]
    record_all(connection, clearance.actor, "assignment.ended", ended, facts_are="before")
    return [row.user_id for row in found]


def _holder(row: Row[Any]) -> Target:
    return Target("service_account" if row.kind == "service" else "user", row.user_id, row.username)


def describe(row: Row[Any]) -> dict[str, Any]:
    """An assignment as it is shown."""
    return {
        "role": row.role,
        "mode": row.mode,
        "reason": row.reason,
        "starts_at": row.valid_from,
        "expires_at": row.valid_to,
        "max_duration": row.max_duration,
        "assigned_at": row.assigned_at,
        "assigned_by": {"id": row.assigned_by, "username": row.giver} if row.giver else None,
    }


def _role_id(clearance: Clearance, role: str) -> str:
    role_id = queries.find_role_id(clearance.connection, role)
    if role_id is None:
        raise RoleNotFound()
    return role_id
