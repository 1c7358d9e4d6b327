"""SQL for reviewing who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, select, union

from rbac_api.database.engine import batched
from rbac_api.database.filters import bounded_count, counting, holds_one_of, one_of
from rbac_api.database.queries.assignments import DESCRIBED, AssignmentRow
from rbac_api.database.queries.trail import EVENT, EventRow
from rbac_api.database.tables import (
    assignments,
    decisions,
    permissions,
    role_inheritance,
    role_permissions,
    roles,
    trail_events,
    users,
)
from rbac_api.database.validity import in_force
from rbac_api.decision.model import ROOT, Mode, Status
from rbac_api.guard.state.queries_history import was_assigned
from rbac_api.trail.personal import actor_name

Edge = tuple[str, str]  # (role, role that it inherits) or (role, permission that it holds)
Period = tuple[datetime, datetime | None]
_CREATIONS = ("inheritance.created", "permission.granted", "role.created")
MAX_EVENTS = 10_000


class MemberRow(NamedTuple):
    """An account that has one of some roles."""

    id: str
    kind: str
    username: str
    username_canonical: str
    status: Status


class HeldRow(NamedTuple):
    """An assignment through which an account has a role, with the role's name."""

    user_id: str
    role_id: str
    mode: Mode
    valid_to: datetime | None
    role: str


class DecisionRow(NamedTuple):
    """A refusal with its user, and its event, which says what was asked for."""

    id: str
    seq: int
    at: datetime
    user_id: str | None
    session_id: str | None
    permission: str | None
    role: str | None
    code: str
    detail: str
    second_factor: bool
    chosen_roles: str | None
    username: str | None
    after: str
    event_domain: str | None


class TimedRow(NamedTuple):
    """When something happened, and to what."""

    seq: int
    at: datetime
    target_id: str | None
    outcome: str


_MEMBER = tuple(users.c[name] for name in MemberRow._fields)
_HELD = tuple(assignments.c[name] for name in HeldRow._fields[:-1])
_DECISION = tuple(decisions.c[name] for name in DecisionRow._fields[:-3])
_TIMED = tuple(trail_events.c[name] for name in TimedRow._fields)


# -- what the steps of a path are made of --------------------------------------------------------------------


def list_assignments(connection: Connection, user_id: str, at: datetime) -> list[AssignmentRow]:
    """A user's assignments as of that moment, at all domains, with who made them."""
    theirs = (assignments.c.user_id == user_id, in_force(roles, at), in_force(assignments, at))
    return [AssignmentRow._make(row) for row in connection.execute(DESCRIBED.where(*theirs))]


def list_edges(connection: Connection, names: Sequence[str], at: datetime) -> dict[Edge, Period]:
    """Which of these roles inherits which directly."""
    senior, junior, edge = roles.alias("senior"), roles.alias("junior"), role_inheritance
    joined = edge.join(senior, edge.c.senior_id == senior.c.id).join(junior, edge.c.junior_id == junior.c.id)
    query = select(senior.c.name, junior.c.name, edge.c.valid_from, edge.c.valid_to).select_from(joined)
    found: dict[Edge, Period] = {}
    for some in batched(names):
        rows = connection.execute(query.where(senior.c.name.in_(some), in_force(edge, at)))
        found.update(((held_by, held), (since, until)) for held_by, held, since, until in rows)
    return found


def list_grants(
    connection: Connection, names: Sequence[str], held: Sequence[str], at: datetime
) -> dict[Edge, Period]:
    """Which of these roles holds which of these permissions directly, and since when.

    Built-in roles that hold every permission have no row.
    """
    joined = role_permissions.join(roles, role_permissions.c.role_id == roles.c.id).join(
        permissions, role_permissions.c.permission_id == permissions.c.id
    )
    period = (role_permissions.c.valid_from, role_permissions.c.valid_to)
    query = select(roles.c.name, permissions.c.name, *period).select_from(joined)
    found: dict[Edge, Period] = {}
    for some in batched(names):
        ours = (
            roles.c.name.in_(some), permissions.c.name.in_(held), in_force(permissions, at),
            in_force(role_permissions, at),
        )  # fmt: skip
        rows = connection.execute(query.where(*ours))
        found.update(((role, permission), (since, until)) for role, permission, since, until in rows)
    return found


def list_beginnings(connection: Connection, names: Sequence[str], at: datetime) -> dict[str, datetime]:
    """Since when each of these roles exists."""
    found: dict[str, datetime] = {}
    for some in batched(names):
        rows = connection.execute(
            select(roles.c.name, roles.c.valid_from).where(roles.c.name.in_(some), in_force(roles, at))
        )
        found.update((row.name, row.valid_from) for row in rows)
    return found


def list_permission_beginnings(
    connection: Connection, names: Sequence[str], at: datetime
) -> dict[str, datetime]:
    """Since when each of these permissions exists."""
    named = (permissions.c.name.in_(names), in_force(permissions, at))
    rows = connection.execute(select(permissions.c.name, permissions.c.valid_from).where(*named))
    return {row.name: row.valid_from for row in rows}


