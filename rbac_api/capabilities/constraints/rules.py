"""Checks that the facts of a constraint make sense together. Part of the service."""

from __future__ import annotations

from collections.abc import Iterable

from rbac_api.decision.model import Constraint, ConstraintKind
from rbac_api.errors import Fault, Invalid


def sensible_rule(name: str, kind: ConstraintKind, roles: Iterable[str], limit: int | None) -> Constraint:
    """The constraint with these facts; 422 unless the number of roles and the limit fit the kind."""
    rule = Constraint(name, kind, tuple(roles), None if kind == "requires" else limit)
    fewest = 1 if rule.kind == "max-holders" else 2
    faults = []
    if len(rule.roles) < fewest:
        detail = f"A constraint of the kind {rule.kind} needs at least {fewest} roles."
        faults.append(Fault("/roles", "roles.too_few", detail))
    if (wrong := _wrong_limit(rule)) is not None:
        faults.append(Fault("/limit", "limit.invalid", wrong))
    if faults:
        raise Invalid(faults=tuple(faults))
    return rule


def _wrong_limit(rule: Constraint) -> str | None:
    if rule.kind == "requires":
        return None
    if rule.limit is None:
        return f"A constraint of the kind {rule.kind} needs a limit."
    if rule.kind != "max-holders" and not 2 <= rule.limit <= max(len(rule.roles), 2):
        return "Must be from 2 to the number of roles: so many of them never come together."
    return None
