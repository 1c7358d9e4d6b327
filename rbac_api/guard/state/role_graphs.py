"""Holds the compiled roles of a process: those in force, and those of a few earlier moments.

A change of a role does not compile all roles again: the names in the trail's tail say which roles to read,
and those replace what they were.  Readers keep the graph that they have, which never changes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.guard.state import queries, queries_history
from rbac_api.guard.state.published_roles import PublishedRoles
from rbac_api.guard.state.queries_role_graph import Touched
from rbac_api.trail.feed import Delta

MAX_PAST_GRAPHS = 4  # moments whose roles are remembered; with 10,000 roles each takes a few megabytes


class RoleGraphs:
    """The roles in force, or None until they are read, and how they were."""

    def __init__(self) -> None:
        self.current: RoleGraph | None = None
        self.published = PublishedRoles()
        self._past: OrderedDict[tuple[int, datetime], RoleGraph] = OrderedDict()
        self._keeping = threading.Lock()

    def keep(self, graph: RoleGraph) -> None:
        """Remember the roles in force."""
        self.current = graph

    def concerned(self, tail: Delta) -> bool:
        """Return whether the tail says which of the remembered roles have changed."""
        return self.current is not None and _touched(tail) is not None

    def find_changes(self, connection: Connection, tail: Delta) -> RoleChanges | None:
        """Read the roles that the tail touches; None if there are none to be changed.  The connection sees
        the rows of the moment at which the tail was read."""
        graph, touched = self.current, _touched(tail)
        if graph is None or touched is None:
            return None
        return queries.find_role_changes(connection, graph, touched)

    def apply(self, tail: Delta, changes: RoleChanges | None) -> None:
        """Change the roles to what they were where the tail ended; without changes forget them."""
        graph = self.current
        if changes is None or graph is None:
            self.current = None
        elif graph.revision < tail.mark.seq:  # else it was read later
            self.current = replace(graph.changed(changes), revision=tail.mark.seq)

    def at(self, connection: Connection, present: RoleGraph, at: datetime) -> RoleGraph:
        """Return the roles as they were, from the present ones and what has changed since."""
        key = (present.revision, at)
        with self._keeping:
            found = self._past.get(key)
            if found is not None:
                self._past.move_to_end(key)
                return found
        found = queries_history.find_role_graph_at(connection, present, at)
        with self._keeping:
            self._past[key] = found
            while len(self._past) > MAX_PAST_GRAPHS:
                self._past.popitem(last=False)
        return found


def _touched(tail: Delta) -> Touched | None:
    """Return which roles and permissions the tail touches; None if it touches none, or is not complete."""
    found = [touch for touch in tail.touches if touch.kind in ("roles", "grants")]
    if not found:
        return None
    return Touched(
        frozenset(touch.id for touch in found if touch.part == "role" and touch.id),
        frozenset(touch.id for touch in found if touch.part == "permission" and touch.id),
        any(touch.part == "constraint" for touch in found),
    )
