"""What a change means for people: who may do more or less, and how many sessions' tokens go stale.

Only those are looked at whom it can concern: who holds a role that changed, and who was given or lost one.  Everybody is judged as in a
fresh session with a second factor and every role that counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.policy import queries
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Subject

MOST_TOLD = 10_000
Held = dict[str, tuple[Assignment, ...]]


@dataclass(slots=True)
class Impact:
    """``gains`` and ``losses``: ``{user: {id, username}, permissions}``, by username."""

    gains: list[dict[str, Any]] = field(default_factory=list)
    losses: list[dict[str, Any]] = field(default_factory=list)
    sessions_stale: int = 0


def find_held(connection: Connection, user_ids: Iterable[str], at: datetime) -> Held:
    """What these users are assigned."""
    found: dict[str, list[Assignment]] = {}
    for row in queries.list_assignments_of(connection, user_ids, at):
        found.setdefault(row.id, []).append(Assignment(row.role, row.valid_from, row.valid_to, row.mode))
    return {user_id: tuple(held) for user_id, held in found.items()}


def find_impact(
    connection: Connection, graphs: tuple[RoleGraph, RoleGraph], before: Held, began: datetime
) -> Impact:
    """Compare what was (``graphs[0]``, and ``before`` for whoever is given or loses a role) with what the rows say now."""
    at = clock.now()  # what was given since ``began`` is in force
    touched = changed_roles(*graphs)
    named = set(before) | queries.list_holder_ids(connection, touched, at)
    after = find_held(connection, named, at)
    impact, stale = Impact(), []
    people = sorted(queries.list_people(connection, named), key=lambda row: str(row.username))
    for row in people:
        had, has = before.get(row.id, after.get(row.id, ())), after.get(row.id, ())
        subjects = tuple(Subject(row.id, row.status, held, second_factor=True) for held in (had, has))
        was, now = (
            effective_permissions(graph, subject, at) for graph, subject in zip(graphs, subjects, strict=True)
        )
        who = {"id": row.id, "username": row.username}
        impact.gains += [{"user": who, "permissions": sorted(now - was)}] if now - was else []
        impact.losses += [{"user": who, "permissions": sorted(was - now)}] if was - now else []
        if effective_roles(graphs[0], subjects[0], began) != effective_roles(graphs[1], subjects[1], at):
            stale.append(row.id)
    impact.sessions_stale = queries.count_sessions(connection, stale, at)
    return impact


def changed_roles(before: RoleGraph, after: RoleGraph) -> set[str]:
    """The roles that hold or inherit something else, or that another dynamic constraint keeps apart."""
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
