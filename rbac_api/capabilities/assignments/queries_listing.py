"""SQL for the list of all assignments: newest first, and an index for each filter.

Few matches of a filter are looked up and sorted. Where every filter matches many, the index of one of them,
which has the order of the list, is read until the page is full. What only narrows down rows that another
index finds is written as an expression, for which SQLite takes no index.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, and_, func, literal_column, or_, select, true

from rbac_api import clock
from rbac_api.database.filters import are_few, bounded_count, looked_up
from rbac_api.database.homes import at_home, is_in
from rbac_api.database.queries.assignments import DESCRIBED, AssignmentRow
from rbac_api.database.tables import assignments, roles, users
from rbac_api.decision.domains import lineage
from rbac_api.decision.model import ROOT, Mode
from rbac_api.guard.state.queries_history import was_assigned

State = Literal["current", "scheduled", "ended", "all"]
_ONE = assignments.c
_BEGINS = func.coalesce(_ONE.valid_from, clock.ENDLESS)
_ENDS = func.coalesce(_ONE.valid_to, clock.ENDLESS)
_WITH_HOLDER = DESCRIBED.add_columns(users.c.username, users.c.kind).join(users, _ONE.user_id == users.c.id)
ELIGIBLE = _ONE.mode == literal_column("'eligible'")
WITHOUT_REASON = func.coalesce(_ONE.reason, literal_column("''")) == literal_column("''")


class HeldAssignment(NamedTuple):
    """An assignment, and the name and kind (``person`` or ``service``) of the account that has it."""

    assignment: AssignmentRow
    username: str
    kind: str


class Filter(NamedTuple):
    """A condition, and the same one for rows that another index finds; ``ordered``: its index has them in the
    order of the list."""

    found: ColumnElement[bool]
    passed: ColumnElement[bool]
    ordered: bool = False


def is_of(user_ids: Collection[str]) -> Filter:
    """Assignments of these accounts."""
    return Filter(_ONE.user_id.in_(user_ids), _passed(_ONE.user_id).in_(user_ids))


def is_by(user_ids: Collection[str]) -> Filter:
    """Assignments made by one of these users."""
    return Filter(_ONE.assigned_by.in_(user_ids), _passed(_ONE.assigned_by).in_(user_ids), ordered=True)


def is_role(role_ids: Collection[str]) -> Filter:
    """Assignments of one of these roles."""
    return Filter(_ONE.role_id.in_(role_ids), _passed(_ONE.role_id).in_(role_ids), ordered=True)


def is_at(domain: str) -> Filter:
    """Assignments at this very domain."""
    if domain == ROOT:  # most are: the list itself is the index
        return Filter(true(), _passed(_ONE.domain) == domain)
    below = and_(_ONE.domain == domain, _ONE.domain != literal_column("'root'"))
    return Filter(below, _passed(_ONE.domain) == domain, ordered=True)


def are_in(connection: Connection, scope: Collection[str]) -> list[Filter]:
    """Assignments of accounts that are at home in these domains, which count in one of them."""
    if ROOT in scope:
        return []
    accounts = select(users.c.id).where(at_home(connection, users, scope))
    above = sorted({place for domain in scope for place in lineage(domain)})
    there = or_(_passed(_ONE.domain).in_(above), is_in(connection, _ONE.domain, scope))
    return [
        Filter(_ONE.user_id.in_(accounts), _passed(_ONE.user_id).in_(accounts)),
        Filter(true(), there),
    ]


def has_mode(mode: Mode) -> Filter:
    """Assignments that count by themselves, or those that have to be activated."""
    if mode == "active":  # most are: the list itself is the index
        return Filter(true(), _passed(_ONE.mode) == mode)
    return Filter(ELIGIBLE, _passed(_ONE.mode) == mode, ordered=True)


def has_reason(*, some: bool) -> Filter:
    """Assignments made with a reason, or without."""
    return Filter(~WITHOUT_REASON, ~WITHOUT_REASON) if some else Filter(WITHOUT_REASON, WITHOUT_REASON)


def is_limited(before: datetime, after: datetime | None) -> Filter:
    """Assignments that end before that moment, and after the other one if there is one."""
    found, passed = _ONE.valid_to < before, before > _ENDS
    return Filter(found if after is None else and_(found, _ONE.valid_to > after), passed, ordered=True)


def has_state(state: State, at: datetime) -> Filter:
    """Assignments that count at that moment, will count later, are over, or any of these.

    What was withdrawn before it began is over.
    """
    over = Filter(_ONE.valid_to <= at, at >= _ENDS, ordered=True)
    later = Filter(_ONE.valid_from > at, and_(at < _BEGINS, _ENDS > _BEGINS))
    return {
        "current": Filter(true(), and_(at >= _BEGINS, at < _ENDS)),
        "scheduled": Filter(and_(later.found, _ENDS > _BEGINS), later.passed),
        "ended": over,
        "all": Filter(true(), or_(_ENDS > _BEGINS, at >= _ENDS)),
    }[state]


def was_made(at: datetime) -> Filter:
    """Assignments that had been made by then."""
    return Filter(true(), was_assigned(at) | (at >= _ENDS))


def list_role_ids_ever(connection: Connection, name: str) -> list[str]:
    """The ids of the roles that have, or had, this name."""
    return list(connection.execute(select(roles.c.id).where(roles.c.name == name)).scalars())


def planned(connection: Connection, filters: Sequence[Filter]) -> list[ColumnElement[bool]]:
    """The conditions of the filters, so that one of them finds the rows and the others narrow them down."""
    selective = [one for one in filters if one.found is not true()]
    few = (one for one in selective if are_few(connection, select(_ONE.id).where(one.found)))
    if leading := next(few, None):
        first = looked_up(_ONE.id, select(_ONE.id).where(leading.found))
    elif leading := next((one for one in selective if one.ordered), None):
        first = leading.found
    else:
        first = true()
    return [first, *(one.passed for one in filters if one is not leading)]


def list_assignments(
    connection: Connection,
    conditions: Sequence[ColumnElement[bool]],
    after: tuple[object, ...] | None,
    limit: int,
) -> list[HeldAssignment]:
    """Assignments, newest first; their names are read for these alone."""
    query = select(_ONE.id).where(*conditions).order_by(_ONE.id.desc()).limit(limit)
    page = query.where(_ONE.id < after[0]) if after else query
    ids = list(connection.execute(page).scalars())
    rows = connection.execute(_WITH_HOLDER.where(_ONE.id.in_(ids)).order_by(_ONE.id.desc()))
    return [HeldAssignment(AssignmentRow._make(row[:-2]), *row[-2:]) for row in rows]


def count_assignments(connection: Connection, conditions: Sequence[ColumnElement[bool]]) -> int:
    return bounded_count(connection, select(_ONE.id).where(*conditions))


def _passed(column: Column[str]) -> ColumnElement[str]:
    return func.coalesce(column, column)
