"""Checks that the facts of a constraint make sense together. Part of the service."""

from __future__ import annotations

from collections.abc import Iterable

from rbac_api.database.types import new_id
from rbac_api.decision.domains import home_of, is_in
from rbac_api.decision.model import Constraint, ConstraintKind
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.errors import RoleElsewhere


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


def require_at_home(rule: Constraint) -> None:
    """409 for a role that counts outside the home of the constraint, whose makers decide there only."""
    home = home_of(rule.name)
    for role in rule.roles:
        if not is_in(home_of(role), home):
            raise RoleElsewhere(
                f"The constraint {rule.name} is at home at {home}: it is about roles at home there and below,"
                f" and {role} is not one of them."
            )


def row_of(rule: Constraint, now: object) -> dict[str, object]:
    """The row of a new constraint."""
    return {
        "id": new_id(),
        "name": rule.name,
        "kind": rule.kind,
        "cardinality": rule.limit,
        "valid_from": now,
        "home": home_of(rule.name),
    }


def _wrong_limit(rule: Constraint) -> str | None:
    if rule.kind == "requires":
        return None
    if rule.limit is None:
        return f"A constraint of the kind {rule.kind} needs a limit."
    if rule.kind != "max-holders" and not 2 <= rule.limit <= max(len(rule.roles), 2):
        return "Must be from 2 to the number of roles: so many of them never come together."
    return None
