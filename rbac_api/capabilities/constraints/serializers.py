"""Writes constraints and violations as the API and the trail have them. Part of the service."""

from __future__ import annotations

from collections.abc import Mapping, Set

from rbac_api.capabilities.constraints import answers, queries
from rbac_api.capabilities.sessions.answers import user_reference
from rbac_api.decision.model import ROOT, Constraint
from rbac_api.decision.separation_of_duty import Violation


def facts_of(rule: Constraint) -> answers.ConstraintFacts:
    """A constraint as the trail has it."""
    return {"name": rule.name, "kind": rule.kind, "roles": list(rule.roles), "limit": rule.limit}


def describe(row: queries.ConstraintRow, members: Mapping[str, list[str]]) -> answers.ConstraintAnswer:
    """A constraint for the API."""
    rule = Constraint(row.name, row.kind, tuple(members.get(row.id, ())), row.cardinality)
    return {**facts_of(rule), "home": row.home, "created_at": row.valid_from}


def to_json(violation: Violation, named: Set[str]) -> answers.ViolationAnswer:
    """A violation for the API, which names these users only."""
    return {
        "constraint": violation.constraint,
        "user": user_reference(violation.user_id, violation.username) if violation.user_id in named else None,
        "roles": list(violation.roles),
        "domain": violation.domain,
        "from": violation.since,
        "until": violation.until,
    }


def sentence(violation: Violation, user: str) -> str:
    """A violation in words; ``user`` is what the user is called."""
    first, *others = violation.roles
    who = user if violation.user_id else "More people than allowed"
    at = "" if violation.domain == ROOT else f" at {violation.domain}"
    roles = f"{first} without {', '.join(others)}" if violation.alone else ", ".join(violation.roles)
    forbidden = f"which the constraint {violation.constraint} forbids; 'violations' lists every user"
    return f"{who} would hold {roles}{at}, {forbidden}."
