"""Finds who violates a constraint, and when: interval arithmetic over assignments.

A constraint is about *authorized* roles (ANSI INCITS 359 section 6.3): assigned, or inherited through an
assigned one.  An assignment that is only eligible counts like any other.  Periods are half-open, so one that
ends when another begins does not overlap it.

    Jonas   approver  [Mon ........ Fri)
            releaser        [Wed ............
    a static constraint on both with the limit 2 is violated from Wednesday to Friday
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Constraint

Period = tuple[datetime, datetime | None, str]  # from, until (None: open), and the holder or role
Stretch = tuple[tuple[str, ...], datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class Holder:
    """A user or service account with the assignments that are not over and may concern the constraint."""

    id: str
    name: str
    assignments: tuple[Assignment, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """A period in which a constraint is violated: ``since <= moment < until``.

    ``roles`` are those of its set that come together; of a ``requires`` the first and those that are missing;
    of ``max-holders`` the one with too many holders, which no single user violates (``user_id`` None).
    """

    constraint: str
    roles: tuple[str, ...]
    since: datetime
    until: datetime | None
    user_id: str | None = None
    username: str | None = None
    alone: bool = False  # the first of the roles is held without the others


def violations(
    graph: RoleGraph, constraint: Constraint, holders: Iterable[Holder], at: datetime
) -> Iterator[Violation]:
    """Yield how these holders violate the constraint, from ``at`` on; in their order.

    ``max-holders`` looks at all of them together.  A ``dynamic`` one is enforced by construction at every
    decision (``active_roles``), so it is never violated.
    """
    if constraint.kind == "max-holders":
        yield from _crowds(graph, constraint, holders, at)
        return
    breaks = {"static": _held_together, "requires": _missing_required}.get(constraint.kind)
    alone = breaks is _missing_required
    for holder in holders if breaks else ():
        periods = _periods(graph, constraint, holder, at)
        for roles, since, until in _violated_periods(periods, breaks(constraint)):  # type: ignore[misc]
            yield Violation(constraint.name, roles, since, until, holder.id, holder.name, alone)


def dynamic_conflicts(graph: RoleGraph, roles: Iterable[str]) -> tuple[Constraint, ...]:
    """Return the dynamic constraints that keep these roles, with all they inherit, from being active together
    in one session."""
    active = graph.closure_of(roles)
    return tuple(constraint for constraint in graph.dynamic if constraint.reached_by(active))


def touches(graph: RoleGraph, constraint: Constraint, roles: Iterable[str]) -> bool:
    """Return whether the constraint is about one of these roles, or about one that they inherit."""
    return not graph.closure_of(roles).isdisjoint(constraint.roles)


def _crowds(
    graph: RoleGraph, constraint: Constraint, holders: Iterable[Holder], at: datetime
) -> Iterator[Violation]:
    crowd: dict[str, list[Period]] = {role: [] for role in constraint.roles}
    for holder in holders:
        for since, until, role in _periods(graph, constraint, holder, at):
            crowd[role].append((since, until, holder.id))
    for role, periods in crowd.items():
        for roles, since, until in _violated_periods(periods, _too_many(constraint, role)):
            yield Violation(constraint.name, roles, since, until)


def _periods(graph: RoleGraph, constraint: Constraint, holder: Holder, at: datetime) -> list[Period]:
    """Return when the holder is authorized for which of the constraint's roles, from ``at`` on."""
    found: list[Period] = []
    for assignment in holder.assignments:
        since, closure = max(assignment.starts, at), graph.closures.get(assignment.role, frozenset())
        if assignment.ends is None or since < assignment.ends:
            found += [(since, assignment.ends, role) for role in constraint.roles if role in closure]
    return found


Breaks = Callable[[Mapping[str, int]], tuple[str, ...]]


def _held_together(constraint: Constraint) -> Breaks:
    """Return the present roles of a static constraint, if they are too many."""
    return lambda there: (
        tuple(role for role in constraint.roles if role in there)
        if constraint.reached_by(frozenset(there))
        else ()
    )


def _missing_required(constraint: Constraint) -> Breaks:
    """Return the first role of a requirement and those it lacks, if it is there without them."""
    first, others = constraint.roles[:1], constraint.roles[1:]

    def breaks(there: Mapping[str, int]) -> tuple[str, ...]:
        lacking = tuple(role for role in others if role not in there)
        return (*first, *lacking) if lacking and first[0] in there else ()

    return breaks


def _too_many(constraint: Constraint, role: str) -> Breaks:
    """Return the role of a ``max-holders`` constraint, if it has more holders than its limit."""
    return lambda there: (role,) if constraint.limit is not None and len(there) > constraint.limit else ()


def _violated_periods(periods: Iterable[Period], breaks: Breaks) -> Iterator[Stretch]:
    """Yield the periods in which the same roles violate the constraint."""
    judged = ((breaks(there), since, until) for since, until, there in _sweep(periods))
    for roles, same in groupby(judged, key=lambda stretch: stretch[0]):
        parts = list(same)
        if roles:
            yield roles, parts[0][1], parts[-1][2]


def _sweep(periods: Iterable[Period]) -> Iterator[tuple[datetime, datetime | None, Mapping[str, int]]]:
    """Cut time wherever a role or holder begins or ends; yield each piece with what is present (how often),
    valid until the next piece."""
    changes: dict[datetime, list[tuple[str, int]]] = {}
    for since, until, who in periods:
        changes.setdefault(since, []).append((who, 1))
        if until is not None:
            changes.setdefault(until, []).append((who, -1))
    moments, there = sorted(changes), Counter[str]()
    for moment, following in zip_longest(moments, moments[1:]):
        for who, step in changes[moment]:
            there[who] += step
            if not there[who]:
                del there[who]
        yield moment, following, there
