"""Lists, reads and closes incidents."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.incidents import queries
from rbac_api.capabilities.incidents.answers import IncidentAnswer
from rbac_api.capabilities.incidents.errors import IncidentClosed, IncidentNotFound
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.recorder import Target


def list_incidents(
    clearance: Clearance, filters: dict[str, object], page: PageRequest
) -> Page[IncidentAnswer]:
    """Incidents, newest first, by type and state."""
    conditions = queries.matching(filters)
    rows = queries.list_incidents(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_incidents(clearance.connection, conditions) if page.count else None
    return cut(rows, page, lambda row: (row.id,), total).map(describe)


def export_incidents(clearance: Clearance, filters: dict[str, object], form: Form) -> Iterator[bytes]:
    """The same as a stream of CSV or NDJSON, all of them; without those that are opened meanwhile."""
    database, conditions = clearance.work.database, queries.matching(filters)

    def batch(last: queries.IncidentRow | None) -> list[queries.IncidentRow]:
        with database.reading() as connection:
            return queries.list_incidents(connection, conditions, (last.id,) if last else None, CHUNK)

    return stream(SHEET, form, batch)


def get_incident(clearance: Clearance, incident_id: str) -> IncidentAnswer:
    """One incident, open or closed."""
    return describe(_known(clearance, incident_id))


def close_incident(clearance: Clearance, incident_id: str, reason: str) -> IncidentAnswer:
    """Close an incident for good. 404 unknown; 409 closed already; 403 ``target.stronger`` if it is about a
    stronger user."""
    incident = _known(clearance, incident_id)
    if incident.user_id != clearance.actor.id:
        clearance.require_outranks_user(incident.user_id or "", incident.username or "")
    if not queries.close_incident(clearance.connection, incident_id, clock.now(), clearance.actor.id, reason):
        raise IncidentClosed()
    facts = {
        "user": {"id": incident.user_id, "username": incident.username},
        "occurrences": incident.occurrences,
    }
    clearance.record(
        "incident.closed", Target("incident", incident_id, incident.type), reason=reason, after=facts
    )
    return get_incident(clearance, incident_id)


def delete_old_incidents(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the incidents that were closed before that moment, which the trail keeps; returns the
    number."""
    return queries.delete_old_incidents(connection, before, limit)


def describe(row: queries.IncidentRow) -> IncidentAnswer:
    """An incident for the API."""
    return {
        "id": row.id,
        "type": row.type,
        "state": "open" if row.closed_at is None else "closed",
        "user": {"id": row.user_id or "", "username": row.username or ""},
        "session_id": row.session_id,
        "opened_at": row.opened_at,
        "occurrences": row.occurrences,
        "rightful": {"ip": row.rightful_ip, "user_agent": row.rightful_user_agent, "at": row.rightful_at},
        "other": {"ip": row.other_ip, "user_agent": row.other_user_agent, "at": row.other_at},
        "closed_at": row.closed_at,
        "closed_by": row.closed_by,
        "close_reason": row.close_reason,
    }


SHEET = Sheet(
    (
        "id", "type", "state", "user_id", "user_username", "session_id", "opened_at", "occurrences",
        "rightful_ip", "rightful_user_agent", "rightful_at", "other_ip", "other_user_agent", "other_at",
        "closed_at", "closed_by", "close_reason",
    ),
    describe,
)  # fmt: skip


def _known(clearance: Clearance, incident_id: str) -> queries.IncidentRow:
    return IncidentNotFound.require(queries.find_incident(clearance.connection, incident_id))


def erase_parties(connection: Connection, user_id: str) -> None:
    """Empty the addresses and user agents of the incidents about a user."""
    queries.erase_parties(connection, user_id)
