"""Compares the strength of users: a caller may change only users whose permissions the caller holds.

A caller hands out a permission for no longer than the caller holds it, either: what is held by activation, or
until an end, ends for all.

A change of a role changes every user who holds it, directly or through a senior, so the caller must outrank
all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from datetime import datetime

from rbac_api.decision.evaluate import effective_permissions, lasting
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Constraint, Subject


def stronger_roles(graph: RoleGraph, held: AbstractSet[str]) -> frozenset[str]:
    """Return the roles that hold something the caller does not: a user is stronger exactly if one of these is
    assigned."""
    return frozenset(name for name, effective in graph.effective.items() if not effective <= held)


def assigned_through(graph: RoleGraph, roles: Iterable[str]) -> frozenset[str]:
    """Return the roles by whose assignment a user holds one of these: themselves, and their seniors."""
    return frozenset[str]().union(*(graph.seniors(role) for role in roles))


def bound_by(graph: RoleGraph, constraint: Constraint, assigned: Iterable[str]) -> bool:
    """Return whether a dynamic constraint removes a role from a user with these roles, in some session."""
    return constraint.reached_by(graph.closure_of(assigned))


def held_until(graph: RoleGraph, subject: Subject, at: datetime, end: datetime) -> frozenset[str]:
    """Return what the subject holds from that moment, in the current session, without interruption until
    ``end``."""
    return effective_permissions(graph, lasting(subject, end), at)
