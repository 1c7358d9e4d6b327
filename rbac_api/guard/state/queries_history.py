"""Reads the past: roles, accounts and what they held as of a moment, from the same tables with another time.

Edges carry their periods, so they need nothing else.  What is changed in place (a role's description and
whether it requires a second factor, an account's status) is read backwards: the current value, unless an
event after that moment says what it was before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table, and_, literal, or_, select, union

from rbac_api.database.engine import batched
from rbac_api.database.filters import among
from rbac_api.database.queries.sessions import Begun, session_roles
from rbac_api.database.tables import (
    activations,
    assignments,
    constraints,
    permissions,
    role_inheritance,
    role_permissions,
    roles,
    trail_events,
    users,
)
from rbac_api.database.validity import in_force
from rbac_api.decision.evaluate import holding
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, Activation, Assignment, Role, SessionRoles, Status, Subject
from rbac_api.guard.state.queries_role_graph import Touched, compile_graph, read_changes
from rbac_api.trail.feed import newest_seq

_STATUS_EVENTS = (
    "user.created", "user.disabled", "user.enabled", "user.deleted",
    "service_account.created", "service_account.disabled",
    "service_account.enabled", "service_account.deleted",
)  # fmt: skip
_IN_PLACE = ("title", "description", "requires_mfa", "grants")


@dataclass(frozen=True, slots=True)
class Account:
    """A user or a service account, as of a moment."""

    id: str
    kind: str  # ``person`` or ``service``
    username: str
    status: Status


# -- roles ---------------------------------------------------------------------------------------------------


def find_role_graph_at(connection: Connection, present: RoleGraph, at: datetime) -> RoleGraph:
    """Return the roles as they were, compiled: the present ones, with what has changed since as it was.

    Where most of them have changed, or where ``present`` is newer than what this connection sees, all roles
    are read.
    """

    def named(*conditions: ColumnElement[bool]) -> dict[str, Role]:
        return {
            role_id: Role(role["name"], grants=role["grants"], requires_mfa=role["requires_mfa"])
            for role_id, role in list_roles_at(connection, at, *conditions).items()
        }

    def counts(table: Table) -> ColumnElement[bool]:
        return in_force(table, at)

    touched = _touched_since(connection, at)
    if 2 * len(touched.roles) > len(present.roles) or newest_seq(connection) < present.revision:
        return compile_graph(connection, counts, named())
    changes = read_changes(
        connection, counts, present, touched, lambda names: named(among(roles.c.name, names))
    )
    return present.changed(changes)


def _touched_since(connection: Connection, at: datetime) -> Touched:
    """Return what begins or ends after that moment, and what was changed in place."""
    granted = role_permissions.join(roles, role_permissions.c.role_id == roles.c.id)
    inherited = role_inheritance.join(roles, role_inheritance.c.senior_id == roles.c.id)
    later = (trail_events.c.action == "role.updated", trail_events.c.at > at)
    queries = [
        *_moved("role", roles, roles, at),
        *_moved("role", role_permissions, granted, at),
        *_moved("role", role_inheritance, inherited, at),
        *_moved("permission", permissions, permissions, at),
        *_moved("constraint", constraints, constraints, at),
        select(literal("role"), trail_events.c.target_id).where(*later),
    ]
    found: dict[str, set[str]] = {"role": set(), "permission": set(), "constraint": set()}
    for part, name in connection.execute(union(*queries)):
        found[part].add(name)
    return Touched(frozenset(found["role"]), frozenset(found["permission"]), bool(found["constraint"]))


def _moved(part: str, table: Table, source: FromClause, at: datetime) -> list[Select[Any]]:
    """Select the names of what has a period that begins or ends after the moment."""
    name = table.c.get("name", roles.c.name)
    found = select(literal(part), name).select_from(source)
    return [found.where(table.c.valid_from > at), found.where(table.c.valid_to > at)]


def find_role_at(connection: Connection, name: str, at: datetime) -> dict[str, Any] | None:
    """Return a role's row as it was, with its ``updated_at``; None if there was none of this name."""
    found = list_roles_at(connection, at, roles.c.name == name)
    if not found:
        return None
    (role,) = found.values()
    about = (trail_events.c.target_type == "role", trail_events.c.target_id == name)
    changed = select(trail_events.c.at).where(*about, trail_events.c.at <= at)
    last = connection.execute(changed.order_by(trail_events.c.seq.desc()).limit(1)).scalar()
    return {**role, "updated_at": max(last or role["valid_from"], role["valid_from"])}


def list_roles_at(
    connection: Connection, at: datetime, *conditions: ColumnElement[bool]
) -> dict[str, dict[str, Any]]:
    """Return the rows of the roles as they were, by id."""
    rows = connection.execute(select(roles).where(in_force(roles, at), *conditions)).all()
    found = {row.id: dict(row._asdict()) for row in rows}
    ids = {role["name"]: role_id for role_id, role in found.items()}
    later = (trail_events.c.action == "role.updated", trail_events.c.at > at)
    columns = (trail_events.c.at, trail_events.c.target_id, trail_events.c.before)
    settled: set[tuple[str, str]] = set()
    for event in connection.execute(select(*columns).where(*later).order_by(trail_events.c.seq)):
        role = found.get(ids.get(event.target_id, ""))
        if role is None or (role["valid_to"] is not None and event.at > role["valid_to"]):
            continue  # about another role, which got the name later
        before = json.loads(event.before)
        for column in _IN_PLACE:
            if column in before and (event.target_id, column) not in settled:
                settled.add((event.target_id, column))
                role[column] = before[column]
    return found


