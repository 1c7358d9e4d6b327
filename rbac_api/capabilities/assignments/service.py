"""Assigns roles to users and revokes them.

A holder is an account that roles are assigned to, as the trail names it: a user, or a service account.
``service_accounts`` calls the functions that take a ``holder``, after checking that it is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.assignments.answers import AssignmentAnswer, UserRolesAnswer
from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.exports import ASSIGNMENTS, export_roles
from rbac_api.capabilities.assignments.own_assignments import require_lasting
from rbac_api.capabilities.assignments.terms import (
    KnownRole,
    Terms,
    addressed,
    columns_of,
    differences,
    is_within,
    placed,
    require_activatable,
    require_assignable_at,
    to_audit,
    where,
)
from rbac_api.capabilities.constraints.service import require_constraints
from rbac_api.capabilities.domains.service import require_domain, require_domain_in_sight
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.assignments import AssignmentRow
from rbac_api.database.types import new_id
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.decision.model import ROOT
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import note_authority_change
from rbac_api.guard.state import queries_history as history
from rbac_api.trail.recorder import Event, Target, record_events

__all__ = [
    "ASSIGNMENTS", "ORDINARY", "Terms", "assign_role", "checks_of", "columns_of", "describe", "differences",
    "end_role_assignments", "export_roles", "get_user_roles", "give_role", "held_roles", "is_within",
    "require_activatable", "require_assignable_at", "require_lasting", "revoke_role", "take_role", "to_audit",
    "where",
]  # fmt: skip
ORDINARY = Terms()
Check = Callable[[], object]  # raises the refusal


def get_user_roles(
    clearance: Clearance, user_id: str, at: datetime | None = None, domain: str = ROOT
) -> UserRolesAnswer:
    """What a user holds, or held: direct assignments, effective roles with the assigned roles they come from,
    permissions."""
    clearance = clearance.over_account(user_id, "person", "users:read", UserNotFound)
    return UserNotFound.require(held_roles(clearance, user_id, "person", at, domain))


def held_roles(
    clearance: Clearance, holder_id: str, kind: str, at: datetime | None = None, domain: str = ROOT
) -> UserRolesAnswer | None:
    """The same for an account of either kind; None if there is, or was, none. ``direct`` has the assignments
    at all domains in sight, the rest is what counts at this one."""
    connection, moment = clearance.connection, at or clock.now()
    subject = history.find_holder_at(connection, holder_id, kind, moment)
    if subject is None:
        return None
    require_domain_in_sight(clearance, domain, at)
    subject = at_domain(subject, domain)
    graph = clearance.graph() if at is None else clearance.graph_at(at)
    graph = replace(
        graph, dynamic=()
    )  # what the user is authorized for, not what may be active together in one session
    return {
        "direct": described(clearance, queries.list_assignments(connection, holder_id, moment)),
        "effective": [
            {"role": role.role, "via": list(role.via)} for role in effective_roles(graph, subject, moment)
        ],
        "permissions": sorted(effective_permissions(graph, subject, moment)),
    }


def assign_role(
    clearance: Clearance, user: str, role: str, terms: Terms = ORDINARY
) -> tuple[AssignmentAnswer, bool]:
    """Assign a role to a user, named by id or username, or change the terms; returns the assignment, and
    whether it is new."""
    here, holder, known = addressed(clearance, user, role, terms.domain)
    return _assign(here, holder, known, terms)


def give_role(
    clearance: Clearance, holder: Target, role: str, terms: Terms = ORDINARY
) -> tuple[AssignmentAnswer, bool]:
    """The same for any holder, with the clearance at the holder's home. The permission is needed at the
    domain too; the caller cannot hand out there what the caller does not hold there, nor act on a stronger
    account.

    A change that makes an assignment longer or wider hands out. 404 ``role.not_found``, 403
    ``escalation.denied`` and ``target.stronger``, 409 ``admin.last`` and ``role.elsewhere``, 422 for
    impossible terms.
    """
    return _assign(*placed(clearance, holder, role, terms.domain), terms)


def _assign(
    clearance: Clearance, holder: Target, role: KnownRole, terms: Terms
) -> tuple[AssignmentAnswer, bool]:
    held = queries.list_held(clearance.connection, holder.id or "", clock.now())
    present = queries.same_place(held, role.name, terms.domain)
    if present is None:
        if terms.domain != ROOT:
            require_domain(clearance, terms.domain)
        require_assignable_at(role.name, role.home, terms.domain)
        return describe(_give(clearance, holder, role, terms, held)), True
    return described(clearance, [_change_terms(clearance, holder, present, terms, held)])[0], False


def _give(
    clearance: Clearance, holder: Target, role: KnownRole, terms: Terms, held: list[AssignmentRow]
) -> AssignmentRow:
    now, holder_id = clock.now(), holder.id or ""
    values = terms.settled(None, now)
    require_checked(checks_of(clearance, holder, role.name, values, held))
    written = _new_row(clearance, holder_id, role, values, now)
    queries.add_assignment(clearance.connection, written)
    note_authority_change(clearance.connection, clearance.settings, [holder_id])
    after = {"role": role.name, **to_audit(values, now)}
    clearance.record("assignment.created", holder, domain=terms.domain, reason=terms.reason, after=after)
    require_constraints(clearance, users=[holder_id], roles=[role.name])
    return written


def _new_row(
    clearance: Clearance, holder_id: str, role: KnownRole, values: Mapping[str, Any], now: datetime
) -> AssignmentRow:
    """The row of an assignment that the caller makes now."""
    actor = clearance.actor
    giver = (actor.id, actor.name) if actor.id else (None, None)
    return AssignmentRow(
        id=new_id(), user_id=holder_id, role_id=role.id, assigned_by=giver[0], assigned_at=now,
        role=role.name, giver=giver[1], **values
    )  # fmt: skip


def checks_of(
    clearance: Clearance, holder: Target, role: str, values: Mapping[str, Any], held: list[AssignmentRow]
) -> tuple[Check, ...]:
    """What has to hold before these terms are written, in the order in which refusals are answered.

    ``held``: the assignments of the holder, the present one of this role among them.
    """
    return (
        lambda: require_activatable(holder, values),
        lambda: _require_handed_out(clearance, holder, role, values, held),
        lambda: _require_outranks(clearance, holder, held),
    )


def require_checked(checks: Iterable[Check]) -> None:
    """Raise the first refusal."""
    for check in checks:
        check()


def _require_handed_out(
    clearance: Clearance, holder: Target, role: str, values: Mapping[str, Any], held: list[AssignmentRow]
) -> None:
    """403 unless the caller holds what the role holds, for as long as the assignment lasts. A change that
    makes none longer or wider hands out nothing."""
    handed_out = clearance.graph().effective[role]
    present = queries.same_place(held, role, values["domain"])
    if present and is_within(values, columns_of(present), clearance.settings.activation_seconds):
        if not differences(present, values)[1]:
            clearance.require_held(handed_out, clock.now())
        return
    clearance.require_held(handed_out, values["valid_to"])
    if holder.id == clearance.actor.id:
        require_lasting(clearance, values, handed_out)


def _require_outranks(clearance: Clearance, holder: Target, held: list[AssignmentRow]) -> None:
    """403 if the holder holds more than the caller, at any domain."""
    if clearance.domain == ROOT and clearance.holds_all:
        return
    places: dict[str, set[str]] = {}
    for one in held:
        places.setdefault(one.domain, set()).add(one.role)
    clearance.require_outranks_at(places, holder.name or "", holder.id)


def _change_terms(
    clearance: Clearance, holder: Target, present: AssignmentRow, terms: Terms, held: list[AssignmentRow]
) -> AssignmentRow:
    """Change an assignment, the only place that does; returns it as it will be."""
    now, role, longest = clock.now(), present.role, clearance.settings.activation_seconds
    values = terms.settled(present, now)
    require_checked(checks_of(clearance, holder, role, values, held))
    before, after = differences(present, values)
    if not after:
        return present
    written = _rewrite(clearance, present, values, now)
    note_authority_change(clearance.connection, clearance.settings, [present.user_id])
    clearance.record(
        "assignment.updated", holder, domain=present.domain, reason=terms.reason,
        before={"role": role, **where(present.domain), **before},
        after={"role": role, **where(present.domain), **after},
    )  # fmt: skip
    # a change that only extends keeps every administrator
    if not is_within(columns_of(present), values, longest):
        clearance.require_administrator_remains()
    require_constraints(clearance, users=[present.user_id], roles=[role])
    return written


def _rewrite(
    clearance: Clearance, present: AssignmentRow, values: dict[str, Any], now: datetime
) -> AssignmentRow:
    """Write the new terms; another mode gets a new row, so that the earlier one stays readable as of any
    moment."""
    if present.mode == values["mode"]:
        queries.update_assignment(clearance.connection, present.id, values)
        return present._replace(**values)
    queries.end_assignment(clearance.connection, present.id, now)
    begun = {**values, "valid_from": max(values["valid_from"], now)}
    role = KnownRole(present.role_id, present.role, ROOT)  # its home does not matter any more
    written = _new_row(clearance, present.user_id, role, begun, now)
    queries.add_assignment(clearance.connection, written)
    return written


def revoke_role(clearance: Clearance, user: str, role: str, domain: str = ROOT) -> None:
    """Revoke a role from a user, named by id or username, at a domain; 404 if it is not assigned directly
    there, 409 ``admin.last``, 403 ``target.stronger``."""
    _revoke(*addressed(clearance, user, role, domain), domain)


def take_role(clearance: Clearance, holder: Target, role: str, domain: str = ROOT) -> None:
    """The same for any holder, with the clearance at the holder's home."""
    _revoke(*placed(clearance, holder, role, domain), domain)


