"""Who is stronger than whom: nobody changes a user who holds a permission that the caller does not hold.

Nobody hands out a permission for longer than she holds it, either: what is held by activation, or until an end, ends for all.

A change of a role changes everybody who holds it, directly or through a senior, so that all of them must be outranked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from rbac_api.decision.activation import lasting
from rbac_api.decision.evaluate import effective_permissions
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Constraint, Subject


def lacking(held: frozenset[str], reach: frozenset[str]) -> list[str]:
    """The permissions in a target's reach that the caller does not hold; none: the caller outranks the target."""
    return sorted(reach - held)


def stronger_roles(graph: RoleGraph, held: frozenset[str]) -> frozenset[str]:
    """The roles that hold something the caller does not hold: a user is stronger exactly if one of these is assigned."""
    return frozenset(name for name, effective in graph.effective.items() if not effective <= held)


def assigned_through(graph: RoleGraph, roles: Iterable[str]) -> frozenset[str]:
    """The roles by whose assignment a user holds one of these: themselves, and their seniors."""
    return frozenset[str]().union(*(graph.seniors(role) for role in roles))


def bound_by(graph: RoleGraph, constraint: Constraint, assigned: Iterable[str]) -> bool:
    """Whether a dynamic constraint takes something from a user with these roles assigned, in some session."""
    return constraint.reached_by(graph.closure_of(assigned))


def held_until(graph: RoleGraph, subject: Subject, at: datetime, end: datetime) -> frozenset[str]:
    """What the subject holds at that moment, in the session she asks in, and goes on to hold until ``end``."""
    return effective_permissions(graph, lasting(subject, end), at)
