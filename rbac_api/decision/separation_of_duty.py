"""Finds who violates a constraint, and when: interval arithmetic over assignments.

A constraint is about *authorized* roles (ANSI INCITS 359 section 6.3): assigned, or inherited through an
assigned one.  An assignment that is only eligible counts like any other.  Periods are half-open, so one that
ends when another begins does not overlap it.

    Jonas   approver  [Mon ........ Fri)
            releaser        [Wed ............
    a static constraint on both with the limit 2 is violated from Wednesday to Friday

A constraint is judged at ``root`` and at every domain with an assignment, where those of the ancestors count
too.  What is violated at ``root`` already is not repeated for the domains below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, zip_longest

from rbac_api.decision.domains import lineage
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Constraint

Period = tuple[datetime, datetime | None, str]  # from, until (None: open), and the holder or role
Stretch = tuple[tuple[str, ...], datetime, datetime | None]
Placed = tuple[str, Period]  # with its domain
Breaks = Callable[[Mapping[str, int]], tuple[str, ...]]


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
    domain: str = ROOT


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
        places = _places(_periods(graph, constraint, holder, at))
        for domain, (roles, since, until) in _violated_places(places, breaks(constraint)):  # type: ignore[misc]
            yield Violation(constraint.name, roles, since, until, holder.id, holder.name, alone, domain)


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
    crowd: dict[str, list[Placed]] = {role: [] for role in constraint.roles}
    for holder in holders:
        for domain, (since, until, role) in _periods(graph, constraint, holder, at):
            crowd[role].append((domain, (since, until, holder.id)))
    for role, placed in crowd.items():
        for domain, (roles, since, until) in _violated_places(_places(placed), _too_many(constraint, role)):
            yield Violation(constraint.name, roles, since, until, domain=domain)


def _periods(graph: RoleGraph, constraint: Constraint, holder: Holder, at: datetime) -> Iterator[Placed]:
    """Yield when the holder is authorized for which of the constraint's roles, from ``at`` on, and where."""
    for assignment in holder.assignments:
        since, closure = max(assignment.starts, at), graph.closures.get(assignment.role, frozenset())
        if assignment.ends is None or since < assignment.ends:
            for role in constraint.roles:
                if role in closure:
                    yield assignment.domain, (since, assignment.ends, role)


def _places(placed: Iterable[Placed]) -> dict[str, list[Period]]:
    """Return the periods by domain, each domain without those of its ancestors."""
    found: dict[str, list[Period]] = {ROOT: []}
    for domain, period in placed:
        found.setdefault(domain, []).append(period)
    return found


def _violated_places(places: Mapping[str, list[Period]], breaks: Breaks) -> Iterator[tuple[str, Stretch]]:
    """Yield where and when the same roles violate the constraint, by domain: at ``root``, and below it where
    that is not so at ``root``."""
    above = frozenset(_violated_periods(places[ROOT], breaks))
    for domain in sorted(places):
        counting = [period for place in lineage(domain) for period in places.get(place, ())]
        for stretch in _violated_periods(counting, breaks):
            if domain == ROOT or stretch not in above:
                yield domain, stretch


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
