"""SQL for policies: everything that a document can say, as it is now, and whom a change of it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, Select, and_, func, select, true

from rbac_api.database.engine import batched
from rbac_api.database.homes import at_home, is_in
from rbac_api.database.queries.permissions import PERMISSION, PermissionRow
from rbac_api.database.queries.roles import ROLE, RoleRow
from rbac_api.database.queries.sessions import count_active
from rbac_api.database.queries.users import erased_form
from rbac_api.database.tables import (
    assignments,
    constraints,
    permissions,
    roles,
    sessions,
    trail_events,
    users,
)
from rbac_api.database.validity import in_force, not_over
from rbac_api.decision.model import ROOT, Mode, Status
from rbac_api.guard.state.queries_history import was_assigned
from rbac_api.trail.events import CATALOGUE

_ACCOUNTS = {"user.deleted", "service_account.deleted", "admin.created", "admin.recovered"}
_PLACES = {"domain.created", "domain.updated", "domain.deleted"}
POLICY_EVENTS = tuple(
    sorted(
        action
        for action, kind in CATALOGUE.items()
        if kind.touches in ("roles", "grants")
        or action.startswith("assignment.")
        or action in _ACCOUNTS | _PLACES
    )
)
"""The events that change what ``GET /v1/policy`` returns, or what a document may name."""


class HeldAssignment(NamedTuple):
    """An assignment with the names of its account and role; ``id`` is the account's."""

    id: str
    kind: str
    username: str
    username_canonical: str
    role: str
    assignment_id: str
    reason: str | None
    valid_from: datetime
    valid_to: datetime | None
    mode: Mode
    max_duration: int | None
    domain: str


class KnownAccount(NamedTuple):
    """An account; ``able`` if it is enabled and has a password."""

    id: str
    kind: str
    username: str
    username_canonical: str
    home: str
    able: bool


class PersonRow(NamedTuple):
    """A user by name and address."""

    id: str
    username: str
    username_canonical: str
    email_canonical: str | None
    kind: str
    status: Status


_PERSON = tuple(users.c[name] for name in PersonRow._fields)


def list_permissions(connection: Connection) -> list[PermissionRow]:
    rows = connection.execute(select(*PERMISSION).where(permissions.c.valid_to.is_(None)))
    return [PermissionRow._make(row) for row in rows]


def list_roles(connection: Connection) -> list[RoleRow]:
    rows = connection.execute(select(*ROLE).where(roles.c.valid_to.is_(None)))
    return [RoleRow._make(row) for row in rows]


def find_constraint_ids(connection: Connection) -> dict[str, str]:
    """The ids of all constraints in force, by name."""
    found = select(constraints.c.name, constraints.c.id).where(constraints.c.valid_to.is_(None))
    return {row.name: row.id for row in connection.execute(found)}


def count_assignments(connection: Connection, role_ids: Iterable[str], at: datetime) -> dict[str, int]:
    """The number of current and future assignments of each of these roles."""
    numbers = select(assignments.c.role_id, func.count().label("number")).group_by(assignments.c.role_id)
    still = numbers.where(not_over(assignments, at))
    some = (connection.execute(still.where(assignments.c.role_id.in_(part))) for part in batched(role_ids))
    return {row.role_id: row.number for rows in some for row in rows}


def list_assignments(
    connection: Connection, at: datetime, limit: int | None = None, domain: str = ROOT
) -> list[HeldAssignment]:
    """The current and future assignments in a domain, of accounts at home there."""
    held = _assignments(at).where(_inside(connection, domain)).limit(limit)
    return [HeldAssignment._make(row) for row in connection.execute(held)]


def _inside(connection: Connection, domain: str) -> ColumnElement[bool]:
    there = true() if domain == ROOT else is_in(connection, assignments.c.domain, [domain])
    return and_(there, at_home(connection, users, [domain]))


def stream_assignments(
    connection: Connection, at: datetime, size: int, *, past: bool = False, domain: str = ROOT
) -> Iterator[HeldAssignment]:
    """The same in the order of a document, read ``size`` at a time; or those of that ``past`` moment."""
    held = _joined().where(not_over(assignments, at), was_assigned(at)) if past else _assignments(at)
    ordered = held.where(_inside(connection, domain)).order_by(
        users.c.kind.desc(), _by_code_point(connection, users.c.username_canonical),
        _by_code_point(connection, roles.c.name), _by_code_point(connection, assignments.c.domain),
        assignments.c.id,
    )  # fmt: skip
    for row in connection.execute(ordered, execution_options={"yield_per": size}):
        yield HeldAssignment._make(row)


def _by_code_point(connection: Connection, column: Column[str]) -> ColumnElement[str]:
    """The column in the order of Python, whatever the database's language."""
    return column.collate("C") if connection.dialect.name == "postgresql" else column


def list_assignments_of(connection: Connection, ids: Iterable[str], at: datetime) -> Iterator[HeldAssignment]:
    for some in batched(ids):
        rows = connection.execute(_assignments(at).where(users.c.id.in_(some)))
        yield from (HeldAssignment._make(row) for row in rows)


