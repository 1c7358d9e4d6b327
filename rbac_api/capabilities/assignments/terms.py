"""The terms of an assignment: its period, and whether it counts by itself or has to be activated; and its
domain, which is part of what it is and never changes, and has to be in the home of the role. Part of the
service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.roles import find_role
from rbac_api.decision.domains import is_in
from rbac_api.decision.model import ROOT, Mode
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleElsewhere, RoleNotFound
from rbac_api.trail.recorder import Target

MIN_ACTIVATION_SECONDS, MAX_ACTIVATION_SECONDS = 60, 86400  # seconds, of ``max_duration``
LATE = timedelta(seconds=60)  # how far in the past a beginning may be that means "now"
CurrentPolicy = Any  # the row of an assignment, or an object with its columns
COLUMNS = {
    "reason": "reason",
    "starts_at": "valid_from",
    "expires_at": "valid_to",
    "mode": "mode",
    "max_duration": "max_duration",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """The wanted terms. None keeps the present value; for a new assignment it means now, without an end,
    active.

    ``cleared`` names what becomes empty (no end, no reason). ``max_duration``: seconds of an activation.
    ``domain`` says which assignment of the role is meant.
    """

    reason: str | None = None
    starts_at: datetime | None = None
    expires_at: datetime | None = None
    mode: Mode | None = None
    max_duration: int | None = None
    domain: str = ROOT
    cleared: frozenset[str] = frozenset()

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Terms:
        """Terms from a body or a document: an omitted field stays, null clears it."""
        given = {name: body[name] for name in COLUMNS if body.get(name) is not None}
        cleared = frozenset(name for name in COLUMNS if name in body and name not in given)
        return cls(**given, domain=body.get("domain") or ROOT, cleared=cleared)

    def settled(self, present: CurrentPolicy | None, now: datetime) -> dict[str, Any]:
        """The new columns of the assignment; ``Invalid`` names every invalid field."""
        values = columns_of(present) if present is not None else _new(now)
        for wish in fields(self):
            given = getattr(self, wish.name)
            if wish.name in COLUMNS and (given is not None or wish.name in self.cleared):
                values[COLUMNS[wish.name]] = given
        values["mode"] = values["mode"] or "active"
        values["domain"] = self.domain
        faults = [*_begun(values, present, now), *self._ended(values, now), *self._lengths(values)]
        if faults:
            raise Invalid(faults=tuple(faults))
        return values

    def _ended(self, values: Mapping[str, Any], now: datetime) -> Iterator[Fault]:
        ends = values["valid_to"]
        if ends is None:
            return
        if ends <= now:
            yield Fault("/expires_at", "expires_at.past", "Must be in the future.")
        elif ends <= values["valid_from"]:
            pointer = "/starts_at" if self.expires_at is None else "/expires_at"
            yield Fault(pointer, "expires_at.before_start", "Must be after starts_at.")

    def _lengths(self, values: dict[str, Any]) -> Iterator[Fault]:
        if values["mode"] == "eligible":
            if (
                not MIN_ACTIVATION_SECONDS
                <= (values["max_duration"] or MIN_ACTIVATION_SECONDS)
                <= MAX_ACTIVATION_SECONDS
            ):
                yield Fault(
                    "/max_duration",
                    "field.invalid",
                    f"Must be from {MIN_ACTIVATION_SECONDS} to {MAX_ACTIVATION_SECONDS}.",
                )
        elif self.max_duration is not None:
            detail = "Only valid together with mode eligible."
            yield Fault("/max_duration", "max_duration.not_eligible", detail)
        else:
            values["max_duration"] = None


def _new(now: datetime) -> dict[str, Any]:
    return {
        "valid_from": now, "valid_to": None, "reason": None, "mode": "active", "max_duration": None,
    }  # fmt: skip


def columns_of(row: CurrentPolicy) -> dict[str, Any]:
    return {column: getattr(row, column) for column in COLUMNS.values()}


def _begun(values: dict[str, Any], present: CurrentPolicy | None, now: datetime) -> Iterator[Fault]:
    """Correct the beginning: what means "now" is now, what has begun stays begun."""
    starts, began = values["valid_from"] or now, present.valid_from if present is not None else None
    if starts != began:
        if starts < now - LATE:
            yield Fault("/starts_at", "starts_at.past", "Must not be in the past; omit it to start now.")
        starts = max(starts, now)
        if began is not None and began <= now:
            if starts > now:
                detail = "The assignment has already started. Revoke it and assign the role again."
                yield Fault("/starts_at", "starts_at.begun", detail)
            starts = began
    values["valid_from"] = starts


def differences(present: CurrentPolicy, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What changes, under the API's names: (as it was, as it will be)."""
    changed = [name for name, column in COLUMNS.items() if columns_of(present)[column] != values[column]]
    return (
        {name: _to_json(getattr(present, COLUMNS[name])) for name in changed},
        {name: _to_json(values[COLUMNS[name]]) for name in changed},
    )


