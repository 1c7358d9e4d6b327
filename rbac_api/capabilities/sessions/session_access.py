"""Says what is active in a session (ANSI INCITS 359 section 6.1.4, SessionRoles and SessionPermissions), and
what happened in it. Part of the service."""

from __future__ import annotations

from rbac_api import clock
from rbac_api.capabilities.sessions import queries, service
from rbac_api.capabilities.sessions.answers import SessionInsideAnswer
from rbac_api.capabilities.sessions.pictures import timeline_of
from rbac_api.database.queries.sessions import find_session_roles, get_session
from rbac_api.database.queries.subjects import get_subject
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.formats.diagram import Diagram
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.subjects import OTP

MAX_REFRESHES_DRAWN = 2000


def get_session_inside(clearance: Clearance, session_id: str) -> SessionInsideAnswer:
    """One session, with the roles and permissions that are effective in it now: none if it has ended, or acts
    where the caller may not read."""
    shown = service.get_session(clearance, session_id)
    if shown["state"] != "active" or shown["domain"] is None:
        return {**shown, "active_roles": [], "permissions": []}
    connection, now = clearance.connection, clock.now()
    row = get_session(connection, session_id)
    begun = find_session_roles(connection, session_id, row.begun, now)
    held = get_subject(connection, row.user_id, now, second_factor=OTP in row.amr.split(), roles=begun)
    subject = at_domain(held, row.domain)
    graph = clearance.graph()
    return {
        **shown,
        "active_roles": [role.role for role in effective_roles(graph, subject, now)],
        "permissions": sorted(effective_permissions(graph, subject, now)),
    }


def get_timeline(clearance: Clearance, session_id: str) -> Diagram:
    """One session from its sign-in to its end, with its first ``MAX_REFRESHES_DRAWN`` refreshes."""
    session = service.get_session(clearance, session_id)
    tokens = queries.list_refresh_tokens(clearance.connection, session_id, None, MAX_REFRESHES_DRAWN + 2)
    drawn = tokens[: MAX_REFRESHES_DRAWN + 1]
    return timeline_of(session, drawn, more=len(tokens) > len(drawn))
