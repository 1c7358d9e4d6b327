"""Describes an explanation for the API: each step with who, when, why, and until when. Part of the
service."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, Row

from rbac_api.capabilities.access import queries
from rbac_api.decision.explain import Explanation, Path

Step = dict[str, Any]
Edge = tuple[str, str]  # (role, role that it inherits) or (role, permission that it holds)


def describe(
    connection: Connection, user_id: str, permission: str, explanation: Explanation, at: datetime
) -> dict[str, object]:
    """The members of an explanation about an account, as of that moment; the caller fills ``nearest``."""
    teller = _ExplanationView(connection, user_id, permission, explanation.paths, at)
    return {
        "decision": explanation.decision,
        "paths": [teller.steps(path) for path in explanation.paths],
        "because": [{"code": reason.code, "detail": reason.detail} for reason in explanation.because],
        "nearest": [],
        "truncated": explanation.truncated,
    }


class _ExplanationView:
    """The facts about every edge on these paths, read in a few statements."""

    def __init__(
        self, connection: Connection, user_id: str, permission: str, paths: Iterable[Path], at: datetime
    ) -> None:
        self._permission = permission
        names = sorted({role for path in paths for role in path.roles})
        given = queries.list_assignments(connection, user_id, at) if names else []
        self._given = {(row.role, row.valid_from, row.valid_to, row.mode): row for row in given}
        self._periods = _periods(connection, names, permission, at)
        since = min((since for since, _ in self._periods.values()), default=at)
        self._makers = _makers(queries.list_creations(connection, names, since), self._periods)

    def steps(self, path: Path) -> list[Step]:
        inherited = [
            self._edge("inherits", (senior, junior), junior=junior) for senior, junior in pairwise(path.roles)
        ]
        held = self._edge("permission", (path.roles[-1], self._permission), permission=self._permission)
        return [self._assignment(path), *inherited, held]

    def _assignment(self, path: Path) -> Step:
        held, activation = path.assignment, path.activation
        row = self._given[held.role, held.starts, held.ends, held.mode]
        ends = [end for end in (held.ends, activation.ends if activation else None) if end is not None]
        return {
            "kind": "assignment",
            "role": held.role,
            "mode": held.mode,
            "starts_at": held.starts,
            "who": {"id": row.assigned_by, "username": row.giver} if row.giver else None,
            "when": row.assigned_at,
            "why": row.reason,
            "until": min(ends, default=None),
        }

    def _edge(self, kind: str, edge: Edge, **what: str) -> Step:
        since, until = self._periods[edge]
        maker = self._makers.get(edge)
        known = maker is not None and maker.actor_type in ("user", "service")
        who = {"id": maker.actor_id, "username": maker.actor_name} if maker is not None and known else None
        why = maker.reason if maker is not None else None
        return {"kind": kind, "role": edge[0], **what, "who": who, "when": since, "why": why, "until": until}


def _periods(
    connection: Connection, names: list[str], permission: str, at: datetime
) -> dict[Edge, tuple[datetime, datetime | None]]:
    """The period of each edge; a built-in role holds a permission for as long as both exist."""
    found: dict[Edge, tuple[datetime, datetime | None]] = {}
    begun = queries.list_beginnings(connection, names, at)
    existing = queries.find_beginning(connection, permission, at) or at
    found.update(((name, permission), (max(since, existing), None)) for name, since in begun.items())
    for row in queries.list_grants(connection, names, permission, at):
        found[row.role, permission] = (row.valid_from, row.valid_to)
    for row in queries.list_edges(connection, names, at):
        found[row.senior, row.junior] = (row.valid_from, row.valid_to)
    return found


def _makers(
    events: Iterable[Row[Any]], periods: dict[Edge, tuple[datetime, datetime | None]]
) -> dict[Edge, Row[Any]]:
    """The event that created each edge: the first since its beginning that says so."""
    found: dict[Edge, Row[Any]] = {}
    for event in events:
        after = json.loads(event.after) if event.after else {}
        made = [after.get("inherits"), after.get("permission"), *after.get("permissions", ())]
        for what in made:
            edge = (event.target_id, what)
            if edge in periods and periods[edge][0] <= event.at:
                found.setdefault(edge, event)
    return found
