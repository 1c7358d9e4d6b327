"""What a change means for users: who gains or loses permissions, and how many sessions' tokens become stale.

Only accounts that it can concern are looked at: those with a role that changed, and those that gained or lost
a role, a thousand at a time. Each is evaluated as in a fresh session with a second factor and every role that
counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from operator import attrgetter

from rbac_api.capabilities.assignments.service import where
from rbac_api.capabilities.policy import plan_queue, queries
from rbac_api.capabilities.policy.errors import PolicyTooLarge
from rbac_api.capabilities.policy.in_use import (
    USED_WITHIN_DAYS,
    Given,
    TakenAway,
    find_in_use,
    places_of,
)
from rbac_api.capabilities.policy.queries import PersonRow
from rbac_api.capabilities.policy.state import State, assigned
from rbac_api.database.engine import batched
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import effective_permissions, effective_roles, holding
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Subject

MAX_LISTED = 10_000
PORTION = 1_000  # accounts that are compared at once


Standing = tuple[RoleGraph, Subject]


@dataclass(slots=True)
class Impact:
    """``gains`` and ``losses``: ``{user: {id, username}, domain?, permissions}``, by username; ``in_use``:
    what is taken away and was used lately. Each has at most the first 10,000; ``in_use_total`` goes on to
    count.

    Callers who may not read users get no user, and those who may not read sessions get no number of sessions.
    """

    gains: list[dict[str, object]] = field(default_factory=list)
    losses: list[dict[str, object]] = field(default_factory=list)
    in_use: list[dict[str, object]] = field(default_factory=list)
    in_use_total: int = 0
    sessions_stale: int | None = 0

    def note(self, who: object, before: Standing, after: Standing, at: datetime) -> None:
        """Add what one account may do before and after: at ``root``, and at each domain where it has an
        assignment what differs there and not at ``root``."""
        everywhere = frozenset[str](), frozenset[str]()
        for place in (ROOT, *places_of(before[1].elsewhere, after[1].elsewhere)):
            was, now = (
                effective_permissions(graph, at_domain(subject, place), at)
                for graph, subject in (before, after)
            )
            moved = now - was - everywhere[0], was - now - everywhere[1]
            for entries, names in zip((self.gains, self.losses), moved, strict=True):
                if names and len(entries) < MAX_LISTED:
                    entries.append({"user": who, **where(place), "permissions": sorted(names)})
            if place == ROOT:
                everywhere = moved

    def note_in_use(self, entries: list[dict[str, object]]) -> None:
        """Add what is taken away from some accounts and was used lately."""
        self.in_use += entries[: MAX_LISTED - len(self.in_use)]
        self.in_use_total += len(entries)


def find_impact(state: State, used_within: int = USED_WITHIN_DAYS) -> Impact:
    """Compare the state before with the state after. Holds a thousand accounts at a time, however many have a
    role that changes."""
    graphs, impact = (state.graph, state.graph_now()), Impact()
    lost = TakenAway(graphs, state.at)
    counts = state.clearance.holds("sessions:read", ROOT)  # wherever their users are at home
    impact.sessions_stale = 0 if counts else None
    for people in batched(_concerned(state, changed_roles(*graphs)), PORTION):
        _compare(state, people, impact, lost, used_within)
    return impact


def _concerned(state: State, names: set[str]) -> Iterator[PersonRow]:
    """The accounts whose assignments change and those that have one of these roles, by username. 422
    ``policy.too_large`` if more have them than a request may change."""
    connection, at, most = state.connection, state.at, plan_queue.MAX_HOLDERS + len(state.changed)
    if not state.clearance.unbounded and queries.is_held_by_more(connection, names, at, most):
        raise PolicyTooLarge()
    changed = sorted(queries.list_people(connection, state.changed), key=_USERNAME)
    holders = queries.stream_holders(connection, names, at, PORTION)
    return merge(changed, (row for row in holders if row.id not in state.changed), key=_USERNAME)


_USERNAME = attrgetter("username")


def _compare(
    state: State, people: list[PersonRow], impact: Impact, lost: TakenAway, used_within: int
) -> None:
    graphs, held = (state.graph, state.graph_now()), _find_held(state, people)
    who, taken, stale = {}, {}, []
    seen = state.clearance.nameable_users({row.id for row in people})
    for row in people:
        who[row.id] = {"id": row.id, "username": row.username} if row.id in seen else None
        before, after = (
            (graph, holding(Subject(row.id, row.status, second_factor=True), part))
            for graph, part in zip(graphs, held[row.id], strict=True)
        )
        impact.note(who[row.id], before, after, state.at)
        if effective_roles(*before, state.at) != effective_roles(*after, state.at):
            stale.append(row.id)
        taken[row.id] = lost.find(row, held[row.id])
    if impact.sessions_stale is not None:
        impact.sessions_stale += queries.count_sessions(state.connection, stale, state.at)
    impact.note_in_use(find_in_use(state.connection, taken, who, used_within))


def _find_held(state: State, people: Iterable[PersonRow]) -> Mapping[str, tuple[Given, Given]]:
    """What these accounts are assigned, before and after."""
    same: dict[str, list[Assignment]] = {row.id: [] for row in people if row.id not in state.changed}
    for row in queries.list_assignments_of(state.connection, same, state.at):
        given = Assignment(row.role, row.valid_from, row.valid_to, row.mode, row.domain)
        same[row.id].append(given)
    found = {user_id: (tuple(held), tuple(held)) for user_id, held in same.items()}
    accounts = (state.accounts[row.id] for row in people if row.id in state.changed)
    return found | {one.id: (assigned(one.had), assigned(one.has)) for one in accounts}


def changed_roles(before: RoleGraph, after: RoleGraph) -> set[str]:
    """The roles that hold or inherit something else, with or without a second factor, or that another dynamic
    constraint separates."""
    if before.without_second_factor is None and after.without_second_factor is None:
        return _differing(before, after)
    without = (graph.seen_with(second_factor=False) for graph in (before, after))
    return _differing(before, after) | _differing(*without)


def _differing(before: RoleGraph, after: RoleGraph) -> set[str]:
    found = {
        name
        for name in before.roles.keys() | after.roles.keys()
        if before.effective.get(name) != after.effective.get(name)
        or before.closures.get(name) != after.closures.get(name)
    }
    if before.dynamic != after.dynamic:
        members = {role for rule in (*before.dynamic, *after.dynamic) for role in rule.roles}
        for graph in (before, after):
            found |= {name for name, closure in graph.closures.items() if closure & members}
    return found
