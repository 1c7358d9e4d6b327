"""Explains a decision: every path by which a permission reaches a subject, and if there is none, what
prevents it.

It is built on what enforcement itself uses (``active_roles`` and ``decide``), so an explanation cannot differ
from what happens.  A path leads from an assignment over roles that inherit each other to a role that holds
the permission directly.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from rbac_api.decision.evaluate import active_roles, decide, in_force
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import Activation, Assignment, Reason, Subject

MAX_PATHS = 100
MAX_STEPS = 5_000  # of all paths together: what a user can read, and an answer can carry
MAX_EDGES_TRIED = 50_000  # edges; only cycles, written into the database directly, need more
MAX_REASONS = 100


@dataclass(frozen=True, slots=True)
class Path:
    """One path: the assignment, the roles from the assigned one to the one that holds the permission, each
    inheriting the next, and the activation without which it would not count."""

    assignment: Assignment
    roles: tuple[str, ...]
    activation: Activation | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision, for a yes its ``paths``, for a no what prevents it; ``truncated``: there are more."""

    decision: bool
    paths: tuple[Path, ...] = ()
    because: tuple[Reason, ...] = ()
    truncated: bool = False


def explain(graph: RoleGraph, subject: Subject, permission: str, at: datetime) -> Explanation:
    """Explain why the subject may, or may not, do what ``permission`` names at that moment; ``decide`` always
    gives the same answer.

    ``subject.assignments`` may include ended ones: they give the reason ``expired``.
    """
    decision = decide(graph, subject, permission, at)
    if not decision.allowed:
        reasons = dict.fromkeys(_neutral(reason, permission) for reason in decision.reasons)
        listed = [reason for reason in reasons if reason.code != "nothing-grants"] or list(reasons)
        return Explanation(False, (), tuple(listed[:MAX_REASONS]), len(listed) > MAX_REASONS)
    paths, truncated = _bounded(_paths(graph.seen_with(subject.second_factor), subject, permission, at))
    return Explanation(True, paths, (), truncated)


def _neutral(reason: Reason, permission: str) -> Reason:
    """Rewrite the reasons so that they also suit readers other than the subject."""
    if reason.code == "nothing-grants":
        return replace(reason, detail=f"no effective role grants {permission}")
    return reason


def _bounded(found: Iterator[Path | None]) -> tuple[tuple[Path, ...], bool]:
    """Return as many paths as can be read, each once; None among them says that the search was stopped."""
    kept: dict[Path, None] = {}
    steps = 0
    for path in found:
        if path is None:
            return tuple(kept), True
        if path in kept:  # from another role of the session, on the same path
            continue
        if kept and (len(kept) == MAX_PATHS or steps + len(path.roles) > MAX_STEPS):
            return tuple(kept), True
        kept[path] = None
        steps += len(path.roles)
    return tuple(kept), False


def _paths(graph: RoleGraph, subject: Subject, permission: str, at: datetime) -> Iterator[Path | None]:
    active = active_roles(graph, subject, at)
    reach = graph.closure_of(active)
    holders = frozenset(_holders(graph, reach, permission))
    distance = _distances(graph, holders, reach)
    for role in sorted(active.intersection(distance)):
        for assignment, activation in _grounds(graph, subject, role, at):
            head = _way_between(graph, assignment.role, role)[:-1]
            for tail in _ways_down(graph, role, distance, holders):
                yield Path(assignment, head + tail, activation) if tail else None


def _grounds(
    graph: RoleGraph, subject: Subject, role: str, at: datetime
) -> Iterator[tuple[Assignment, Activation | None]]:
    """Return the assignments that make this role active: its own, and where it was chosen or activated also
    those of roles that inherit it."""
    chosen, activations = subject.roles.chosen, subject.roles.activations
    activation = next((a for a in activations if a.role == role and in_force(a, at)), None)
    counting = [assignment for assignment in subject.assignments if in_force(assignment, at)]
    for assignment in sorted(counting, key=lambda a: (a.role, a.starts, a.mode)):
        active = assignment.mode == "active"
        if active and assignment.role == role and (chosen is None or role in chosen):
            yield assignment, None
        elif role in graph.closures.get(assignment.role, ()) and (
            activation is not None or (active and role in (chosen or ()))
        ):
            yield assignment, activation


def _holders(graph: RoleGraph, reach: Iterable[str], permission: str) -> Iterator[str]:
    """Return those of these roles that hold the permission directly."""
    for name in reach:
        if permission in direct_permissions(graph.roles[name], graph.permissions):
            yield name


def _distances(graph: RoleGraph, holders: Iterable[str], reach: Container[str]) -> Mapping[str, int]:
    """Return how far each role in reach that effectively holds the permission is from one that does so
    directly."""
    found = dict.fromkeys(holders, 0)
    waiting = list(found)
    for role in waiting:  # the loop appends to it
        for senior in graph.direct_seniors[role]:
            if senior in reach and senior not in found:
                found[senior] = found[role] + 1
                waiting.append(senior)
    return found


def _ways_down(
    graph: RoleGraph, start: str, distance: Mapping[str, int], holders: frozenset[str]
) -> Iterator[tuple[str, ...]]:
    """Yield every path without repetition from a role to one that holds the permission directly, a shortest
    one first.

    An empty path: the search was stopped.  There is no recursion, because chains may be deep.
    """
    way, tried = [start], 0
    if start in holders:
        yield (start,)
    below = [iter(_nearest_first(graph.juniors[start], distance))]
    on_way = {start}
    while below and tried < MAX_EDGES_TRIED:
        junior = next(below[-1], None)
        tried += 1
        if junior is None:
            below.pop()
            on_way.discard(way.pop())
        elif junior not in on_way:
            way.append(junior)
            on_way.add(junior)
            if junior in holders:
                yield tuple(way)
            below.append(iter(_nearest_first(graph.juniors[junior], distance)))
    if below:
        yield ()


def _nearest_first(roles: Iterable[str], distance: Mapping[str, int]) -> list[str]:
    return sorted((role for role in roles if role in distance), key=lambda role: (distance[role], role))


def _way_between(graph: RoleGraph, senior: str, junior: str) -> tuple[str, ...]:
    """Return a shortest path from a role to one that it inherits."""
    came_from: dict[str, str] = {senior: senior}
    waiting = [senior]
    for role in waiting:
        for below in sorted(graph.juniors.get(role, ())):
            if below not in came_from:
                came_from[below] = role
                waiting.append(below)
    way = [junior]
    while way[-1] != senior:
        way.append(came_from[way[-1]])
    return tuple(reversed(way))
