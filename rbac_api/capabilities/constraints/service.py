"""Constraints on roles: creates, deletes and lists them, and checks every change of assignments.

rows are written, and their events recorded
require_constraints(clearance, users=[user_id], roles=["accountant"])     409 constraint.violated: rollback
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Set
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
from rbac_api.capabilities.constraints.rules import require_at_home, row_of, sensible_rule
from rbac_api.capabilities.constraints.serializers import describe, facts_of, sentence, to_json
from rbac_api.capabilities.constraints.violations import Change, ConstraintChecker, Expected, Violations
from rbac_api.capabilities.domains.service import named_at_home, require_domain
from rbac_api.database.queries.roles import find_role_ids
from rbac_api.decision.domains import home_of
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Constraint, Subject
from rbac_api.decision.naming import CONSTRAINT
from rbac_api.decision.separation_of_duty import Holder, Violation, dynamic_conflicts
from rbac_api.formats.paging import MAX_TOTAL, Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.trail.recorder import Target

__all__ = [
    "Change", "ConstraintChecker", "Expected", "assignable", "constraints_on", "create_constraint",
    "delete_constraint", "facts_of", "get_constraint", "list_constraints", "list_violations",
    "require_all_kept", "require_assignable", "require_at_home", "require_compatible", "require_constraints",
    "require_sessions_kept", "row_of", "sensible_rule", "violated_constraints",
]  # fmt: skip
MAX_VIOLATIONS_LISTED = 50  # violations in a problem document
MAX_VIOLATIONS_COUNTED = 10_000  # the number up to which they are counted


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
        _refuse(_judge(clearance).broken_by([change]), clearance.nameable_users)


def require_all_kept(
    clearance: Clearance, judge: ConstraintChecker, changes: Iterable[Change], made: Iterable[str]
) -> None:
    """Before anything is written: 409 as above if these changes, or the new constraints, break something."""
    names = set(made)
    rules = [rule for rule in judge.graph.constraints if rule.name in names]
    _refuse(_broken(judge, changes, rules), clearance.nameable_users)


def require_sessions_kept(clearance: Clearance, judge: ConstraintChecker, rule: Constraint) -> None:
    """409 as above if a session has too many roles active for a new dynamic constraint."""
    _refuse(judge.overfull_sessions(rule), clearance.nameable_users)


def list_constraints(
    clearance: Clearance, page: PageRequest, at: datetime | None = None
) -> Page[answers.ConstraintAnswer]:
    """The constraints in force that the caller may read, now or at that moment, by name."""
    which = queries.which(clearance.connection, clearance.domains_granting(), at)
    rows = queries.list_constraints(clearance.connection, page.after, page.limit + 1, which)
    total = queries.count_constraints(clearance.connection, which) if page.count else None
    found = cut(rows, page, lambda row: (row.name,), total)
    members = queries.list_members(clearance.connection, [row.id for row in found.items])
    return found.map(lambda row: describe(row, members))


def get_constraint(clearance: Clearance, name: str, at: datetime | None = None) -> answers.ConstraintAnswer:
    """One constraint, now or at that moment; 404 ``constraint.not_found``."""
    _, row = _addressed(clearance, name, at)
    return describe(row, queries.list_members(clearance.connection, [row.id]))


def create_constraint(clearance: Clearance, body: answers.ConstraintBody) -> answers.ConstraintAnswer:
    """Create a constraint, in force at once, which its home decides. 404 for an unknown role, 403
    ``escalation.denied`` unless the caller holds its roles' effective permissions there, 409
    ``constraint.violated`` with the list if it is violated now."""
    clearance, name = named_at_home(clearance, body, CONSTRAINT)
    require_domain(clearance, home_of(name))
    rule = sensible_rule(name, body["kind"], body["roles"], body.get("limit"))
    require_at_home(rule)
    ids = find_role_ids(clearance.connection, rule.roles)
    if unknown := [role for role in rule.roles if role not in ids]:
        raise RoleNotFound(f"There is no role {unknown[0]}. List them with GET /v1/roles.")
    clearance.require_held(clearance.graph().held_by(rule.roles))
    _require_outranks_bound(clearance, rule)
    if queries.is_name_taken(clearance.connection, rule.name):
        raise ConstraintNameTaken()
    before = _judge(clearance)  # a new dynamic one is not in force yet
    row = row_of(rule, clock.now())
    queries.add_constraint(clearance.connection, row, [ids[role] for role in rule.roles])
    clearance.record("constraint.created", Target("constraint", name, name), after=facts_of(rule))
    if rule.kind == "dynamic":
        _refuse(before.overfull_sessions(rule), clearance.nameable_users)
    else:
        _refuse(_judge(clearance).breaking(rule), clearance.nameable_users)
    found = ConstraintNotFound.require(queries.find_constraint(clearance.connection, name))
    return describe(found, {found.id: list(rule.roles)})


def delete_constraint(clearance: Clearance, name: str) -> None:
    """End a constraint. 403 ``escalation.denied`` unless the caller holds its roles' effective
    permissions at its home."""
    clearance, row = _addressed(clearance, name)
    members = queries.list_members(clearance.connection, [row.id]).get(row.id, [])
    clearance.require_held(clearance.graph().held_by(members))
    rule = Constraint(row.name, row.kind, tuple(members), row.cardinality)
    _require_outranks_bound(clearance, rule)
    queries.end_constraint(clearance.connection, row.id, clock.now())
    clearance.record("constraint.deleted", Target("constraint", name, name), before=facts_of(rule))


def list_violations(clearance: Clearance, name: str, page: PageRequest) -> Page[answers.ViolationAnswer]:
    """Who violates a constraint, by id: none, unless the database was changed directly."""
    _addressed(clearance, name)
    after = (str(page.after[0]), page.after[1]) if page.after else ("", "")
    with clearance.work.database.streaming() as connection:
        judge = ConstraintChecker(connection, clearance.changed_graph(), clock.now())
        rule = next((rule for rule in judge.graph.constraints if rule.name == name), None)
        if rule is None:
            raise ConstraintNotFound()  # ended at this very moment
        with closing(judge.breaking(rule, after=after[0] or None)) as found:
            rows = list(islice((one for one in found if _place(one) > after), page.limit + 1))
        total = sum(1 for _ in islice(judge.breaking(rule), MAX_TOTAL + 1)) if page.count else None
    named = clearance.nameable_users(_users(rows))
    return cut(rows, page, _place, total).map(lambda row: to_json(row, named))


def violated_constraints(clearance: Clearance) -> list[str]:
    """The names of all constraints that are violated."""
    graph = clearance.changed_graph()
    with clearance.work.database.streaming() as connection:
        judge = ConstraintChecker(connection, graph, clock.now())
        return [rule.name for rule in graph.constraints if _first(judge.breaking(rule))]


def constraints_on(clearance: Clearance, role: str) -> list[str]:
    """The constraints about a role, in words; one that the caller may not read is not named."""
    found = (rule.name for rule in clearance.graph().constraints if role in rule.roles)
    return [
        f"the constraint {name}"
        if clearance.everywhere or clearance.holds("constraints:read", home_of(name))
        else "a constraint"
        for name in found
    ]


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
        _refuse(found, lambda own: own)


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
    _refuse(_if_assigned(clearance, connection, holder, role, domain), clearance.nameable_users)


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


def _addressed(
    clearance: Clearance, name: str, at: datetime | None = None
) -> tuple[Clearance, queries.ConstraintRow]:
    """The constraint, with the clearance at its home; 404 for one that the caller may not read there."""
    row = ConstraintNotFound.require(queries.find_constraint(clearance.connection, name, at))
    return clearance.over(row.home, "constraints:read", ConstraintNotFound), row


def _judge(clearance: Clearance) -> ConstraintChecker:
    return ConstraintChecker(clearance.connection, clearance.graph(), clock.now())


def _broken(judge: ConstraintChecker, changes: Iterable[Change], made: list[Constraint]) -> Violations:
    yield from judge.broken_by(changes)
    for rule in made:
        yield from judge.breaking(rule)


def _first(found: Violations) -> Violation | None:
    with closing(found):
        return next(found, None)


def _refuse(found: Violations, nameable: Callable[[Set[str]], Set[str]]) -> None:
    """409 with the list, unless there is none; it names those users whom the answer may name."""
    with closing(found):
        broken = list(dict.fromkeys(islice(found, MAX_VIOLATIONS_COUNTED)))
    if not broken:
        return
    first, listed = broken[0], broken[:MAX_VIOLATIONS_LISTED]
    named = nameable(_users(listed))
    raise ConstraintViolated(
        sentence(first, str(first.username) if first.user_id in named else "A user"),
        constraint=first.constraint,
        violations=[to_json(violation, named) for violation in listed],
        count=len(broken),
    ).recorded_as(sentence(first, str(first.user_id)))


def _users(found: Iterable[Violation]) -> Set[str]:
    return {one.user_id for one in found if one.user_id}


def _place(violation: Violation) -> tuple[str, str]:
    """The place in the list: by user (or role), then by domain, then by end, as past beginnings are listed as
    now."""
    until = clock.rfc3339(violation.until) if violation.until else "open"
    return violation.user_id or violation.roles[0], f"{violation.domain} {until}"
