"""The policy as it was at a past moment, for its export. Part of the service."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.policy import queries_past
from rbac_api.capabilities.policy.current_state import revision_after
from rbac_api.capabilities.policy.state import ByName, State, Thing
from rbac_api.decision.working import WorkingRoles
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.queries_history import list_roles_at


def load_past_state(clearance: Clearance, at: datetime) -> State:
    """Everything except accounts and assignments, as it was."""
    connection, graph = clearance.connection, clearance.graph_at(at)
    permissions = {
        row.name: Thing(row.id, row.description, row.title, row.system)
        for row in queries_past.list_permissions_at(connection, at)
    }
    found = {
        row["name"]: Thing(role_id, row["description"], row["title"], row["system"], row["version"])
        for role_id, row in list_roles_at(connection, at).items()
    }
    no_rules: ByName[str] = ByName({})  # the graph has them; ids are for changes
    return State(clearance, at, graph, WorkingRoles(graph), ByName(permissions), ByName(found), no_rules)


def past_revision(connection: Connection, at: datetime) -> str:
    """The revision that the policy had at that moment."""
    newest = queries_past.find_last_policy_event_at(connection, at)
    return "0" if newest is None else revision_after(connection, newest, at)
