"""SQL for constraints, and for the accounts that they may concern."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    insert,
    not_,
    or_,
    select,
    true,
    update,
)

from rbac_api.capabilities.constraints.errors import ConstraintNameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.filters import among, bounded_count, counts_at
from rbac_api.database.folding import is_named
from rbac_api.database.homes import at_home
from rbac_api.database.queries.sessions import is_active
from rbac_api.database.tables import assignments, constraint_roles, constraints, roles, sessions, users
from rbac_api.database.validity import in_force, not_over
from rbac_api.decision.model import ROOT, Assignment, ConstraintKind, Mode
from rbac_api.decision.separation_of_duty import Holder

register_constraint("uq_constraints_name_open", ConstraintNameTaken)
register_constraint("uq_constraints_name_folded", ConstraintNameTaken)

_STREAMED = {
    "stream_results": True,
    "max_row_buffer": 500,
}  # rows per fetch: a million holders are never in memory at once


class ConstraintRow(NamedTuple):
    """A constraint without its roles."""

    id: str
    name: str
    kind: ConstraintKind
    cardinality: int | None
    valid_from: datetime
    valid_to: datetime | None
    home: str


class LiveSession(NamedTuple):
    """A session that its user may be using; ``amr`` and ``active_roles`` are names separated by spaces."""

    id: str
    user_id: str
    amr: str
    active_roles: str | None
    domain: str


_CONSTRAINT = tuple(constraints.c[name] for name in ConstraintRow._fields)


def is_name_taken(connection: Connection, name: str) -> bool:
    """Whether a constraint in force has this name, or one that differs only by case."""
    taken = select(constraints.c.id).where(
        is_named(constraints.c.name, name), constraints.c.valid_to.is_(None)
    )
    return connection.execute(taken).first() is not None


def _counts(at: datetime | None) -> ColumnElement[bool]:
    """The constraint is in force, or was at that moment."""
    return constraints.c.valid_to.is_(None) if at is None else in_force(constraints, at)


def find_constraint(connection: Connection, name: str, at: datetime | None = None) -> ConstraintRow | None:
    named = (constraints.c.name == name, _counts(at))
    row = connection.execute(select(*_CONSTRAINT).where(*named)).first()
    return ConstraintRow._make(row) if row else None


def which(connection: Connection, domains: Collection[str], at: datetime | None) -> ColumnElement[bool]:
    """The constraint counts, now or at that moment, and is at home in one of these domains."""
    return and_(_counts(at), at_home(connection, constraints, domains))


def list_constraints(
    connection: Connection, after: tuple[object, ...] | None, limit: int, which: ColumnElement[bool]
) -> list[ConstraintRow]:
    """Constraints by name."""
    query = select(*_CONSTRAINT).where(which).order_by(constraints.c.name)
    rows = connection.execute((query.where(constraints.c.name > after[0]) if after else query).limit(limit))
    return [ConstraintRow._make(row) for row in rows]


def count_constraints(connection: Connection, which: ColumnElement[bool]) -> int:
    return bounded_count(connection, select(constraints.c.id).where(which))


def list_members(connection: Connection, constraint_ids: Collection[str]) -> dict[str, list[str]]:
    """The names of each constraint's roles, in their order."""
    joined = constraint_roles.join(roles, constraint_roles.c.role_id == roles.c.id)
    query = select(constraint_roles.c.constraint_id, roles.c.name).select_from(joined)
    members = query.where(constraint_roles.c.constraint_id.in_(constraint_ids))
    found: dict[str, list[str]] = {}
    for row in connection.execute(members.order_by(constraint_roles.c.position)):
        found.setdefault(row.constraint_id, []).append(row.name)
    return found


def add_constraint(connection: Connection, values: Mapping[str, object], role_ids: Iterable[str]) -> None:
    connection.execute(insert(constraints).values(values))
    members = [
        {"constraint_id": values["id"], "position": position, "role_id": role_id}
        for position, role_id in enumerate(role_ids)
    ]
    connection.execute(insert(constraint_roles), members)


def end_constraint(connection: Connection, constraint_id: str, now: datetime) -> None:
    connection.execute(update(constraints).where(constraints.c.id == constraint_id).values(valid_to=now))


def count_assignments(connection: Connection, role_ids: Collection[str]) -> dict[str, int]:
    """The number of assignments of each role, past ones included.

    The index alone answers, so the number is cheap and good enough for planning.
    """
    query = select(assignments.c.role_id, func.count().label("number")).group_by(assignments.c.role_id)
    return {
        row.role_id: row.number
        for row in connection.execute(query.where(among(assignments.c.role_id, role_ids)))
    }


