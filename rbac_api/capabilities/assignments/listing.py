"""Lists the assignments of all accounts, by who has what, from whom, until when and why. Part of the
service."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.assignments import queries_listing as queries
from rbac_api.capabilities.assignments.answers import AssignmentFilters, ListedAssignmentAnswer
from rbac_api.capabilities.assignments.queries_listing import Filter, HeldAssignment
from rbac_api.capabilities.assignments.service import describe
from rbac_api.database.queries.users import ids_named
from rbac_api.decision.domains import common
from rbac_api.decision.model import ROOT
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance

COLUMNS = (
    "user_id", "user_username", "kind", "role", "domain", "mode", "state", "reason", "starts_at",
    "expires_at", "max_duration", "assigned_at", "assigned_by_id", "assigned_by_username",
)  # fmt: skip
LISTED: Sheet[ListedAssignmentAnswer] = Sheet(COLUMNS, dict)


def list_assignments(
    clearance: Clearance, filters: AssignmentFilters, page: PageRequest, at: datetime | None
) -> Page[ListedAssignmentAnswer]:
    """Assignments of users and service accounts, newest first. 403 without ``roles:read``."""
    moment, fitting = at or clock.now(), _conditions(clearance, filters, at)
    rows = queries.list_assignments(clearance.connection, fitting, page.after, page.limit + 1)
    total = queries.count_assignments(clearance.connection, fitting) if page.count else None
    rows = _named(clearance, rows, clearance.connection)
    found = cut(rows, page, lambda row: (row.assignment.id,), total)
    return found.map(lambda row: _describe(row, moment))


def export_assignments(
    clearance: Clearance, filters: AssignmentFilters, form: Form, at: datetime | None
) -> Iterator[bytes]:
    """All assignments that match, newest first, as a stream of CSV or NDJSON."""
    moment, fitting = at or clock.now(), _conditions(clearance, filters, at)
    database = clearance.work.database
    sheet: Sheet[HeldAssignment] = Sheet(COLUMNS, lambda row: _describe(row, moment))

    def batch(last: HeldAssignment | None) -> list[HeldAssignment]:
        after = (last.assignment.id,) if last else None
        with database.reading() as connection:
            rows = queries.list_assignments(connection, fitting, after, CHUNK)
            return _named(clearance, rows, connection)

    return stream(sheet, form, batch)


def _conditions(
    clearance: Clearance, filters: AssignmentFilters, at: datetime | None
) -> list[ColumnElement[bool]]:
    scope = _scope(clearance)
    found = [*_filters(clearance, filters, at), *queries.are_in(clearance.connection, scope)]
    return queries.planned(clearance.connection, found)


def _scope(clearance: Clearance) -> tuple[str, ...]:
    """The domains in which the caller may read both users and roles; 403 if there is none."""
    roles = clearance.domains_granting("roles:read")
    scope = common(clearance.domains_granting(), roles)
    if ROOT in roles or not scope:
        clearance.require_permission("roles:read")
    return scope


def _named(clearance: Clearance, rows: list[HeldAssignment], connection: Connection) -> list[HeldAssignment]:
    """The rows, without the names of givers whom the caller may not read."""
    givers = {row.assignment.assigned_by for row in rows if row.assignment.assigned_by}
    unnamed = givers - clearance.nameable(givers, connection)
    return [
        row._replace(assignment=row.assignment._replace(giver=None))
        if row.assignment.assigned_by in unnamed
        else row
        for row in rows
    ]


def _filters(clearance: Clearance, filters: AssignmentFilters, at: datetime | None) -> Iterator[Filter]:
    connection, moment, state = clearance.connection, at or clock.now(), filters["state"]
    if user := filters.get("user"):
        yield queries.is_of(ids_named(connection, user))
    if giver := filters.get("assigned_by"):
        yield queries.is_by(sorted(clearance.nameable(ids_named(connection, giver))))
    if role := filters.get("role"):
        yield queries.is_role(queries.list_role_ids_ever(connection, role))
    if before := filters.get("expires_before"):
        yield queries.is_limited(before, moment if state in ("current", "scheduled") else None)
    if "without_reason" in filters:
        yield queries.has_reason(some=not filters["without_reason"])
    yield queries.has_state(state, moment)
    yield from _kinds(filters)
    if at is not None:
        yield queries.was_made(at)


def _kinds(filters: AssignmentFilters) -> Iterator[Filter]:
    """How an assignment counts, and where."""
    if mode := filters.get("mode"):
        yield queries.has_mode(mode)
    if domain := filters.get("domain"):
        yield queries.is_at(domain)


def _describe(row: HeldAssignment, at: datetime) -> ListedAssignmentAnswer:
    held = row.assignment
    over = held.valid_to is not None and held.valid_to <= at
    return {
        "user": {"id": held.user_id, "username": row.username},
        "kind": "user" if row.kind == "person" else "service_account",
        "state": "ended" if over else "scheduled" if held.valid_from > at else "current",
        **describe(held),
    }
