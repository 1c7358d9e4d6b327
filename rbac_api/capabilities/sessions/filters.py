"""Selects sessions: the same filters for the list, for its export and for ending many at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement

from rbac_api import clock
from rbac_api.capabilities.sessions import queries, queries_past
from rbac_api.capabilities.sessions.answers import SessionFilters
from rbac_api.database.homes import at_home
from rbac_api.database.queries.sessions import is_active
from rbac_api.database.queries.users import ids_named
from rbac_api.database.tables import users
from rbac_api.guard.enforcement.clearance import Clearance


def conditions(
    clearance: Clearance, filters: SessionFilters, at: datetime | None = None
) -> list[ColumnElement[bool]]:
    """The SQL conditions of the filters, now or at that moment, for what is at home where the caller has the
    permission; the query has to join the users. 403 without ``roles:read`` for ``role``, which tells who has
    the role."""
    moment = at or clock.now()
    graph = clearance.graph() if at is None else clearance.graph_at(at)
    active = is_active(moment) if at is None else queries_past.was_active(at)
    listed = queries.is_listed(moment - timedelta(days=clearance.settings.retention_days))
    states = {"active": active, "ended": ~active & listed, "all": listed}
    mine = at_home(clearance.connection, users, clearance.domains_granting())
    found = [states[filters.get("state", "active")], mine]
    if at is not None:
        found.append(queries_past.was_begun(at))
    if user := filters.get("user"):
        found.append(queries.is_of(ids_named(clearance.connection, user)))
    if role := filters.get("role"):
        clearance.require_permission("roles:read")
        found.append(queries.holds_role(clearance.connection, graph.seniors(role), moment, found[0]))
    if ip := filters.get("ip"):
        found.append(queries.is_from(ip))
    return found + queries.is_begun(filters.get("created_after"), filters.get("created_before"))


def are_all_active(filters: SessionFilters) -> bool:
    """Return whether these filters select all active sessions."""
    return filters.get("state", "active") == "active" and not any(
        value for name, value in filters.items() if name != "state"
    )


def signed_between(begin: datetime, end: datetime) -> ColumnElement[bool]:
    """The sessions whose newest tokens were signed between these moments, both included."""
    return queries.is_signed(begin, end)
