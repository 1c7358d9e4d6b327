"""Answers what a subject may do, what they hold and for how long, with which roles a session may begin, what
a change would hand out, and whether an administrator would remain."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    EVERYTHING,
    ROOT,
    Activation,
    Assignment,
    Constraint,
    Decision,
    Reason,
    Subject,
)

ESCALATE = "rbac:escalate"
ADMIN = "admin"
MAX_CLAIM_LENGTH = (
    2048  # characters of JSON: a whole token stays below the 4096 bytes that browsers take for a cookie
)


@dataclass(frozen=True, slots=True)
class EffectiveRole:
    """A role that a subject effectively has, and the assigned roles it comes from; ``via`` holds the role
    itself if assigned directly."""

    role: str
    via: tuple[str, ...]


def in_force(period: Assignment | Activation, at: datetime) -> bool:
    """Return whether an assignment or activation counts at that moment."""
    return period.starts <= at and (period.ends is None or at < period.ends)


def holding(subject: Subject, held: Iterable[Assignment]) -> Subject:
    """Return the subject, as it is at ``root``, with these assignments of all domains."""
    if subject.roles.domain != ROOT:
        return replace(subject, assignments=(), elsewhere=tuple(held))
    here: list[Assignment] = []
    elsewhere: list[Assignment] = []
    for one in held:
        (here if one.domain == ROOT else elsewhere).append(one)
    return replace(subject, assignments=tuple(here), elsewhere=tuple(elsewhere))


def active_roles(graph: RoleGraph, subject: Subject, at: datetime) -> frozenset[str]:
    """Return the roles active in the subject's session at that moment, without what they inherit (INCITS 359
    section 6.1.4, SessionRoles).

    Unless the session was begun with some roles only, those are all whose assignment counts.  Added to them
    are those activated since, as long as an assignment allows it.  Where a dynamic constraint forbids that
    many at once, all of those that were not chosen become inactive.
    """
    if subject.status != "active":
        return frozenset()
    counting, session = graph.seen_with(subject.second_factor), subject.roles
    given = frozenset(a.role for a in subject.assignments if a.mode == "active" and in_force(a, at))
    default, chosen = (
        (given, frozenset[str]()) if session.chosen is None else (frozenset[str](), session.chosen)
    )
    if session is not EVERYTHING:
        chosen &= counting.closure_of(given)
        chosen |= frozenset(a.role for a in session.activations if _is_allowed(counting, subject, a, at))
    for constraint in counting.dynamic:
        default, chosen = _giving_way(counting, constraint, default, chosen)
    return default | chosen


def _is_allowed(graph: RoleGraph, subject: Subject, activation: Activation, at: datetime) -> bool:
    """Return whether an activation counts: only while an assignment allows it that existed when it was made.

    A role that was taken away and given again brings no activation back.
    """
    return in_force(activation, at) and any(
        in_force(a, at)
        and a.starts <= activation.starts
        and activation.role in graph.closures.get(a.role, ())
        for a in subject.assignments
    )


def _giving_way(
    graph: RoleGraph, constraint: Constraint, default: frozenset[str], chosen: frozenset[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Remove the roles that a dynamic constraint keeps from being active together; those that were not chosen
    go first."""
    if not constraint.reached_by(graph.closure_of(default | chosen)):
        return default, chosen
    default = _without(graph, default, constraint)
    if constraint.reached_by(graph.closure_of(default | chosen)):
        chosen = _without(graph, chosen, constraint)
    return default, chosen


def _without(graph: RoleGraph, roles: frozenset[str], constraint: Constraint) -> frozenset[str]:
    return frozenset(role for role in roles if not graph.closure_of((role,)).intersection(constraint.roles))


def effective_roles(graph: RoleGraph, subject: Subject, at: datetime) -> tuple[EffectiveRole, ...]:
    """Return assigned and inherited roles, sorted by name (INCITS 359 section 6.2.1.3, AuthorizedRoles)."""
    via: dict[str, list[str]] = {}
    counting = graph.seen_with(subject.second_factor)
    for assigned in sorted(active_roles(graph, subject, at)):
        for role in counting.closures.get(assigned, frozenset()):
            via.setdefault(role, []).append(assigned)
    return tuple(EffectiveRole(role, tuple(via[role])) for role in sorted(via))