# -- accounts ------------------------------------------------------------------------------------------------


def find_account_at(connection: Connection, user_id: str, at: datetime) -> Account | None:
    """Return an account as it was, also one that was deleted by then; None if it did not exist yet."""
    return list_accounts_at(connection, [user_id], at).get(user_id)


def list_accounts_at(connection: Connection, user_ids: Sequence[str], at: datetime) -> dict[str, Account]:
    """Return several accounts as they were, by id; those that did not exist are left out."""
    found: dict[str, Account] = {}
    columns = (users.c.id, users.c.kind, users.c.username, users.c.status, users.c.created_at)
    for some in batched(user_ids):
        before = _statuses_before(connection, some, at)
        for row in connection.execute(select(*columns).where(users.c.id.in_(some), users.c.created_at <= at)):
            status = before.get(row.id, row.status)
            if status is not None:
                found[row.id] = Account(row.id, row.kind, row.username, status)
    return found


def _statuses_before(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> dict[str, Status | None]:
    """Return the earlier status of those whose status changed after that moment; None for those that did not
    exist yet."""
    columns = (trail_events.c.target_id, trail_events.c.before)
    later = (
        trail_events.c.target_id.in_(user_ids),
        trail_events.c.action.in_(_STATUS_EVENTS),
        trail_events.c.at > at,
    )
    found: dict[str, Status | None] = {}
    for event in connection.execute(select(*columns).where(*later).order_by(trail_events.c.seq)):
        found.setdefault(event.target_id, json.loads(event.before)["status"] if event.before else None)
    return found


def find_subject_at(
    connection: Connection,
    user_id: str,
    at: datetime,
    *,
    second_factor: bool = False,
    roles: SessionRoles = EVERYTHING,
) -> tuple[Subject, Account] | None:
    """Return a subject as decisions would have seen it, with all assignments made by then, including ended
    ones: they explain a refusal.

    An account that was deleted by then is a subject too, one that may do nothing.  None: the account did not
    exist yet.
    """
    account = find_account_at(connection, user_id, at)
    if account is None:
        return None
    held = list_assignments_at(connection, [user_id], at)[user_id]
    proved = second_factor and account.kind == "person"
    bare = Subject(account.id, account.status, second_factor=proved, roles=roles)
    return holding(bare, held), account


def find_holder_at(connection: Connection, user_id: str, kind: str, at: datetime) -> Subject | None:
    """Return the subject of an existing account of this kind (``person``, ``service``), not deleted by then;
    a person has a second factor."""
    found = find_subject_at(connection, user_id, at, second_factor=True)
    if found is None or found[1].kind != kind or found[1].status == "deleted":
        return None
    return found[0]


def list_assignments_at(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> dict[str, tuple[Assignment, ...]]:
    """Return what each of these accounts had been assigned: what counted, what was over, and what was to
    begin later, at all domains."""
    columns = (
        assignments.c.user_id, roles.c.name,
        assignments.c.valid_from, assignments.c.valid_to, assignments.c.mode, assignments.c.domain,
    )  # fmt: skip
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    known = select(*columns).select_from(joined).where(in_force(roles, at), was_assigned(at))
    found: dict[str, list[Assignment]] = {user_id: [] for user_id in user_ids}
    for some in batched(user_ids):
        theirs = known.where(assignments.c.user_id.in_(some)).order_by(assignments.c.id)
        for row in connection.execute(theirs):
            held = Assignment(row.name, row.valid_from, row.valid_to, row.mode, row.domain)
            found[row.user_id].append(held)
    return {user_id: tuple(held) for user_id, held in found.items()}


def was_assigned(at: datetime) -> ColumnElement[bool]:
    """The assignment had been made by then, and was not withdrawn before it began."""
    made = or_(assignments.c.assigned_at <= at, assignments.c.valid_from <= at)
    lasting = or_(assignments.c.valid_to.is_(None), assignments.c.valid_to > assignments.c.valid_from)
    return and_(made, lasting)


def find_session_roles_at(
    connection: Connection, session_id: str | None, begun: Begun, at: datetime
) -> SessionRoles:
    """Return what was active in a session that began in this way."""
    columns = (roles.c.name, activations.c.valid_from, activations.c.valid_to)
    joined = activations.join(roles, activations.c.role_id == roles.c.id)
    mine = (activations.c.session_id == session_id, in_force(activations, at), in_force(roles, at))
    activated = select(*columns).select_from(joined).where(*mine)
    return session_roles(begun, (Activation(*row) for row in connection.execute(activated)))