def list_creations(connection: Connection, names: Sequence[str], since: datetime) -> list[EventRow]:
    """The events since then that made these roles inherit a role or hold a permission; oldest first."""
    found: list[EventRow] = []
    for some in batched(names):
        conditions = (
            trail_events.c.target_id.in_(some), trail_events.c.action.in_(_CREATIONS),
            trail_events.c.at >= since,
        )  # fmt: skip
        query = select(*EVENT).where(*conditions).order_by(trail_events.c.seq).limit(MAX_EVENTS)
        events = map(EventRow._make, connection.execute(query))
        found += (event._replace(actor_name=actor_name(event)) for event in events)
    return found


# -- who has a role ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holding:
    """Having one of these roles at a moment and a domain; ``active``: only by assignments that need no
    activation."""

    role_ids: tuple[str, ...]
    at: datetime
    active: bool = False
    enabled: bool = False  # only accounts that are active now
    domain: str = ROOT

    def condition(self) -> ColumnElement[bool]:
        counts = counting(self.at, self.domain, eligible=not self.active)
        return and_(assignments.c.role_id.in_(self.role_ids), counts)


def list_holders(connection: Connection, holding: Holding, after: str | None, limit: int) -> list[MemberRow]:
    """Accounts by canonical name, from a name on; loads only these, however many there are."""
    rows = connection.execute(holders_query(connection, holding, after, limit))
    return [MemberRow._make(row) for row in rows]


def holders_query(
    connection: Connection, holding: Holding, after: str | None, limit: int
) -> Select[*tuple[object, ...]]:
    """The query for a page of accounts.

    With few assignments, the accounts are looked up and sorted. With many, the index of names is read until
    enough are found.
    """
    query = select(*_MEMBER).where(_held_by(connection, holding))
    if holding.enabled:
        query = query.where(users.c.status == "active")
    if after is not None:
        query = query.where(users.c.username_canonical > after)
    return query.order_by(users.c.username_canonical).limit(limit)


def count_holders(connection: Connection, holding: Holding) -> int:
    holders = select(assignments.c.user_id).distinct()
    if not holding.enabled:
        return bounded_count(connection, holders.where(holding.condition()))
    joined = assignments.join(users, assignments.c.user_id == users.c.id)
    enabled = (holding.condition(), users.c.status == "active")
    return bounded_count(connection, holders.select_from(joined).where(*enabled))


def _held_by(connection: Connection, holding: Holding) -> ColumnElement[bool]:
    given = select(assignments.c.user_id).where(holding.condition())
    counts = counting(holding.at, holding.domain, eligible=not holding.active)
    mine = holds_one_of(connection, users.c.id, holding.role_ids, counts)
    return one_of(connection, users.c.id, given, mine)


def list_held(connection: Connection, user_ids: Sequence[str], holding: Holding) -> dict[str, list[HeldRow]]:
    """The assignments through which each of these accounts has a role."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    wanted = frozenset(holding.role_ids)
    query = select(*_HELD, roles.c.name).select_from(joined)
    found: dict[str, list[HeldRow]] = {user_id: [] for user_id in user_ids}
    for some in batched(user_ids):
        counts = counting(holding.at, holding.domain, eligible=True)
        theirs = (assignments.c.user_id.in_(some), counts)
        for row in map(HeldRow._make, connection.execute(query.where(*theirs))):
            if row.role_id in wanted and (row.mode == "active" or not holding.active):
                found[row.user_id].append(row)
    return found


# -- refusals ------------------------------------------------------------------------------------------------


def find_decision(connection: Connection, decision_id: str) -> DecisionRow | None:
    joined = decisions.join(trail_events, decisions.c.seq == trail_events.c.seq).outerjoin(
        users, decisions.c.user_id == users.c.id
    )
    query = select(*_DECISION, users.c.username, trail_events.c.after, trail_events.c.domain).select_from(
        joined
    )
    row = connection.execute(query.where(decisions.c.id == decision_id)).first()
    return DecisionRow._make(row) if row else None


# -- what changed --------------------------------------------------------------------------------------------


def list_events(
    connection: Connection, period: tuple[datetime, datetime], actions: Iterable[str], about: str | None
) -> list[TimedRow]:
    """The events after the first moment and up to the second, with these actions or about this account."""
    inside = select(*_TIMED).where(trail_events.c.at > period[0], trail_events.c.at <= period[1])
    matching = union(
        inside.where(trail_events.c.action.in_(list(actions))),
        *([inside.where(trail_events.c.target_id == about)] if about else []),
    )
    rows = connection.execute(matching.order_by(matching.selected_columns.seq))
    return [TimedRow._make(row) for row in rows]


def list_facts(connection: Connection, seqs: Sequence[int]) -> list[EventRow]:
    """These consecutive events, in their order."""
    query = select(*EVENT).where(trail_events.c.seq.between(seqs[0], seqs[-1])).order_by(trail_events.c.seq)
    return [row for row in map(EventRow._make, connection.execute(query)) if row.seq in seqs]


def list_turns(connection: Connection, user_id: str, period: tuple[datetime, datetime]) -> list[datetime]:
    """The moments in that period at which an assignment of the user began or ended."""
    found: set[datetime] = set()
    for column in (assignments.c.valid_from, assignments.c.valid_to):
        query = select(column).where(assignments.c.user_id == user_id, was_assigned(period[1]))
        found.update(connection.execute(query.where(column > period[0], column <= period[1])).scalars())
    return sorted(found)