def claimed_roles(effective: Iterable[EffectiveRole]) -> tuple[str, ...]:
    """Return the names that go into a token: the effective roles, or if those do not fit into an HTTP header
    as many assigned ones as fit.

    A reader of the token then sees fewer roles, never more; this service itself does not decide by them.
    """
    roles = tuple(effective)
    if _fitting(roles) < len(roles):
        roles = tuple(role for role in roles if role.role in role.via)
    return tuple(role.role for role in roles[: _fitting(roles)])


def published_permissions(graph: RoleGraph) -> dict[str, frozenset[str]]:
    """Return what each role permits to a session whose token names it, for readers of tokens.

    A token names inherited roles too.  So a role that requires no second factor permits nothing through a
    junior that requires one: the token of a session with a second factor names that junior itself.  The union
    over the effective roles of any session is then exactly what ``decide`` allows in it.
    """
    lesser = graph.seen_with(second_factor=False).effective
    return {name: lesser.get(name, held) for name, held in graph.effective.items()}


def _fitting(roles: Sequence[EffectiveRole]) -> int:
    """Return how many of these, from the first on, fit into a token."""
    return bisect_right(list(accumulate(len(role.role) + 3 for role in roles)), MAX_CLAIM_LENGTH)


def effective_permissions(graph: RoleGraph, subject: Subject, at: datetime) -> frozenset[str]:
    """Return everything the subject may do at that moment (INCITS 359 section 6.1.4, UserPermissions)."""
    return graph.seen_with(subject.second_factor).held_by(active_roles(graph, subject, at))


def reachable_permissions(graph: RoleGraph, subject: Subject, at: datetime) -> frozenset[str]:
    """Return what the subject may do at that moment in any session of this kind: also with roles that have to
    be chosen or activated, as far as a dynamic constraint allows each of them alone."""
    if subject.status != "active":
        return frozenset()
    counting = graph.seen_with(subject.second_factor)
    roles = counting.closure_of(a.role for a in subject.assignments if in_force(a, at))
    rules = [rule for rule in counting.dynamic if rule.reached_by(roles)]
    if not rules:
        return counting.held_by(roles)
    alone = ((role, counting.closure_of((role,))) for role in roles)
    return counting.held_by(
        role for role, closure in alone if not any(rule.reached_by(closure) for rule in rules)
    )


def taken_away(
    before: tuple[RoleGraph, Subject], after: tuple[RoleGraph, Subject], at: datetime
) -> frozenset[str]:
    """Return what a change takes from the subject: what a new session allowed and allows no more, or what no
    session allows any more."""
    new_session = effective_permissions(*before, at) - effective_permissions(*after, at)
    return new_session | (reachable_permissions(*before, at) - reachable_permissions(*after, at))


def next_change(subject: Subject, at: datetime) -> datetime | None:
    """Return the first moment after ``at`` at which an assignment or activation begins or ends: until then
    the answers above stay the same."""
    periods: tuple[Assignment | Activation, ...] = (*subject.assignments, *subject.roles.activations)
    edges = [
        edge for period in periods for edge in (period.starts, period.ends) if edge is not None and edge > at
    ]
    return min(edges, default=None)


def decide(graph: RoleGraph, subject: Subject, permission: str | None, at: datetime) -> Decision:
    """Return whether the subject may do what ``permission`` names at that moment, and why; None requires only
    an active subject.

    Anything unknown is refused (deny by default): a permission that does not exist, a role that does not
    exist.
    """
    if subject.status != "active":
        return Decision(False, (Reason("disabled", f"the account is {subject.status}"),))
    if permission is None:
        return Decision(True, (Reason("signed-in", "any user in good standing may do this"),))
    active, counting = active_roles(graph, subject, at), graph.seen_with(subject.second_factor)
    granting = tuple(role for role in sorted(active) if permission in counting.effective.get(role, ()))
    if granting:
        return Decision(
            True, tuple(Reason("granted", f"{role} holds {permission}") for role in granting), granting
        )
    return Decision(False, tuple(_refusals(graph, subject, permission, at)))


