"""Describes an explanation for the API: each step with who, when, why, and until when. Part of the
service."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Literal

from sqlalchemy import Connection

from rbac_api.capabilities.access import queries
from rbac_api.capabilities.access.answers import Described, StepAnswer
from rbac_api.capabilities.access.queries import Edge, Period
from rbac_api.capabilities.sessions.answers import user_reference
from rbac_api.database.queries.trail import EventRow
from rbac_api.decision.explain import Explanation, Path
from rbac_api.guard.enforcement.clearance import Clearance

PathsTo = Mapping[str, Sequence[Path]]  # by permission


def describe(
    clearance: Clearance, user_id: str, permission: str, explanation: Explanation, at: datetime
) -> Described:
    """The members of an explanation about an account, as of that moment; the caller fills ``nearest``."""
    paths = describe_paths(clearance, user_id, {permission: explanation.paths}, at)[permission]
    return {
        "decision": explanation.decision,
        "paths": paths,
        "because": [{"code": reason.code, "detail": reason.detail} for reason in explanation.because],
        "nearest": [],
        "truncated": explanation.truncated,
    }


def describe_paths(
    clearance: Clearance, user_id: str, found: PathsTo, at: datetime
) -> dict[str, list[list[StepAnswer]]]:
    """The steps of the paths by which an account has each of these permissions, as of that moment; who made
    them is not said of users whom the caller may not read."""
    view = _ExplanationView(clearance.connection, user_id, found, at)
    described = {name: [view.steps(path, name) for path in paths] for name, paths in found.items()}
    steps = [step for paths in described.values() for path in paths for step in path]
    makers = {step["who"]["id"] for step in steps if step["who"]}
    unnamed = makers - clearance.nameable(makers)
    for step in steps:
        if step["who"] and step["who"]["id"] in unnamed:
            step["who"] = None
    return described


class _ExplanationView:
    """The facts about every edge on these paths, read in a few statements."""

    def __init__(self, connection: Connection, user_id: str, found: PathsTo, at: datetime) -> None:
        names = sorted({role for paths in found.values() for path in paths for role in path.roles})
        given = queries.list_assignments(connection, user_id, at) if names else []
        self._given = {(row.role, row.valid_from, row.valid_to, row.mode, row.domain): row for row in given}
        self._periods = _periods(connection, names, found, at) if names else {}
        since = min((since for since, _ in self._periods.values()), default=at)
        self._makers = _makers(queries.list_creations(connection, names, since), self._periods)

    def steps(self, path: Path, permission: str) -> list[StepAnswer]:
        held = self._edge("permission", (path.roles[-1], permission))
        return [
            self._assignment(path),
            *(self._edge("inherits", edge) for edge in pairwise(path.roles)),
            held,
        ]

    def _assignment(self, path: Path) -> StepAnswer:
        held, activation = path.assignment, path.activation
        row = self._given[held.role, held.starts, held.ends, held.mode, held.domain]
        ends = [end for end in (held.ends, activation.ends if activation else None) if end is not None]
        return {
            "kind": "assignment",
            "role": held.role,
            "domain": held.domain,
            "mode": held.mode,
            "starts_at": held.starts,
            "who": user_reference(row.assigned_by, row.giver),
            "when": row.assigned_at,
            "why": row.reason,
            "until": min(ends, default=None),
        }

    def _edge(self, kind: Literal["inherits", "permission"], edge: Edge) -> StepAnswer:
        role, held = edge
        since, until = self._periods[edge]
        maker = self._makers.get(edge)
        account = maker if maker and maker.actor_type in ("user", "service") else None
        who = user_reference(account.actor_id, account.actor_name) if account else None
        why = maker.reason if maker else None
        if kind == "inherits":
            return StepAnswer(kind=kind, role=role, junior=held, who=who, when=since, why=why, until=until)
        return StepAnswer(kind=kind, role=role, permission=held, who=who, when=since, why=why, until=until)


def _periods(
    connection: Connection, names: Sequence[str], found: PathsTo, at: datetime
) -> dict[Edge, Period]:
    """The period of each edge; a built-in role holds a permission for as long as both exist."""
    held = {(path.roles[-1], permission) for permission, paths in found.items() for path in paths}
    begun = queries.list_beginnings(connection, names, at)
    existing = queries.list_permission_beginnings(connection, list(found), at)
    periods: dict[Edge, Period] = {
        (role, permission): (max(begun[role], existing.get(permission, at)), None)
        for role, permission in held
    }
    holders = sorted({role for role, _ in held})
    periods.update(queries.list_grants(connection, holders, list(found), at))
    periods.update(queries.list_edges(connection, names, at))
    return periods


def _makers(events: Iterable[EventRow], periods: dict[Edge, Period]) -> dict[Edge, EventRow]:
    """The event that created each edge: the first since its beginning that says so."""
    found: dict[Edge, EventRow] = {}
    for event in events:
        after = json.loads(event.after) if event.after else {}
        made = [after.get("inherits"), after.get("permission"), *after.get("permissions", ())]
        for what in made:
            edge = (event.target_id, what)
            if edge in periods and periods[edge][0] <= event.at:
                found.setdefault(edge, event)
    return found
