"""Assigns and ends roles in a ``State``, one or thousands. Part of the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.service import (
    Terms,
    columns_of,
    differences,
    is_within,
    require_activatable,
    require_assignable_at,
    require_lasting,
    to_audit,
    where,
)
from rbac_api.capabilities.policy.constraining import note_change, require_administrator
from rbac_api.capabilities.policy.holders import terms_of
from rbac_api.capabilities.policy.state import Account, Held, State, assigned
from rbac_api.capabilities.users.service import NewUser, row_of
from rbac_api.database.pending import NOW
from rbac_api.database.tables import assignments, users
from rbac_api.database.types import new_id
from rbac_api.decision.difference import Facts
from rbac_api.decision.document import domain_of, holder_of
from rbac_api.decision.domains import home_of
from rbac_api.decision.evaluate import ADMIN
from rbac_api.decision.model import ROOT, Assignment
from rbac_api.errors import ServiceError
from rbac_api.trail.fields import tracked
from rbac_api.trail.recorder import Event, Target

Values = dict[str, Any]


def add_user(state: State, facts: Facts) -> None:
    """Add an account without a password, as seeds do; 404 for a home that is no domain."""
    home = facts.get("home", ROOT)
    state.require_domain(home)
    names = {"username": facts["username"], "display_name": facts.get("display_name")}
    new = NewUser(**names, email=facts.get("email"), home=home)
    row = row_of(new, NOW)
    state.pending.add(users, row)
    account = Account(Target("user", row["id"], row["username"], row["home"]), able=False)
    state.add_account(account, row["username_canonical"])
    state.events.append(Event("user.created", account.target, None, None, tracked("users", row)))


def assign(state: State, facts: Facts) -> None:
    """Assign a role, or change its terms: ``assignment.create`` and ``assignment.update``."""
    wanted: Facts = facts.get("after", facts)
    terms = replace(terms_of(wanted), domain=domain_of(facts))
    give_role(state, state.names[holder_of(facts)], facts["role"], terms)


def give_role(state: State, account: Account, role: str, terms: Terms) -> None:
    """Assign a role, with the rules of ``assignments.give_role``.

    The caller cannot hand out what the caller does not hold, and cannot act on a stronger account.
    """
    state.role(role)  # 404 if there is none
    present = account.has.get((role, terms.domain))
    if present is None:
        _create(state, account, role, terms)
    else:
        _change(state, account, present, terms)


def _create(state: State, account: Account, role: str, terms: Terms) -> None:
    values = terms.settled(None, state.at)
    state.require_domain(terms.domain)
    require_assignable_at(role, home_of(role), terms.domain)
    require_activatable(account.target, values)
    _require_role_held(state, role, values["valid_to"])
    _require_lasting(state, account, role, values)
    _require_outranks(state, account)
    _add(state, account, role, values)
    after = {"role": role, **to_audit(values, state.at)}
    state.events.append(
        Event("assignment.created", account.target, terms.reason, None, after, domain=terms.domain)
    )
    note_change(state, users=[account.id], roles=[role])


def _change(state: State, account: Account, present: Held, terms: Terms) -> None:
    """Change the terms, with the rules of the single change: a longer or wider assignment hands out the
    role."""
    role, old, longest = present.role, columns_of(present), state.clearance.settings.activation_seconds
    values = terms.settled(present, state.at)
    require_activatable(account.target, values)
    before, after = differences(present, values)
    grows = not is_within(values, old, longest)
    if grows or not after:
        _require_role_held(state, role, values["valid_to"] if grows else state.at)
    if grows:
        _require_lasting(state, account, role, values)
    _require_outranks(state, account)
    if not after:
        return
    _rewrite(state, account, present, values)
    named = {"role": role, **where(present.domain)}
    facts = ({**named, **before}, {**named, **after})
    state.events.append(
        Event("assignment.updated", account.target, terms.reason, *facts, domain=present.domain)
    )
    if not is_within(old, values, longest):  # a change that only extends keeps every administrator
        _require_administrator(state, role)
    note_change(state, users=[account.id], roles=[role])


def end_assignment(state: State, facts: Facts) -> None:
    """End an assignment: ``assignment.end``."""
    account, role = state.names[holder_of(facts)], facts["role"]
    state.role(role)  # 404 if there is none
    _require_outranks(state, account)
    present = AssignmentNotFound.require(account.has.get((role, domain_of(facts))))
    _end(state, account, present)
    before = {"role": role, **where(present.domain)}
    state.events.append(Event("assignment.ended", account.target, None, before, domain=present.domain))
    _require_administrator(state, role)
    note_change(state, users=[account.id], roles=[role], losing=True)


def _add(state: State, account: Account, role: str, values: Values) -> None:
    held = Held(new_id(), role, **values)
    whose = {"user_id": account.id, "role_id": state.role_rows[role].id}
    given = {"assigned_by": state.clearance.actor.id, "assigned_at": NOW}
    state.pending.add(assignments, {"id": held.id, **whose, **given, **_dated(state, values)})
    state.more[role] += 1
    state.places.more[held.domain] += 1
    _note_held(state, account, held)


def _rewrite(state: State, account: Account, present: Held, values: Values) -> None:
    """Write the new terms; another mode gets a new row, so that the earlier one stays readable as of any
    moment."""
    if present.mode == values["mode"]:
        state.pending.change(assignments, {"id": present.id}, _dated(state, values))
        _note_held(state, account, Held(present.id, present.role, **values))
    else:
        _end(state, account, present)
        _add(state, account, present.role, {**values, "valid_from": max(values["valid_from"], state.at)})


def _end(state: State, account: Account, present: Held) -> None:
    """End the row; one that has not begun is left with no time at all."""
    begun = {} if present.valid_from <= state.at else {"valid_from": NOW}
    state.pending.change(assignments, {"id": present.id}, {**begun, "valid_to": NOW})
    state.changed[account.id] = None
    state.more[present.role] -= 1
    state.places.more[present.domain] -= 1
    del account.has[present.place]


def _note_held(state: State, account: Account, held: Held) -> None:
    state.changed[account.id] = None
    account.has[held.place] = held
    for moment in (held.valid_from, held.valid_to):
        if moment is not None and moment > state.at:
            state.until = min(moment, state.until or moment)


def _dated(state: State, values: Values) -> Values:
    """The values to write: what begins now begins when it is written."""
    return {**values, "valid_from": NOW} if values["valid_from"] == state.at else values


def _require_role_held(state: State, role: str, until: datetime | None) -> None:
    handed_out = state.roles.effective
    _once(state, ("hands out", role, until), lambda: state.clearance.require_held(handed_out(role), until))


def _require_lasting(state: State, account: Account, role: str, values: Values) -> None:
    def held_through(counts: Callable[[Assignment], bool]) -> frozenset[str]:
        return state.roles.held_by(one.role for one in assigned(account.has) if counts(one))

    if account.target.id == state.clearance.actor.id:
        require_lasting(state.clearance, values, state.roles.effective(role), held_through)


def _require_outranks(state: State, account: Account) -> None:
    """At each domain where the account will hold anything. Asked once per name and set of roles: the refusal
    contains the name."""
    if not state.clearance.unbounded:
        held = frozenset(account.has)
        _once(state, ("acts on", account.name, held), lambda: _outrank(state, account))


def _outrank(state: State, account: Account) -> None:
    places: dict[str, set[str]] = {}
    for role, domain in account.has:
        places.setdefault(domain, set()).add(role)
    for domain in sorted(places):
        here, held = state.clearance.looking_at(domain), state.roles.held_by(places[domain])
        here.require_outranks(held, account.name, account.id)


def _require_administrator(state: State, role: str) -> None:
    if role in state.roles.seniors(ADMIN):
        require_administrator(state)


def _once(state: State, question: object, ask: Callable[[], None]) -> None:
    """Ask, and keep the answer until the roles change."""
    if question not in state.answers:
        state.answers[question] = None
        try:
            ask()
        except ServiceError as refusal:
            state.answers[question] = refusal
    refused = state.answers[question]
    if refused is not None:
        raise refused