def _refusals(graph: RoleGraph, subject: Subject, permission: str, at: datetime) -> Iterable[Reason]:
    for assignment in subject.assignments:
        if permission in graph.effective.get(assignment.role, ()):
            yield _why_not(graph, subject, assignment, permission, at)
    yield Reason("nothing-grants", f"none of your roles grants {permission}")


def _why_not(
    graph: RoleGraph, subject: Subject, assignment: Assignment, permission: str, at: datetime
) -> Reason:
    """Say why an assignment of a role that holds the permission does not grant it."""
    role = assignment.role
    if assignment.starts > at:
        return Reason("not-started", f"the assignment of {role} has not started yet")
    if not in_force(assignment, at):
        return Reason("expired", f"the assignment of {role} has expired")
    counting = graph.seen_with(subject.second_factor)
    if permission not in counting.effective.get(role, ()):
        return needs_second_factor(role)
    if assignment.mode == "eligible":
        return Reason("not-active", f"{role} must first be activated in this session")
    if subject.roles.chosen is not None:
        return Reason("not-active", f"{role} is not one of the roles this session was started with")
    return Reason(
        "not-active", f"{role} is kept inactive by a dynamic constraint: activate it in this session"
    )


def needs_second_factor(role: str) -> Reason:
    """Say why a role of the subject does not count in this session."""
    return Reason("mfa", f"{role} is effective only after signing in with a second factor")


def missing(held: AbstractSet[str], handed_out: Iterable[str]) -> tuple[str, ...]:
    """Return the permissions that a change hands out and the caller does not hold; no caller may grant
    those."""
    return () if ESCALATE in held else tuple(sorted(set(handed_out) - held))


def always_covered(assignments: Iterable[Assignment], at: datetime) -> bool:
    """Return whether at every moment from ``at`` on at least one of the assignments is in force, with the
    ends already set."""
    reached = at
    for assignment in sorted(assignments, key=lambda a: a.starts):
        if assignment.starts > reached:
            return False
        if assignment.ends is None:
            return True
        reached = max(reached, assignment.ends)
    return False


def unauthorized(graph: RoleGraph, subject: Subject, roles: Iterable[str], at: datetime) -> tuple[str, ...]:
    """Return those of these roles that the subject may not begin a session with: not assigned as active, nor
    inherited."""
    given = (a.role for a in subject.assignments if a.mode == "active" and in_force(a, at))
    return tuple(sorted(frozenset(roles) - graph.seen_with(subject.second_factor).closure_of(given)))


def carried_roles(
    graph: RoleGraph, subject: Subject, at: datetime, until: datetime
) -> tuple[tuple[EffectiveRole, ...], datetime]:
    """Return the roles that a token issued now names, and the end of its time: the first moment, ``until`` at
    the latest, at which one of them is no longer effective.

    Tokens count in whole seconds, so these are the roles that are effective now and still when this second
    ends.  An assignment that begins may take a role away too, under a dynamic constraint.
    """
    roles, edge = effective_roles(graph, subject, at), next_change(subject, at)
    second = at.replace(microsecond=0) + timedelta(seconds=1)
    if edge is not None and edge <= second:
        lasting_names = _names(effective_roles(graph, subject, second))
        roles, edge = tuple(r for r in roles if r.role in lasting_names), next_change(subject, second)
    while edge is not None and edge < until:
        if not _names(roles) <= _names(effective_roles(graph, subject, edge)):
            return roles, edge
        edge = next_change(subject, edge)
    return roles, until


def _names(roles: Iterable[EffectiveRole]) -> frozenset[str]:
    return frozenset(role.role for role in roles)


def lasting(subject: Subject, moment: datetime) -> Subject:
    """Return the subject without every assignment and activation that ends before that moment."""
    assignments = tuple(a for a in subject.assignments if a.ends is None or a.ends >= moment)
    activations = tuple(a for a in subject.roles.activations if a.ends >= moment)
    roles = replace(subject.roles, activations=activations) if subject.roles.activations else subject.roles
    return replace(subject, assignments=assignments, roles=roles)