def _assignments(at: datetime) -> Select[*tuple[object, ...]]:
    still = not_over(assignments, at)
    return _joined().where(still, roles.c.valid_to.is_(None), users.c.status != "deleted")


def _joined() -> Select[*tuple[object, ...]]:
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).join(
        users, assignments.c.user_id == users.c.id
    )
    columns = (
        users.c.id, users.c.kind, users.c.username, users.c.username_canonical, roles.c.name.label("role"),
        assignments.c.id.label("assignment_id"), assignments.c.reason, assignments.c.valid_from,
        assignments.c.valid_to, assignments.c.mode, assignments.c.max_duration, assignments.c.domain,
    )  # fmt: skip
    return select(*columns).select_from(joined)


def list_accounts(connection: Connection, names: Iterable[str]) -> Iterator[KnownAccount]:
    """Users and service accounts with these canonical names that were not deleted."""
    able = and_(users.c.status == "active", users.c.password_hash.is_not(None)).label("able")
    columns = (*(users.c[name] for name in KnownAccount._fields[:-1]), able)
    for some in batched(names):
        known = and_(users.c.username_canonical.in_(some), users.c.status != "deleted")
        yield from (KnownAccount._make(row) for row in connection.execute(select(*columns).where(known)))


def list_people_of_mail(connection: Connection, mails: Iterable[str]) -> Iterator[PersonRow]:
    """Users by the canonical form of their e-mail addresses; deleted users have none."""
    return _people(connection, users.c.email_canonical, mails)


def list_people(connection: Connection, ids: Iterable[str]) -> Iterator[PersonRow]:
    return _people(connection, users.c.id, ids)


def _people(connection: Connection, column: Column[str], values: Iterable[str]) -> Iterator[PersonRow]:
    for some in batched(values):
        yield from map(PersonRow._make, connection.execute(select(*_PERSON).where(column.in_(some))))


def is_held_by_more(connection: Connection, role_names: Iterable[str], at: datetime, most: int) -> bool:
    """Whether more accounts than that have one of these roles at this moment."""
    found: set[str] = set()
    for some in batched(role_names):
        found.update(connection.execute(_holder_ids(some, at).distinct().limit(most + 1)).scalars())
        if len(found) > most:
            return True
    return False


def stream_holders(
    connection: Connection, role_names: Iterable[str], at: datetime, size: int
) -> Iterator[PersonRow]:
    """The accounts that have one of these roles at this moment, each once, by username; read ``size`` at a
    time."""
    people = select(*_PERSON).order_by(_by_code_point(connection, users.c.username))
    streams = [
        connection.execute(
            people.where(users.c.id.in_(_holder_ids(some, at))), execution_options={"yield_per": size}
        )
        for some in batched(role_names)
    ]
    for _, same in groupby(merge(*streams, key=lambda row: row.username), lambda row: row.id):
        yield PersonRow._make(next(same))


def _holder_ids(role_names: list[str], at: datetime) -> Select[str]:
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    counts = and_(in_force(assignments, at), roles.c.valid_to.is_(None), roles.c.name.in_(role_names))
    return select(assignments.c.user_id).select_from(joined).where(counts)


def list_assigned_ids(connection: Connection, role_names: Iterable[str], at: datetime) -> set[str]:
    """Ids of the accounts that have one of these roles, now or later, at any domain."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    query = select(assignments.c.user_id).select_from(joined)
    counts = and_(not_over(assignments, at), roles.c.valid_to.is_(None))
    found: set[str] = set()
    for some in batched(role_names):
        found.update(connection.execute(query.where(counts, roles.c.name.in_(some)).distinct()).scalars())
    return found


def list_names(connection: Connection, secret: str, names: Iterable[str]) -> Iterator[PersonRow]:
    """All accounts that have, or had, one of these canonical names, which they are returned with."""
    erased = {erased_form(secret, name): name for name in names}
    for row in _people(connection, users.c.username_canonical, (*erased, *erased.values())):
        yield row._replace(username_canonical=erased.get(row.username_canonical, row.username_canonical))


def count_sessions(connection: Connection, user_ids: Iterable[str], now: datetime) -> int:
    """The number of active sessions of these users."""
    return sum(count_active(connection, now, sessions.c.user_id.in_(some)) for some in batched(user_ids))


def get_last_policy_event(connection: Connection) -> tuple[int, datetime]:
    """The newest event that changed what a document can say: one look at the index per kind, however long the
    trail.

    There is always one: the first start creates the built-in roles.
    """
    newest = [
        connection.execute(
            select(func.max(trail_events.c.seq)).where(trail_events.c.action == action)
        ).scalar()
        for action in POLICY_EVENTS
    ]
    seq = max(number or 0 for number in newest)
    return seq, connection.execute(select(trail_events.c.at).where(trail_events.c.seq == seq)).scalar_one()


def find_last_boundary(connection: Connection, since: datetime, at: datetime) -> datetime | None:
    """The latest moment after ``since`` at which time alone began or ended an assignment."""
    found = [
        connection.execute(select(func.max(column)).where(column > since, column <= at)).scalar()
        for column in (assignments.c.valid_from, assignments.c.valid_to)
    ]
    return max((moment for moment in found if moment is not None), default=None)
