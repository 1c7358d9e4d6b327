"""Constraints on roles: creates, deletes and lists them, and checks every change of assignments.

rows are written, and their events recorded
require_constraints(clearance, users=[user_id], roles=["accountant"])     409 constraint.violated: rollback
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.constraints import answers, queries
from rbac_api.capabilities.constraints.errors import (
    ConstraintNameTaken,
    ConstraintNotFound,
    ConstraintViolated,
)
from rbac_api.capabilities.constraints.rules import sensible_rule
from rbac_api.capabilities.constraints.violations import Change, ConstraintChecker, Expected, Violations
from rbac_api.capabilities.sessions.answers import user_reference
from rbac_api.database.queries.roles import find_role_ids
from rbac_api.database.types import new_id
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Constraint, Subject
from rbac_api.decision.separation_of_duty import Holder, Violation, dynamic_conflicts
from rbac_api.formats.paging import MAX_TOTAL, Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.trail.recorder import Target

__all__ = [
    "Change", "ConstraintChecker", "Expected", "assignable", "constraints_on", "create_constraint",
    "delete_constraint", "facts_of", "get_constraint", "list_constraints", "list_violations",
    "require_all_kept", "require_assignable", "require_compatible", "require_constraints",
    "require_sessions_kept", "sensible_rule", "violated_constraints",
]  # fmt: skip
MAX_VIOLATIONS_LISTED = 50  # violations in a problem document
MAX_VIOLATIONS_COUNTED = 10_000  # the number up to which they are counted
MayName = Callable[[str], bool]  # whether the answer may name the user with this id


def require_constraints(
    clearance: Clearance,
    *,
    users: Iterable[str] | None = None,
    roles: Iterable[str] = (),
    through: str | None = None,
    losing: bool = False,
) -> None:
    """After rows were written and recorded: 409 ``constraint.violated`` if the change breaks a constraint.
    That undoes the unit. ``users``: ids of the accounts whose assignments changed; or ``through``: the role
    whose juniors changed, which concerns its holders. ``roles``: names of what was gained or lost (with what
    those inherit); none: everything they hold. ``losing``: nothing was gained, so that only a ``requires``
    can break."""
    change = Change(None if users is None else frozenset(users), frozenset(roles), through, losing)
    if clearance.graph().constraints:
        _refuse(_judge(clearance).broken_by([change]), clearance.may_name)


def require_all_kept(
    clearance: Clearance, judge: ConstraintChecker, changes: Iterable[Change], made: Iterable[str]
) -> None:
    """Before anything is written: 409 as above if these changes, or the new constraints, break something."""
    names = set(made)
    rules = [rule for rule in judge.graph.constraints if rule.name in names]
    _refuse(_broken(judge, changes, rules), clearance.may_name)


def require_sessions_kept(clearance: Clearance, judge: ConstraintChecker, rule: Constraint) -> None:
    """409 as above if a session has too many roles active for a new dynamic constraint."""
    _refuse(judge.overfull_sessions(rule), clearance.may_name)


def list_constraints(
    clearance: Clearance, page: PageRequest, at: datetime | None = None
) -> Page[answers.ConstraintAnswer]:
    """All constraints in force, now or at that moment, by name."""
    rows = queries.list_constraints(clearance.connection, page.after, page.limit + 1, at)
    total = queries.count_constraints(clearance.connection, at) if page.count else None
    found = cut(rows, page, lambda row: (row.name,), total)
    members = queries.list_members(clearance.connection, [row.id for row in found.items])
    return found.map(lambda row: _describe(row, members))


def get_constraint(clearance: Clearance, name: str, at: datetime | None = None) -> answers.ConstraintAnswer:
    """One constraint, now or at that moment; 404 ``constraint.not_found``."""
    row = ConstraintNotFound.require(queries.find_constraint(clearance.connection, name, at))
    return _describe(row, queries.list_members(clearance.connection, [row.id]))


def create_constraint(clearance: Clearance, body: answers.ConstraintBody) -> answers.ConstraintAnswer:
    """Create a constraint, in force at once. 404 for an unknown role, 403 ``escalation.denied`` unless the
    caller holds its roles' effective permissions, 409 ``constraint.violated`` with the list if it is violated
    now."""
    rule = sensible_rule(body["name"], body["kind"], body["roles"], body.get("limit"))
    ids = find_role_ids(clearance.connection, rule.roles)
    if unknown := [role for role in rule.roles if role not in ids]:
        raise RoleNotFound(f"There is no role {unknown[0]}. List them with GET /v1/roles.")
    clearance.require_held(clearance.graph().held_by(rule.roles))
    _require_outranks_bound(clearance, rule)
    if queries.is_name_taken(clearance.connection, rule.name):
        raise ConstraintNameTaken()
    before = _judge(clearance)  # a new dynamic one is not in force yet
    now = clock.now()
    row = {"id": new_id(), "name": rule.name, "kind": rule.kind, "cardinality": rule.limit, "valid_from": now}
    queries.add_constraint(clearance.connection, row, [ids[role] for role in rule.roles])
    clearance.record("constraint.created", _target(rule.name), after=facts_of(rule))
    if rule.kind == "dynamic":
        _refuse(before.overfull_sessions(rule), clearance.may_name)
    else:
        _refuse(_judge(clearance).breaking(rule), clearance.may_name)
    return get_constraint(clearance, rule.name)


def delete_constraint(clearance: Clearance, name: str) -> None:
    """End a constraint. 403 ``escalation.denied`` unless the caller holds its roles' effective
    permissions."""
    row = _find_constraint(clearance.connection, name)
    members = queries.list_members(clearance.connection, [row.id]).get(row.id, [])
    clearance.require_held(clearance.graph().held_by(members))
    rule = Constraint(row.name, row.kind, tuple(members), row.cardinality)
    _require_outranks_bound(clearance, rule)
    queries.end_constraint(clearance.connection, row.id, clock.now())
    clearance.record("constraint.deleted", _target(name), before=facts_of(rule))


def list_violations(clearance: Clearance, name: str, page: PageRequest) -> Page[answers.ViolationAnswer]:
    """Who violates a constraint, by id: none, unless the database was changed directly."""
    _find_constraint(clearance.connection, name)
    after = (str(page.after[0]), page.after[1]) if page.after else ("", "")
    with clearance.work.database.streaming() as connection:
        judge = ConstraintChecker(connection, clearance.changed_graph(), clock.now())
        rule = next((rule for rule in judge.graph.constraints if rule.name == name), None)
        if rule is None:
            raise ConstraintNotFound()  # ended at this very moment
        with closing(judge.breaking(rule, after=after[0] or None)) as found:
            rows = list(islice((one for one in found if _place(one) > after), page.limit + 1))
        total = sum(1 for _ in islice(judge.breaking(rule), MAX_TOTAL + 1)) if page.count else None
    return cut(rows, page, _place, total).map(lambda row: _to_json(row, clearance.may_name))


def violated_constraints(clearance: Clearance) -> list[str]:
    """The names of all constraints that are violated."""
    graph = clearance.changed_graph()
    with clearance.work.database.streaming() as connection:
        judge = ConstraintChecker(connection, graph, clock.now())
        return [rule.name for rule in graph.constraints if _first(judge.breaking(rule))]


def constraints_on(clearance: Clearance, role: str) -> list[str]:
    """The names of the constraints about a role."""
    return [rule.name for rule in clearance.graph().constraints if role in rule.roles]


def require_compatible(graph: RoleGraph, roles: Iterable[str], user: Mapping[str, str]) -> None:
    """409 ``constraint.violated`` if a dynamic constraint forbids these roles together in a session of
    ``user`` (``{id, username}``). ``graph`` is the one that counts in that session (``seen_with``)."""
    active = graph.closure_of(roles)
    conflicts = dynamic_conflicts(graph, active)
    if conflicts:
        now, who = clock.now(), (user["id"], user["username"])
        together = [tuple(role for role in rule.roles if role in active) for rule in conflicts]
        pairs = zip(conflicts, together, strict=True)
        found = (Violation(rule.name, names, now, None, *who) for rule, names in pairs)
        _refuse(found, lambda _own: True)


def assignable(
    clearance: Clearance, subject: Subject, roles: Iterable[str], domain: str = ROOT
) -> Generator[str, None, None]:
    """The roles that can be assigned to the subject now, at a domain and without an end, and violate no
    constraint. The subject is the one at ``root``."""
    holder = Holder(subject.id, subject.id, (*subject.assignments, *subject.elsewhere))
    with clearance.work.database.streaming() as connection:
        given = ((role, _if_assigned(clearance, connection, holder, role, domain)) for role in roles)
        yield from (role for role, found in given if not _first(found))


def require_assignable(
    clearance: Clearance, connection: Connection, holder: Holder, role: str, domain: str
) -> None:
    """Before anything is written: 409 as ``require_constraints`` answers after it, if the account is assigned
    the role from now on, at that domain and without an end. The connection streams."""
    _refuse(_if_assigned(clearance, connection, holder, role, domain), clearance.may_name)


def _if_assigned(
    clearance: Clearance, connection: Connection, holder: Holder, role: str, domain: str
) -> Violations:
    now = clock.now()
    given = replace(holder, assignments=(*holder.assignments, Assignment(role, now, domain=domain)))
    expected = Expected({holder.id: holder}, {holder.id: given})
    judge = ConstraintChecker(connection, clearance.graph(), now, expected)
    return judge.broken_by([Change(frozenset({holder.id}), frozenset({role}))])


def _require_outranks_bound(clearance: Clearance, rule: Constraint) -> None:
    """403 ``target.stronger`` if a dynamic one changes what a stronger user can have active, now or later."""
    if rule.kind == "dynamic":
        clearance.require_outranks_holders(rule.roles, rule)


def _judge(clearance: Clearance) -> ConstraintChecker:
    return ConstraintChecker(clearance.connection, clearance.graph(), clock.now())


def _broken(judge: ConstraintChecker, changes: Iterable[Change], made: list[Constraint]) -> Violations:
    yield from judge.broken_by(changes)
    for rule in made:
        yield from judge.breaking(rule)


def _first(found: Violations) -> Violation | None:
    with closing(found):
        return next(found, None)


def _refuse(found: Violations, may_name: MayName) -> None:
    """409 with the list, unless there is none."""
    with closing(found):
        broken = list(dict.fromkeys(islice(found, MAX_VIOLATIONS_COUNTED)))
    if not broken:
        return
    first = broken[0]
    raise ConstraintViolated(
        _sentence(first, str(first.username) if may_name(first.user_id or "") else "A user"),
        constraint=first.constraint,
        violations=[_to_json(violation, may_name) for violation in broken[:MAX_VIOLATIONS_LISTED]],
        count=len(broken),
    ).recorded_as(_sentence(first, str(first.user_id)))


def _find_constraint(connection: Connection, name: str) -> queries.ConstraintRow:
    return ConstraintNotFound.require(queries.find_constraint(connection, name))


def _target(name: str) -> Target:
    return Target("constraint", name, name)


def facts_of(rule: Constraint) -> answers.ConstraintFacts:
    """A constraint as the trail and the API have it."""
    return {"name": rule.name, "kind": rule.kind, "roles": list(rule.roles), "limit": rule.limit}


def _describe(row: queries.ConstraintRow, members: Mapping[str, list[str]]) -> answers.ConstraintAnswer:
    rule = Constraint(row.name, row.kind, tuple(members.get(row.id, ())), row.cardinality)
    return {**facts_of(rule), "created_at": row.valid_from}


def _to_json(violation: Violation, may_name: MayName) -> answers.ViolationAnswer:
    """A violation as it is shown."""
    named = violation.user_id is not None and may_name(violation.user_id)
    return {
        "constraint": violation.constraint,
        "user": user_reference(violation.user_id, violation.username) if named else None,
        "roles": list(violation.roles),
        "domain": violation.domain,
        "from": violation.since,
        "until": violation.until,
    }


def _place(violation: Violation) -> tuple[str, str]:
    """The place in the list: by user (or role), then by domain, then by end, as past beginnings are listed as
    now."""
    until = clock.rfc3339(violation.until) if violation.until else "open"
    return violation.user_id or violation.roles[0], f"{violation.domain} {until}"


def _sentence(violation: Violation, user: str) -> str:
    first, *others = violation.roles
    who = user if violation.user_id else "More people than allowed"
    at = "" if violation.domain == ROOT else f" at {violation.domain}"
    roles = f"{first} without {', '.join(others)}" if violation.alone else ", ".join(violation.roles)
    forbidden = f"which the constraint {violation.constraint} forbids; 'violations' lists every user"
    return f"{who} would hold {roles}{at}, {forbidden}."
