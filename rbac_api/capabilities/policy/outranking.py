"""Which accounts a policy may change: none that holds more than the caller, also where only a role changes.
Part of the service.

Who is stronger is judged by the state before the first step, as is what the caller may hand out: an account
that a step makes stronger was one that the caller could change.
"""

from __future__ import annotations

from collections.abc import Iterable

from rbac_api.capabilities.policy.state import State
from rbac_api.database.queries.subjects import list_roles_of
from rbac_api.decision.model import ROOT, Constraint
from rbac_api.decision.strength import bound_by, stronger_roles
from rbac_api.guard.enforcement.queries_strength import list_holders_of_both


def require_outranks_holders(state: State, roles: Iterable[str], rule: Constraint | None = None) -> None:
    """403 ``target.stronger``, as ``Clearance.require_outranks_holders``: at each domain where a holder holds
    anything. Asks the database each question once."""
    if state.clearance.unbounded or state.holds_all:
        return
    if state.stronger is None:
        state.stronger = stronger_roles(state.graph, state.clearance.looking_at(ROOT).held)
    through = frozenset[str]().union(*map(state.roles.seniors, roles)).intersection(state.graph.roles)
    if (through, rule) not in state.outranked and state.stronger:
        _ask(state, through, rule)
        state.outranked.add((through, rule))


def _ask(state: State, through: frozenset[str], rule: Constraint | None) -> None:
    clearance = state.clearance
    only_root = rule is None and clearance.domain == ROOT and not clearance.person.subject.elsewhere
    most = 1 if only_root else None
    found = list_holders_of_both(state.connection, through, state.stronger or (), state.at, most)
    for user_id, places in list_roles_of(state.connection, list(found), state.at).items():
        held = frozenset[str]().union(*places.values())
        if rule is None or bound_by(state.graph, rule, held):
            named = clearance.named(user_id, found[user_id], "A holder of this role")
            for domain, names in sorted(places.items()):
                clearance.looking_at(domain).require_outranks(state.graph.held_by(names), named, user_id)
