"""Selects sessions: the same filters for the list, for its export and for ending many at once."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.answers import SessionFilters
from rbac_api.database.queries.sessions import is_active
from rbac_api.database.queries.users import find_id_by_name
from rbac_api.database.types import UUID
from rbac_api.decision.names import canonical
from rbac_api.guard.enforcement.clearance import Clearance

_ID = re.compile(UUID, re.IGNORECASE)


def conditions(clearance: Clearance, filters: SessionFilters) -> list[ColumnElement[bool]]:
    """The SQL conditions of the filters, at this moment; the query has to join the users."""
    now = clock.now()
    active = is_active(now)
    listed = queries.is_listed(now - timedelta(days=clearance.settings.retention_days))
    states = {"active": active, "ended": ~active & listed, "all": listed}
    found = [states[filters.get("state", "active")]]
    if user := filters.get("user"):
        found.append(queries.is_of(_ids(clearance, user)))
    if role := filters.get("role"):
        found.append(queries.holds_role(clearance.connection, clearance.graph().seniors(role), now, found[0]))
    if ip := filters.get("ip"):
        found.append(queries.is_from(ip))
    return found + queries.is_begun(filters.get("created_after"), filters.get("created_before"))


def are_all_active(filters: SessionFilters) -> bool:
    """Return whether these filters select all active sessions."""
    return filters.get("state", "active") == "active" and not any(
        value for name, value in filters.items() if name != "state"
    )


def _ids(clearance: Clearance, user: str) -> list[str]:
    """The ids that a user's id or name means: a name may have the form of an id."""
    named = find_id_by_name(clearance.connection, canonical(user))
    return [*([named] if named else []), *([user.lower()] if _ID.fullmatch(user) else [])]


def signed_between(begin: datetime, end: datetime) -> ColumnElement[bool]:
    """The sessions whose newest tokens were signed between these moments, both included."""
    return queries.is_signed(begin, end)
