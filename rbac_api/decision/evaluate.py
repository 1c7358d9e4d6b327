"""The questions: may she, what does she hold, what would she hand out, would anybody be left to administrate."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Decision, Reason, Subject

ESCALATE = "rbac:escalate"
ADMIN = "admin"
LONGEST_CLAIM = (
    2048  # characters of JSON: a whole token stays below the 4096 bytes that browsers take for a cookie
)


@dataclass(frozen=True, slots=True)
class EffectiveRole:
    """A role somebody effectively has, and the assigned roles it comes through; ``via`` holds the role itself if assigned directly."""

    role: str
    via: tuple[str, ...]


def roles_in_force(subject: Subject, at: datetime) -> frozenset[str]:
    """The roles assigned to the subject that count at that moment; none unless the subject is active."""
    if subject.status != "active":
        return frozenset()
    return frozenset(assignment.role for assignment in subject.assignments if assignment.in_force(at))


def effective_roles(graph: RoleGraph, subject: Subject, at: datetime) -> tuple[EffectiveRole, ...]:
    """Assigned and inherited roles, sorted by name (INCITS 359 section 6.2.1.3, AuthorizedRoles)."""
    via: dict[str, list[str]] = {}
    counting = graph.seen_with(subject.second_factor)
    for assigned in sorted(roles_in_force(subject, at)):
        for role in counting.closures.get(assigned, frozenset()):
            via.setdefault(role, []).append(assigned)
    return tuple(EffectiveRole(role, tuple(via[role])) for role in sorted(via))


def claimed_roles(effective: Iterable[EffectiveRole]) -> tuple[str, ...]:
    """The names that go into a token: the effective roles, or if those would not fit into an HTTP header the assigned ones, as far as
    they fit.  Whoever reads the token then sees fewer roles, never more; this service itself does not decide by them."""
    roles = tuple(effective)
    if _fitting(roles) < len(roles):
        roles = tuple(role for role in roles if role.role in role.via)
    return tuple(role.role for role in roles[: _fitting(roles)])


def _fitting(roles: Sequence[EffectiveRole]) -> int:
    """How many of these, from the first on, have room in a token."""
    return bisect_right(list(accumulate(len(role.role) + 3 for role in roles)), LONGEST_CLAIM)


def effective_permissions(graph: RoleGraph, subject: Subject, at: datetime) -> frozenset[str]:
    """Everything the subject may do at that moment (INCITS 359 section 6.1.4, UserPermissions)."""
    return graph.seen_with(subject.second_factor).held_by(roles_in_force(subject, at))


def next_change(subject: Subject, at: datetime) -> datetime | None:
    """The first moment after ``at`` at which an assignment begins or ends: until then the answers above stay the same."""
    edges = [
        edge for a in subject.assignments for edge in (a.starts, a.ends) if edge is not None and edge > at
    ]
    return min(edges, default=None)


def decide(graph: RoleGraph, subject: Subject, permission: str | None, at: datetime) -> Decision:
    """Whether the subject may do what ``permission`` names at that moment, and why; None asks only for a subject in good standing.

    Anything unknown is refused (deny by default): a permission that does not exist, a role that does not exist.
    """
    if subject.status != "active":
        return Decision(False, (Reason("disabled", f"the account is {subject.status}"),))
    if permission is None:
        return Decision(True, (Reason("signed-in", "any user in good standing may do this"),))
    assigned, counting = sorted(roles_in_force(subject, at)), graph.seen_with(subject.second_factor)
    granting = tuple(role for role in assigned if permission in counting.effective.get(role, ()))
    if granting:
        return Decision(
            True, tuple(Reason("granted", f"{role} holds {permission}") for role in granting), granting
        )
    return Decision(False, tuple(_refusals(graph, subject, permission, at)))


def _refusals(graph: RoleGraph, subject: Subject, permission: str, at: datetime) -> Iterable[Reason]:
    for assignment in subject.assignments:
        if permission in graph.effective.get(assignment.role, ()):
            if assignment.in_force(at):
                yield needs_second_factor(assignment.role)
                continue
            early = assignment.starts > at
            yield Reason(
                "not-started" if early else "expired",
                f"{assignment.role} {'does not count yet' if early else 'counts no more'}",
            )
    yield Reason("nothing-grants", f"no role that you hold grants {permission}")


def needs_second_factor(role: str) -> Reason:
    """Why a role that somebody has does not count in this session."""
    return Reason("mfa", f"{role} counts only after signing in with a second factor")


def missing(held: frozenset[str], handed_out: Iterable[str]) -> tuple[str, ...]:
    """Of the permissions a change hands out, those the giver does not hold; nobody may grant what she does not hold."""
    return () if ESCALATE in held else tuple(sorted(set(handed_out) - held))


def always_covered(assignments: Iterable[Assignment], at: datetime) -> bool:
    """Whether at every moment from ``at`` on at least one of the assignments is in force, expiries already set included."""
    reached = at
    for assignment in sorted(assignments, key=lambda a: a.starts):
        if assignment.starts > reached:
            return False
        if assignment.ends is None:
            return True
        reached = max(reached, assignment.ends)
    return False
