"""Lists, reads and closes incidents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.incidents import queries
from rbac_api.capabilities.incidents.answers import IncidentAnswer
from rbac_api.capabilities.incidents.errors import IncidentClosed, IncidentNotFound
from rbac_api.decision.model import ROOT
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.recorder import Target


def list_incidents(
    clearance: Clearance, filters: dict[str, object], page: PageRequest
) -> Page[IncidentAnswer]:
    """Incidents, newest first, by type and state."""
    conditions = queries.matching(clearance.connection, filters, clearance.domains_granting())
    rows = queries.list_incidents(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_incidents(clearance.connection, conditions) if page.count else None
    found = cut(rows, page, lambda row: (row.id,), total)
    return Page(describe_all(clearance, clearance.connection, found.items), found.next_key, found.total)


def export_incidents(clearance: Clearance, filters: dict[str, object], form: Form) -> Iterator[bytes]:
    """The same as a stream of CSV or NDJSON, all of them; without those that are opened meanwhile."""
    database = clearance.work.database
    conditions = queries.matching(clearance.connection, filters, clearance.domains_granting())

    def batch(last: IncidentAnswer | None) -> list[IncidentAnswer]:
        after = (last["id"],) if last else None
        with database.reading() as connection:
            rows = queries.list_incidents(connection, conditions, after, CHUNK)
            return describe_all(clearance, connection, rows)

    return stream(SHEET, form, batch)


def get_incident(clearance: Clearance, incident_id: str) -> IncidentAnswer:
    """One incident, open or closed; 404 for one that is unknown, or about a user who is at home where the
    caller may not read incidents."""
    return describe_all(clearance, clearance.connection, [_find_at_home(clearance, incident_id)[1]])[0]


def close_incident(clearance: Clearance, incident_id: str, reason: str) -> IncidentAnswer:
    """Close an incident for good. 404 unknown; 409 closed already; 403 ``target.stronger`` if it is about a
    stronger user."""
    here, incident = _find_at_home(clearance, incident_id)
    if incident.user_id != clearance.actor.id:
        here.require_outranks_user(incident.user_id or "", incident.username or "")
    if not queries.close_incident(clearance.connection, incident_id, clock.now(), clearance.actor.id, reason):
        raise IncidentClosed()
    facts = {
        "user": {"id": incident.user_id, "username": incident.username},
        "occurrences": incident.occurrences,
    }
    here.record("incident.closed", Target("incident", incident_id, incident.type), reason=reason, after=facts)
    return get_incident(clearance, incident_id)


def delete_old_incidents(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the incidents that were closed before that moment, which the trail keeps; returns the
    number."""
    return queries.delete_old_incidents(connection, before, limit)


def describe_all(
    clearance: Clearance, connection: Connection, rows: Sequence[queries.IncidentRow]
) -> list[IncidentAnswer]:
    """Incidents for the API; who closed them is not said of users whom the caller may not read."""
    nameable = clearance.nameable({row.closed_by for row in rows if row.closed_by}, connection)
    return [_describe(row, row.closed_by if row.closed_by in nameable else None) for row in rows]


def _describe(row: queries.IncidentRow, closed_by: str | None) -> IncidentAnswer:
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
        "closed_by": closed_by,
        "close_reason": row.close_reason,
    }


SHEET: Sheet[IncidentAnswer] = Sheet(
    (
        "id", "type", "state", "user_id", "user_username", "session_id", "opened_at", "occurrences",
        "rightful_ip", "rightful_user_agent", "rightful_at", "other_ip", "other_user_agent", "other_at",
        "closed_at", "closed_by", "close_reason",
    ),
    dict,
)  # fmt: skip


def _find_at_home(clearance: Clearance, incident_id: str) -> tuple[Clearance, queries.IncidentRow]:
    incident = IncidentNotFound.require(queries.find_incident(clearance.connection, incident_id))
    return clearance.over(incident.home or ROOT, "sessions:read", IncidentNotFound), incident


def erase_parties(connection: Connection, user_id: str) -> None:
    """Empty the addresses and user agents of the incidents about a user."""
    queries.erase_parties(connection, user_id)