def _revoke(clearance: Clearance, holder: Target, role: KnownRole, domain: str) -> None:
    holder_id = holder.id or ""
    held = queries.list_held(clearance.connection, holder_id, clock.now())
    _require_outranks(clearance, holder, held)
    present = AssignmentNotFound.require(queries.same_place(held, role.name, domain))
    queries.end_assignment(clearance.connection, present.id, clock.now())
    clearance.record("assignment.ended", holder, domain=domain, before={"role": role.name, **where(domain)})
    note_authority_change(clearance.connection, clearance.settings, [holder_id])
    clearance.require_administrator_remains()
    require_constraints(clearance, users=[holder_id], roles=[role.name], losing=True)


def end_role_assignments(clearance: Clearance, role_id: str, role: str) -> list[str]:
    """Revoke a role from all its holders, with an event for each; returns their ids."""
    connection, now, action = clearance.connection, clock.now(), "assignment.ended"
    found = queries.list_role_assignments(connection, role_id, now)
    queries.end_role_assignments(connection, role_id, now)
    ended = (
        Event(action, _holder(row), "role deleted", {"role": role, **where(row.domain)}, domain=row.domain)
        for row in found
    )
    record_events(connection, clearance.actor, ended)
    return list(dict.fromkeys(row.id for row in found))


def _holder(row: queries.HolderRow) -> Target:
    return Target("service_account" if row.kind == "service" else "user", row.id, row.username)


def described(clearance: Clearance, rows: Iterable[AssignmentRow]) -> list[AssignmentAnswer]:
    """The assignments that count where the caller may read, by givers that the caller may read."""
    seen = [row for row in rows if clearance.sees(row.domain)]
    named = clearance.nameable({row.assigned_by for row in seen if row.assigned_by})
    return [describe(row if row.assigned_by in named else row._replace(giver=None)) for row in seen]


def describe(row: AssignmentRow) -> AssignmentAnswer:
    """An assignment for the API."""
    return {
        "role": row.role,
        "domain": row.domain,
        "mode": row.mode,
        "reason": row.reason,
        "starts_at": row.valid_from,
        "expires_at": row.valid_to,
        "max_duration": row.max_duration,
        "assigned_at": row.assigned_at,
        "assigned_by": {"id": row.assigned_by, "username": row.giver}
        if row.assigned_by and row.giver
        else None,
    }