def is_within(inner: Mapping[str, Any], outer: Mapping[str, Any], longest: int) -> bool:
    """Whether the inner terms at no moment count for more than the outer ones.

    ``longest`` is the limit of an activation where none is set.
    """
    if inner["valid_from"] < outer["valid_from"] or (inner["valid_to"] or clock.ENDLESS) > (
        outer["valid_to"] or clock.ENDLESS
    ):
        return False
    if outer["mode"] == "active":
        return True
    return inner["mode"] == "eligible" and (inner["max_duration"] or longest) <= (
        outer["max_duration"] or longest
    )


def to_audit(values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Of a new assignment's terms those that are not the ordinary ones, for the trail."""
    ordinary = _new(now)
    terms = {
        name: _to_json(values[column])
        for name, column in COLUMNS.items()
        if name != "reason" and values[column] != ordinary[column]
    }
    return {**where(values["domain"]), **terms}


def where(domain: str) -> dict[str, str]:
    """The domain for the trail and for documents, which say nothing of ``root``."""
    return {} if domain == ROOT else {"domain": domain}


def _to_json(value: Any) -> Any:
    return clock.rfc3339(value) if isinstance(value, datetime) else value


def require_activatable(holder: Target, values: Mapping[str, Any]) -> None:
    """422 for an eligible role that cannot be activated: of an account without sessions of its own, or at a
    domain, since an activation is for the session, which is at ``root``."""
    if values["mode"] == "eligible" and holder.type != "user":
        detail = "A service account has no sessions to activate roles in: assign the role as active."
        raise Invalid(faults=(Fault("/mode", "mode.not_eligible", detail),))
    if values["mode"] == "eligible" and values["domain"] != ROOT:
        detail = "A role can be activated at root only: assign it as active at this domain, or at root."
        raise Invalid(faults=(Fault("/mode", "mode.not_eligible", detail),))


class KnownRole(NamedTuple):
    """A role that exists, and its home."""

    id: str
    name: str
    home: str


def addressed(clearance: Clearance, user: str, role: str, domain: str) -> tuple[Clearance, Target, KnownRole]:
    """The clearance at the domain, the user and the role; 404 for the first of them that is unknown, or that
    the caller may not read."""
    found = queries.find_addressed(clearance.connection, user, role)
    if found is None:
        raise UserNotFound()
    clearance = clearance.over(found.user_home, "users:read", UserNotFound).at(domain)
    if found.role_id is None or found.role_home is None:
        raise RoleNotFound()
    known = KnownRole(found.role_id, role, found.role_home)
    _require_in_sight(clearance, known, domain)
    return clearance, Target("user", found.user_id, found.username), known


def placed(
    clearance: Clearance, holder: Target, role: str, domain: str
) -> tuple[Clearance, Target, KnownRole]:
    """The same for a holder that was found, with the clearance at its home."""
    clearance = clearance.at(domain)
    found = RoleNotFound.require(find_role(clearance.connection, role))
    known = KnownRole(found.id, role, found.home)
    _require_in_sight(clearance, known, domain)
    return clearance, holder, known


def _require_in_sight(clearance: Clearance, role: KnownRole, domain: str) -> None:
    """404, as for an unknown role, unless the role can be assigned at the domain or the caller may read it
    where it is at home."""
    known = is_assignable_at(role.home, domain) or clearance.everywhere
    if not known and not clearance.holds("roles:read", role.home):
        raise RoleNotFound()


def require_assignable_at(role: str, home: str, domain: str) -> None:
    """409 for a role that is at home elsewhere."""
    if not is_assignable_at(home, domain):
        raise RoleElsewhere(
            f"The role {role} is at home at {home}: it can be assigned there and below, not at {domain}."
        )


def is_assignable_at(home: str, domain: str) -> bool:
    """Whether a role with this home can be assigned at the domain."""
    return home == ROOT or is_in(domain, home)
