"""Decides with which roles a session may begin, and how long the active roles last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from rbac_api.decision.evaluate import active_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Subject


def unauthorized(graph: RoleGraph, subject: Subject, roles: Iterable[str], at: datetime) -> tuple[str, ...]:
    """Return those of these roles that the subject may not begin a session with: not assigned as active, nor
    inherited."""
    given = (a.role for a in subject.assignments if a.mode == "active" and a.in_force(at))
    return tuple(sorted(frozenset(roles) - graph.seen_with(subject.second_factor).closure_of(given)))


def carried_until(graph: RoleGraph, subject: Subject, at: datetime) -> datetime | None:
    """Return the first moment at which an assignment or activation behind an active role ends; None if none
    has an end."""
    active, counting = active_roles(graph, subject, at), graph.seen_with(subject.second_factor)
    activations = [a for a in subject.roles.activations if a.in_force(at) and a.role in active]
    activated = frozenset(a.role for a in activations)
    assigned = [
        a
        for a in subject.assignments
        if a.in_force(at) and counting.closure_of((a.role,)) & (active if a.mode == "active" else activated)
    ]
    ends = [a.ends for a in activations] + [a.ends for a in assigned if a.ends is not None]
    return min(ends, default=None)


def lasting(subject: Subject, moment: datetime) -> Subject:
    """Return the subject without every assignment and activation that ends before that moment."""
    assignments = tuple(a for a in subject.assignments if a.ends is None or a.ends >= moment)
    activations = tuple(a for a in subject.roles.activations if a.ends >= moment)
    roles = replace(subject.roles, activations=activations) if subject.roles.activations else subject.roles
    return replace(subject, assignments=assignments, roles=roles)
