"""Cuts a role to the permissions that are used."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from rbac_api.decision.hierarchy import RoleGraph, direct_permissions


class Cut(NamedTuple):
    """What a role holds and inherits directly."""

    permissions: frozenset[str]
    inherits: frozenset[str]


def cut_to(graph: RoleGraph, role: str, used: AbstractSet[str]) -> Cut:
    """Return the role with what was used of it, and with nothing in any session that it did not grant before.

    A junior of which everything was used stays, also one that grants nothing.  What was used of another one
    becomes the role's own, unless it counts only with a second factor: then that junior stays as a whole.
    """
    wanted, own = graph.effective[role] & used, direct_permissions(graph.roles[role], graph.permissions)
    counting = graph if graph.roles[role].requires_mfa else graph.seen_with(second_factor=False)
    movable = wanted & counting.effective.get(role, frozenset())
    kept = {name for name in graph.juniors[role] if graph.effective[name] <= used}
    for name in sorted(graph.juniors[role] - kept, key=lambda name: (len(graph.effective[name]), name)):
        if graph.effective[name] & (wanted - movable - own - graph.held_by(kept)):
            kept.add(name)
    return Cut((movable - counting.held_by(kept)) | (wanted & own), frozenset(kept))
