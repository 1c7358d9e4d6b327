"""Activates and drops roles in one session, and lists which it could activate (ANSI INCITS 359 sections
6.1.2, 6.2.2 and 6.4.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rbac_api import clock
from rbac_api.capabilities.activations import queries
from rbac_api.capabilities.activations.errors import ActivationNotEligible, ActivationNotFound
from rbac_api.capabilities.constraints.service import require_compatible
from rbac_api.capabilities.sessions.service import choose_roles
from rbac_api.capabilities.users.service import find_user
from rbac_api.database.queries.roles import get_role_id
from rbac_api.database.queries.sessions import SessionRow, find_session_roles, get_session
from rbac_api.database.queries.subjects import get_subject
from rbac_api.database.queries.users import UserRow
from rbac_api.database.types import new_id
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import active_roles, in_force, needs_second_factor
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import SessionRoles, Subject
from rbac_api.errors import Fault, Invalid
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import note_authority_change
from rbac_api.trail.recorder import Target


@dataclass(frozen=True, slots=True)
class ActivationContext:
    """A session at one moment, with the assignments that allow activations, by role."""

    now: datetime
    session: SessionRow
    user: UserRow
    graph: RoleGraph
    subject: Subject
    offers: dict[str, list[queries.Offer]]

    @property
    def target(self) -> Target:
        """The session as the trail names it."""
        return Target("session", self.session.id, self.user.username)

    def active(self, roles: SessionRoles | None = None) -> frozenset[str]:
        """The active roles; with other ``roles`` of the session, those that would be active."""
        subject = self.subject if roles is None else replace(self.subject, roles=roles)
        return active_roles(self.graph, subject, self.now)


def list_activations(clearance: Clearance, page: PageRequest) -> Page[dict[str, object]]:
    """Every role that is or could be active in this session, by name, with its state."""
    context = _look(clearance)
    present = queries.list_activations(clearance.connection, context.session.id, context.now)
    counting = context.graph.seen_with(clearance.second_factor)
    active = counting.closure_of(context.active())
    names = sorted(name for name in context.offers if page.after is None or name > str(page.after[0]))
    total = len(context.offers) if page.count else None
    found = cut(names[: page.limit + 1], page, lambda name: (name,), total)
    return found.map(lambda name: _describe(clearance, context, name, active, present.get(name)))


def activate_role(
    clearance: Clearance, role: str, duration: int, reason: str
) -> tuple[dict[str, object], bool]:
    """Make a role active in the session of this request. Returns its state, and whether it was not activated
    before.

    403 ``activation.not_eligible``, 409 ``constraint.violated``, 422 for a duration over the maximum.
    """
    context = _look(clearance)  # under the write lock: earlier reads may no longer hold
    offers = _offers(context, role)
    longest = max(_longest(clearance, offer) for offer in offers)
    if duration > longest:
        raise Invalid(faults=(Fault("/duration", "duration.too_long", f"At most {longest} seconds."),))
    person = {"id": context.user.id, "username": context.user.username}
    counting = context.graph.seen_with(clearance.second_factor)
    require_compatible(counting, context.active() | {role}, person)
    allowed = max(o.valid_to or clock.ENDLESS for o in offers if _longest(clearance, o) >= duration)
    until = min(context.now + timedelta(seconds=duration), allowed, context.session.absolute_expires_at)
    connection, role_id = clearance.connection, get_role_id(clearance.connection, role)
    before = queries.list_activations(connection, context.session.id, context.now).get(role)
    queries.end_activations(connection, context.session.id, role_id, context.now)
    row = {
        "id": new_id(), "session_id": context.session.id, "user_id": context.user.id, "role_id": role_id,
        "valid_from": context.now, "valid_to": until, "reason": reason,
    }  # fmt: skip
    queries.add_activation(connection, row)
    was = {"role": role, "until": clock.rfc3339(before.valid_to)} if before else None
    after = {"role": role, "until": clock.rfc3339(until)}
    clearance.record("activation.created", context.target, reason=reason, before=was, after=after)
    present = queries.list_activations(connection, context.session.id, context.now)[role]
    return _describe(clearance, context, role, frozenset((role,)), present), before is None


def drop_role(clearance: Clearance, role: str) -> None:
    """Make a role inactive in the session of this request; 404 ``activation.not_found`` if it is not active.

    If it would still be active, since the session has no chosen roles, the remaining roles are chosen now.
    """
    context, connection = _look(clearance), clearance.connection
    if role not in context.active():
        raise ActivationNotFound()
    note_authority_change(
        connection, clearance.settings, [context.user.id]
    )  # the user's row before the session's
    queries.end_activations(connection, context.session.id, get_role_id(connection, role), context.now)
    held = context.subject.roles
    left = replace(held, activations=tuple(a for a in held.activations if a.role != role))
    remaining = context.active(left)
    if role in remaining:
        activated = frozenset(a.role for a in left.activations)
        chosen = remaining - activated if held.chosen is None else held.chosen
        choose_roles(connection, context.session.id, chosen - {role})
    clearance.record("activation.ended", context.target, before={"role": role})


def _look(clearance: Clearance) -> ActivationContext:
    connection, now = clearance.connection, clock.now()
    user = find_user(connection, clearance.actor.id or "")
    session = get_session(connection, clearance.actor.session_id or "")
    roles = find_session_roles(connection, session.id, session.begun, now)
    held = get_subject(connection, user.id, now, second_factor=clearance.second_factor, roles=roles)
    subject = at_domain(held, session.domain)
    graph = clearance.graph()
    counting = graph.seen_with(clearance.second_factor)
    offers: dict[str, list[queries.Offer]] = {}
    for offer in queries.list_offers(connection, user.id, now, session.domain):
        for name in counting.closures.get(offer.name, ()):
            offers.setdefault(name, []).append(offer)
    return ActivationContext(now, session, user, graph, subject, offers)


def _offers(context: ActivationContext, role: str) -> list[queries.Offer]:
    """The assignments that allow the activation; 403 if there are none."""
    if role in context.offers:
        return context.offers[role]
    held = (a.role for a in context.subject.assignments if in_force(a, context.now))
    if role in context.graph.closure_of(held):  # so that only the second factor is missing
        raise ActivationNotEligible(f"The role {needs_second_factor(role).detail}.")
    raise ActivationNotEligible()


def _longest(clearance: Clearance, offer: queries.Offer) -> int:
    return offer.max_duration or clearance.settings.activation_seconds


def _describe(
    clearance: Clearance,
    context: ActivationContext,
    role: str,
    active: frozenset[str],
    present: queries.Activated | None,
) -> dict[str, object]:
    offers = context.offers[role]
    ends = max(offer.valid_to or clock.ENDLESS for offer in offers)
    counts = present if role in active else None
    return {
        "role": role,
        "mode": "active" if any(offer.mode == "active" for offer in offers) else "eligible",
        "active": role in active,
        "until": counts.valid_to if counts else None,
        "reason": counts.reason if counts else None,
        "max_duration": max(_longest(clearance, offer) for offer in offers),
        "expires_at": None if ends == clock.ENDLESS else ends,
    }