def count_permanent(connection: Connection, role_ids: Collection[str], at: datetime) -> int:
    """How many accounts have one of these roles at that moment, at ``root`` and without an end."""
    table = assignments.c
    different = (
        table.user_id.distinct() if len(role_ids) > 1 else table.id
    )  # no account has two assignments of one role without an end
    query = select(func.count(different)).where(among(table.role_id, role_ids))
    endless = (table.valid_from <= at, table.valid_to.is_(None), counts_at())
    return connection.execute(query.where(*endless)).scalar_one()


def passing(role_ids: Collection[str], at: datetime) -> list[ColumnElement[bool]]:
    """Condition for ``list_holders``: only accounts that do not have one of these roles at that moment, at
    ``root`` and without an end."""
    return [
        or_(assignments.c.valid_from > at, assignments.c.valid_to.is_not(None), not_(counts_at())),
        not_(_permanent(role_ids, at)),
    ]


def lacking(required: Iterable[Collection[str]], at: datetime) -> ColumnElement[bool]:
    """Condition: without accounts that have, at that moment, at ``root`` and without an end, one role of each
    of these sets: that is so at every domain."""
    return not_(and_(true(), *(_permanent(role_ids, at) for role_ids in required)))


def holding(role_ids: Collection[str], at: datetime) -> ColumnElement[bool]:
    """Condition: only accounts that are assigned one of these roles, now or later."""
    other = assignments.alias("other")
    counts = not_over(other, at)
    return assignments.c.user_id.in_(select(other.c.user_id).where(among(other.c.role_id, role_ids), counts))


def these(user_ids: Collection[str]) -> ColumnElement[bool]:
    """Condition: only these accounts."""
    return assignments.c.user_id.in_(user_ids)


def later_than(user_id: str) -> ColumnElement[bool]:
    """Condition: only accounts from this one on, in the order of ids."""
    return assignments.c.user_id >= user_id


def list_holders(
    connection: Connection,
    at: datetime,
    role_ids: Collection[str] | None,
    conditions: Iterable[ColumnElement[bool]] = (),
) -> Iterator[Holder]:
    """Accounts one after another, in the order of ids, with their current and future assignments of these
    roles (None: all), at all domains.

    Read it to its end, or close it, inside a transaction: PostgreSQL keeps a cursor open meanwhile.
    """
    query = _assignments().where(*_still(role_ids, at), *conditions, users.c.status != "deleted")
    ordered = query.order_by(assignments.c.user_id, assignments.c.id)
    with connection.execute(ordered, execution_options=_STREAMED) as rows:
        for (user_id, username), held in groupby(rows, key=lambda row: (row.user_id, row.username)):
            given = (Assignment(*row[2:]) for row in held)
            yield Holder(user_id, username, tuple(given))


def list_live_sessions(
    connection: Connection, user_ids: Collection[str], at: datetime
) -> dict[str, list[LiveSession]]:
    """Sessions that are usable right now, by user."""
    table = sessions.c
    columns = (table[name] for name in LiveSession._fields)
    able = (users.c.id == table.user_id, users.c.status == "active", table.user_id.in_(user_ids))
    found: dict[str, list[LiveSession]] = {}
    for row in connection.execute(select(*columns).where(is_active(at), *able).order_by(table.id)):
        session = LiveSession._make(row)
        found.setdefault(session.user_id, []).append(session)
    return found


def _assignments() -> Select[str, str, str, datetime, datetime | None, Mode, str]:
    joined = assignments.join(users, assignments.c.user_id == users.c.id).join(
        roles, and_(assignments.c.role_id == roles.c.id, roles.c.valid_to.is_(None))
    )
    columns = (assignments.c.user_id, users.c.username, roles.c.name)
    terms = (assignments.c.valid_from, assignments.c.valid_to, assignments.c.mode, assignments.c.domain)
    return select(*columns, *terms).select_from(joined)


def _still(role_ids: Collection[str] | None, at: datetime) -> list[ColumnElement[bool]]:
    """Assignments of these roles that are not over."""
    counts = not_over(assignments, at)
    return [counts] if role_ids is None else [among(assignments.c.role_id, role_ids), counts]


def _permanent(role_ids: Collection[str], at: datetime) -> ColumnElement[bool]:
    other = assignments.alias("permanent")
    endless = (
        among(other.c.role_id, role_ids), other.c.valid_from <= at, other.c.valid_to.is_(None),
        other.c.domain == ROOT,
    )  # fmt: skip
    mine = other.c.user_id == assignments.c.user_id
    return exists(select(other.c.id).where(mine, *endless).correlate(assignments))
