"""Which accounts a policy may change: none that holds more than the caller, also where only a role changes.
Part of the service.

Who is stronger is judged by the state before the first step, as is what the caller may hand out: an account
that a step makes stronger was one that the caller could change.
"""

from __future__ import annotations

from collections.abc import Iterable

from rbac_api.capabilities.policy.state import State
from rbac_api.database.queries.subjects import list_roles_of
from rbac_api.decision.model import Constraint
from rbac_api.decision.strength import bound_by, stronger_roles
from rbac_api.guard.enforcement.queries_strength import list_holders_of_both


def require_outranks_holders(state: State, roles: Iterable[str], rule: Constraint | None = None) -> None:
    """403 ``target.stronger``, as ``Clearance.require_outranks_holders``; asks the database each question
    once."""
    if state.clearance.unbounded or state.holds_all:
        return
    if state.stronger is None:
        state.stronger = stronger_roles(state.graph, state.clearance.held)
    through = frozenset[str]().union(*map(state.roles.seniors, roles)).intersection(state.graph.roles)
    if (through, rule) not in state.outranked and state.stronger:
        _ask(state, through, rule)
        state.outranked.add((through, rule))


def _ask(state: State, through: frozenset[str], rule: Constraint | None) -> None:
    clearance, most = state.clearance, 1 if rule is None else None
    found = list_holders_of_both(state.connection, through, state.stronger or (), state.at, most)
    for user_id, places in list_roles_of(state.connection, list(found), state.at).items():
        held = frozenset[str]().union(*places.values())
        if rule is None or bound_by(state.graph, rule, held):
            reach = state.graph.held_by(held)
            named = clearance.named(user_id, found[user_id], "A holder of this role")
            clearance.require_outranks(reach, named, user_id)
