"""SQL for reading and closing incidents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, select, update

from rbac_api.database.filters import bounded_count
from rbac_api.database.homes import at_home
from rbac_api.database.tables import incidents, users


class IncidentRow(NamedTuple):
    """An incident, and the name and the home of the user it is about."""

    id: str
    type: str
    subject: str
    user_id: str | None
    session_id: str | None
    opened_at: datetime
    occurrences: int
    rightful_ip: str | None
    rightful_user_agent: str | None
    rightful_at: datetime | None
    other_ip: str | None
    other_user_agent: str | None
    other_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
    username: str | None
    home: str | None


_INCIDENT = select(
    *(incidents.c[name] for name in IncidentRow._fields[:-2]), users.c.username, users.c.home
).select_from(incidents.outerjoin(users, incidents.c.user_id == users.c.id))


def matching(
    connection: Connection, filters: Mapping[str, object], domains: Collection[str]
) -> list[ColumnElement[bool]]:
    """The conditions of the list's filters, for users at home in these domains; open incidents by default."""
    is_open = incidents.c.closed_at.is_(None)
    found: list[ColumnElement[bool]] = [~is_open if filters.get("state") == "closed" else is_open]
    found.append(at_home(connection, users, domains))
    if kind := filters.get("type"):
        found.append(incidents.c.type == kind)
    return found


def find_incident(connection: Connection, incident_id: str) -> IncidentRow | None:
    row = connection.execute(_INCIDENT.where(incidents.c.id == incident_id)).first()
    return IncidentRow._make(row) if row else None


def list_incidents(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    after: tuple[object, ...] | None,
    limit: int,
) -> list[IncidentRow]:
    """Incidents, newest first."""
    query = _INCIDENT.where(*conditions).order_by(incidents.c.id.desc()).limit(limit)
    rows = connection.execute(query.where(incidents.c.id < after[0]) if after else query)
    return [IncidentRow._make(row) for row in rows]


def count_incidents(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    return bounded_count(connection, _INCIDENT.with_only_columns(incidents.c.id).where(*conditions))


def close_incident(
    connection: Connection, incident_id: str, at: datetime, by: str | None, reason: str
) -> bool:
    """Close it if it is open: a conditional update, so only one of many attempts succeeds."""
    closed = update(incidents).where(incidents.c.id == incident_id, incidents.c.closed_at.is_(None))
    return connection.execute(closed.values(closed_at=at, closed_by=by, close_reason=reason)).rowcount == 1


def erase_parties(connection: Connection, user_id: str) -> None:
    """Empty the addresses and user agents of the incidents about a user."""
    seen = dict.fromkeys(("rightful_ip", "rightful_user_agent", "other_ip", "other_user_agent"))
    connection.execute(update(incidents).where(incidents.c.user_id == user_id).values(seen))


def delete_old_incidents(connection: Connection, before: datetime, limit: int) -> int:
    """Delete incidents that were closed before that moment; returns the number."""
    old = select(incidents.c.id).where(incidents.c.closed_at < before).limit(limit)
    return connection.execute(delete(incidents).where(incidents.c.id.in_(old))).rowcount
