"""Lists which roles the caller may assign to a user, and what prevents the others. Part of the service.

Every check is one that ``assign_role`` makes: the list and the assignment cannot disagree.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.assignments.answers import AvailableRoleAnswer
from rbac_api.capabilities.assignments.service import ORDINARY, Check, checks_of
from rbac_api.capabilities.assignments.terms import is_assignable_at, require_assignable_at
from rbac_api.capabilities.constraints.service import require_assignable
from rbac_api.capabilities.domains.service import require_domain_in_sight
from rbac_api.capabilities.users.service import find_user_at_home
from rbac_api.database.queries.assignments import AssignmentRow
from rbac_api.decision.domains import home_of
from rbac_api.decision.model import ROOT, Assignment
from rbac_api.decision.separation_of_duty import Holder
from rbac_api.errors import Conflict, Forbidden, ServiceError, Unauthenticated
from rbac_api.formats.paging import Page, PageRequest
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.rules import not_held, require_allowed
from rbac_api.guard.errors import AccessDenied
from rbac_api.trail.recorder import Target

_REFUSALS = (Unauthenticated, Forbidden, Conflict)
ASSIGNING = "assignments:create"  # what ``PUT /v1/users/{user_id}/roles/{role}`` requires


def list_available_roles(
    clearance: Clearance, user_id: str, page: PageRequest, domain: str = ROOT
) -> Page[AvailableRoleAnswer]:
    """All roles by name, each with whether the caller may assign it to this user now, at that domain and
    without an end.

    404 for an unknown user or domain; 403 unless the caller may assign roles or read them.
    """
    here, user = find_user_at_home(clearance, user_id)
    if here.held.isdisjoint((ASSIGNING, "roles:read")):
        raise AccessDenied("You need the permission roles:read.", required="roles:read")
    require_domain_in_sight(clearance, domain)
    held = queries.list_held(clearance.connection, user.id, clock.now())
    names = sorted(name for name in clearance.graph().roles if _in_sight(clearance, name, domain))
    rest = names[bisect_right(names, str(page.after[0])) :] if page.after else names
    target = Target("user", user.id, user.username)
    there = clearance.looking_at(domain)
    always = list(_refusals(_checks_of_route(there, user.home)))
    with clearance.work.database.streaming() as connection:
        items = [
            _describe(role, chain(always, _refusals(_checks(there, connection, target, role, held))))
            for role in rest[: page.limit]
        ]
    more = len(items) < len(rest)
    return Page(items, (items[-1]["role"],) if more else None, len(names) if page.count else None)


def _in_sight(clearance: Clearance, role: str, domain: str) -> bool:
    """Whether the role can be assigned at the domain, or the caller may read it at its home."""
    home = home_of(role)
    return clearance.everywhere or is_assignable_at(home, domain) or clearance.holds("roles:read", home)


def _checks_of_route(there: Clearance, home: str) -> tuple[Check, ...]:
    """What the guard requires before it assigns any role to a user with this home."""
    caller = there.person

    def assigning() -> None:
        if not caller.domains_granting(ASSIGNING):
            require_allowed(caller, ASSIGNING)
        for place in (home, there.domain):
            if not there.holds(ASSIGNING, place):
                raise not_held(ASSIGNING, place)

    return (assigning, there.require_recent_signin)


def _checks(
    there: Clearance, connection: Connection, user: Target, role: str, held: list[AssignmentRow]
) -> Iterator[Check]:
    """The checks of this assignment; one that is there already changes nothing and breaks no constraint."""
    domain = there.domain
    present = queries.same_place(held, role, domain)
    terms = replace(ORDINARY, domain=domain)
    if present is None:
        yield lambda: require_assignable_at(role, home_of(role), domain)
    yield from checks_of(there, user, role, terms.settled(present, clock.now()), held)
    if present is None:
        given = (Assignment(one.role, one.valid_from, one.valid_to, one.mode, one.domain) for one in held)
        holder = Holder(user.id or "", user.name or "", tuple(given))
        yield lambda: require_assignable(there, connection, holder, role, domain)


def _refusals(checks: Iterable[Check]) -> Iterator[ServiceError]:
    for check in checks:
        try:
            check()
        except _REFUSALS as refusal:
            yield refusal


def _describe(role: str, refusals: Iterable[ServiceError]) -> AvailableRoleAnswer:
    because = list(refusals)
    lacking = (one.members["missing"] for one in because if "missing" in one.members)
    return {
        "role": role,
        "may": not because,
        "because": [{"code": one.code, "detail": one.detail} for one in because],
        "missing": next(lacking, []),
    }
