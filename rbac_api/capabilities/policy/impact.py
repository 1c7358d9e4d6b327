"""What a change means for users: who gains or loses permissions, and how many sessions' tokens become stale.

Only accounts that it can concern are looked at: those with a role that changed, and those that gained or lost
a role. Each is evaluated as in a fresh session with a second factor and every role that counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.policy import plan_queue, queries
from rbac_api.capabilities.policy.in_use import (
    MAX_LISTED,
    USED_WITHIN_DAYS,
    Given,
    Taken,
    TakenAway,
    find_in_use,
)
from rbac_api.capabilities.policy.state import State, assigned
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Subject

__all__ = ["MAX_LISTED", "Impact", "find_impact"]


@dataclass(slots=True)
class Impact:
    """``gains`` and ``losses``: ``{user: {id, username}, permissions}``, by username; ``in_use``: what is
    taken away and was used lately.

    Callers who may not read users get no user, and those who may not read sessions get no number of sessions.
    """

    gains: list[dict[str, object]] = field(default_factory=list)
    losses: list[dict[str, object]] = field(default_factory=list)
    in_use: list[dict[str, object]] = field(default_factory=list)
    sessions_stale: int | None = 0

    def note(self, who: object, was: frozenset[str], now: frozenset[str]) -> None:
        """Add what one account may do before and after."""
        self.gains += [{"user": who, "permissions": sorted(now - was)}] if now - was else []
        self.losses += [{"user": who, "permissions": sorted(was - now)}] if was - now else []


def find_impact(state: State, used_within: int = USED_WITHIN_DAYS) -> Impact:
    """Compare the state before with the state after, and note who holds a role that changes
    (``state.outdated_ids``)."""
    graphs, connection, clearance = (state.graph, state.graph_now()), state.connection, state.clearance
    others = queries.list_holder_ids(connection, changed_roles(*graphs), state.at) - state.changed.keys()
    plan_queue.require_few(clearance, len(others), plan_queue.MAX_HOLDERS)
    held = _find_held(connection, others, state.at)
    impact, stale, everybody = Impact(), [], clearance.reads_users
    lost, taken = TakenAway(graphs, state.at), dict[str, Taken]()
    who: dict[str, object] = {}
    named = [*others, *state.changed]
    for row in sorted(queries.list_people(connection, named), key=lambda row: str(row.username)):
        seen = everybody or row.id == clearance.actor.id
        who[row.id] = {"id": row.id, "username": row.username} if seen else None
        both = _before_and_after(state, row.id, held)
        subjects = tuple(Subject(row.id, row.status, part, second_factor=True) for part in both)
        before, after = zip(graphs, subjects, strict=True)
        impact.note(who[row.id], *(effective_permissions(*one, state.at) for one in (before, after)))
        if effective_roles(*before, state.at) != effective_roles(*after, state.at):
            stale.append(row.id)
        taken[row.id] = lost.find(row, both)
    impact.sessions_stale = _count_sessions(state, stale)
    impact.in_use = find_in_use(connection, taken, who, used_within)
    return impact


def _count_sessions(state: State, user_ids: list[str]) -> int | None:
    if not state.clearance.unbounded and "sessions:read" not in state.clearance.held:
        return None
    return queries.count_sessions(state.connection, user_ids, state.at)


def _find_held(connection: Connection, user_ids: Iterable[str], at: datetime) -> dict[str, Given]:
    """What these users are assigned."""
    found: dict[str, list[Assignment]] = {}
    for row in queries.list_assignments_of(connection, user_ids, at):
        found.setdefault(row.id, []).append(Assignment(row.role, row.valid_from, row.valid_to, row.mode))
    return {user_id: tuple(held) for user_id, held in found.items()}


def _before_and_after(state: State, user_id: str, held: Mapping[str, Given]) -> tuple[Given, Given]:
    if user_id in state.changed:
        account = state.accounts[user_id]
        return assigned(account.had), assigned(account.has)
    return held.get(user_id, ()), held.get(user_id, ())


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
