"""SQL for activations."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from rbac_api.database.filters import counts_at
from rbac_api.database.tables import activations, assignments, roles
from rbac_api.database.validity import ended, in_force
from rbac_api.decision.model import Mode


class Offer(NamedTuple):
    """An assignment that allows the activation of a role: the role's name, and the terms."""

    name: str
    mode: Mode
    valid_to: datetime | None
    max_duration: int | None


class Activated(NamedTuple):
    """A role that was activated in a session: its name, from when to when, and why."""

    name: str
    valid_from: datetime
    valid_to: datetime
    reason: str | None


def list_offers(connection: Connection, user_id: str, now: datetime, domain: str) -> list[Offer]:
    """The assignments in force at this moment, active and eligible ones, with the names of their roles: those
    that count at the session's domain."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    columns = (roles.c.name, assignments.c.mode, assignments.c.valid_to, assignments.c.max_duration)
    theirs = (
        assignments.c.user_id == user_id, counts_at(domain), in_force(assignments, now),
        roles.c.valid_to.is_(None),
    )  # fmt: skip
    query = select(*columns).select_from(joined).where(*theirs)
    rows = connection.execute(query.order_by(roles.c.name, assignments.c.id))
    return [Offer._make(row) for row in rows]


def list_activations(connection: Connection, session_id: str, now: datetime) -> dict[str, Activated]:
    """The activations of a session that are not over, by role."""
    joined = activations.join(roles, activations.c.role_id == roles.c.id)
    columns = (roles.c.name, activations.c.valid_from, activations.c.valid_to, activations.c.reason)
    mine = (activations.c.session_id == session_id, activations.c.valid_to > now, roles.c.valid_to.is_(None))
    query = select(*columns).select_from(joined).where(*mine).order_by(activations.c.id)
    found = [Activated._make(row) for row in connection.execute(query)]
    return {row.name: row for row in found}


def add_activation(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(activations).values(values))


def end_activations(connection: Connection, session_id: str, role_id: str, now: datetime) -> None:
    """End all activations of this role in the session; one that another clock began later is left with no
    time at all."""
    still = (
        activations.c.session_id == session_id,
        activations.c.role_id == role_id,
        activations.c.valid_to > now,
    )
    connection.execute(update(activations).where(*still).values(ended(activations, now)))
