"""Ends many sessions of any users at once: for when an address, an app or a role was taken over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.errors import SessionsCountDiffers
from rbac_api.capabilities.sessions.filters import conditions
from rbac_api.capabilities.sessions.service import Termination, close_sessions, freeze_sessions
from rbac_api.database.queries.sessions import is_active
from rbac_api.database.queries.users import audit_reference
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import AccessDenied
from rbac_api.trail.recorder import Target

_COUNTS = (
    "You need the permission sessions:read to count sessions, as a dry run or an expected_count of 0 does."
)


def revoke_sessions(clearance: Clearance, body: Mapping[str, Any]) -> dict[str, object]:
    """End every active session that matches the filter, in one transaction: all, if they are as many as
    expected, or none.  They are those of users at home where the caller may revoke sessions.

    409 ``sessions.count_differs`` if they are not; 403 ``target.stronger`` if one of them belongs to a user
    who holds more than the caller.  A dry run returns the number, and is refused like the real one.  No user
    can sign in between counting and ending.  A caller without ``sessions:read`` gets no number, and no
    success where nothing was ended.
    """
    _require_said_openly(body)
    reads = all(clearance.holds("sessions:read", domain) for domain in clearance.domains_granting())
    if not reads and (body["dry_run"] or not body["expected_count"]):
        raise AccessDenied(_COUNTS, required="sessions:read")
    connection, dry_run = clearance.connection, body["dry_run"]
    if not dry_run:
        freeze_sessions(connection)
    fitting = [*conditions(clearance, body["filter"]), is_active(clock.now())]
    affected = queries.count_by_user(connection, fitting)
    count = sum(user.sessions for user in affected)
    clearance.require_outranks_users(
        {user.user_id: user.username for user in affected if user.user_id != clearance.actor.id}
    )
    if not dry_run and count != body["expected_count"]:
        raise _differs(count, body["expected_count"]) if reads else SessionsCountDiffers(_ANOTHER)
    if count and not dry_run:
        _end(clearance, fitting, count, body)
    return {"count": count, "dry_run": dry_run}


_ANOTHER = (
    "The number of active sessions that match the filter is not the expected one. Nothing was ended. To "
    "see the number, you need the permission sessions:read."
)


def _differs(count: int, expected: int) -> SessionsCountDiffers:
    detail = f"{count} active sessions match the filter, not {expected}. Nothing was ended."
    return SessionsCountDiffers(detail, count=count)


def _require_said_openly(body: Mapping[str, object]) -> None:
    """422 unless it is clear which sessions are meant and, except in a dry run, how many there are and why
    they end."""
    faults = []
    if not body["filter"]:
        everybody = 'Name at least one member; {"state": "active"} means the sessions of all users.'
        faults.append(Fault("/filter", "filter.empty", everybody))
    if not body["dry_run"]:
        wanting = [name for name in ("expected_count", "reason") if name not in body]
        detail = "This field is required unless dry_run is true."
        faults += [Fault(f"/{name}", "revocation.incomplete", detail) for name in wanting]
    if faults:
        raise Invalid(faults=tuple(faults))


def _end(
    clearance: Clearance, fitting: list[ColumnElement[bool]], count: int, body: Mapping[str, Any]
) -> None:
    ending = Termination(clearance.actor.id, "admin")
    close_sessions(clearance.connection, clearance.settings, queries.is_among(fitting), ending)
    criteria = {
        name: clock.rfc3339(value) if isinstance(value, datetime) else value
        for name, value in body["filter"].items()
    }
    if "user" in criteria:
        secret = clearance.settings.secret_key
        criteria["user"] = audit_reference(clearance.connection, secret, criteria["user"])
    facts = {"count": count, "filter": criteria, "end_reason": ending.reason}
    target = Target("sessions", home=clearance.only_domain)
    clearance.record("sessions.revoked", target, reason=body["reason"], after=facts)
