"""Checks constraints and the last administrator for a policy. Part of the service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from rbac_api.capabilities.constraints.errors import ConstraintNameTaken, ConstraintNotFound
from rbac_api.capabilities.constraints.service import (
    Change,
    ConstraintChecker,
    facts_of,
    require_all_kept,
    require_at_home,
    require_sessions_kept,
    row_of,
    sensible_rule,
)
from rbac_api.capabilities.policy.outranking import require_outranks_holders
from rbac_api.capabilities.policy.state import State, assigned
from rbac_api.database.pending import NOW
from rbac_api.database.tables import constraint_roles, constraints
from rbac_api.decision.difference import Facts
from rbac_api.decision.domains import counting_at, home_of
from rbac_api.decision.evaluate import ADMIN, always_covered
from rbac_api.decision.model import Assignment, Constraint
from rbac_api.guard.errors import LastAdministrator
from rbac_api.guard.state.queries import list_administrators

_SOME = frozenset({"some"})  # a placeholder: the ids are noted beside the change


def note_change(
    state: State,
    *,
    users: Iterable[str] | None = None,
    roles: Iterable[str] = (),
    through: str | None = None,
    losing: bool = False,
) -> None:
    """Note what ``require_constraints_kept`` checks after the last step; equal changes are merged.

    The arguments are those of ``require_constraints``.
    """
    change = Change(None if users is None else _SOME, frozenset(roles), through, losing)
    state.changes.setdefault(change, set()).update(users or ())


def require_constraints_kept(state: State) -> None:
    """After the last step: 409 ``constraint.violated``."""
    if state.roles.rules:
        changes = [
            replace(change, users=change.users and frozenset(users))
            for change, users in state.changes.items()
        ]
        require_all_kept(state.clearance, constraint_checker(state), changes, state.made_rules)


def require_administrator(state: State) -> None:
    """409 unless, at every moment from now on, a user who can sign in holds ``admin``."""
    state.loses = True
    names = state.roles.seniors(ADMIN)
    if state.administrators is None or state.administrators[0] != names:
        state.administrators = (names, list_administrators(state.connection, names, state.at))
    able = [one for user_id, one in state.administrators[1] if user_id not in state.changed]
    if not always_covered([*able, *_coming(state, names)], state.at):
        raise LastAdministrator()


def _coming(state: State, names: frozenset[str]) -> Iterable[Assignment]:
    for user_id in state.changed:
        account = state.accounts[user_id]
        if account.able and not names.isdisjoint(account.roles):
            held = counting_at(assigned(account.has))
            yield from (one for one in held if one.role in names and one.mode == "active")


def create_constraint(state: State, facts: Facts) -> None:
    rule = sensible_rule(facts["name"], facts["kind"], facts["roles"], facts.get("limit"))
    ids = [state.role(name).id for name in rule.roles]
    state.require_domain(home_of(rule.name))
    require_at_home(rule)
    state.clearance.require_held(state.roles.held_by(rule.roles))
    _require_outranks_bound(state, rule)
    if state.rule_ids.is_taken(rule.name):
        raise ConstraintNameTaken()
    if rule.kind == "dynamic":
        require_sessions_kept(state.clearance, constraint_checker(state), rule)
    row = row_of(rule, NOW)
    state.pending.add(constraints, row)
    for position, role_id in enumerate(ids):
        member = {"constraint_id": row["id"], "position": position, "role_id": role_id}
        state.pending.add(constraint_roles, member)
    state.rule_ids[rule.name] = str(row["id"])
    state.places.rules[home_of(rule.name)] += 1
    state.roles.rules[rule.name] = rule
    state.made_rules.append(rule.name)
    state.record_event("constraint.created", "constraint", rule.name, after=facts_of(rule))


def delete_constraint(state: State, facts: Facts) -> None:
    name = facts["name"]
    if name not in state.rule_ids:
        raise ConstraintNotFound()
    rule = state.roles.rules[name]
    state.clearance.require_held(state.roles.held_by(rule.roles))
    _require_outranks_bound(state, rule)
    state.pending.change(constraints, {"id": state.rule_ids[name]}, {"valid_to": NOW})
    del state.rule_ids[name]
    state.places.rules[home_of(name)] -= 1
    del state.roles.rules[name]
    state.record_event("constraint.deleted", "constraint", name, before=facts_of(rule))


def _require_outranks_bound(state: State, rule: Constraint) -> None:
    if rule.kind == "dynamic":
        require_outranks_holders(state, rule.roles, rule)


def constraint_checker(state: State) -> ConstraintChecker:
    """A checker that sees the rows as if everything so far had been written."""
    return ConstraintChecker(state.connection, state.graph_now(), state.at, state.expected())
