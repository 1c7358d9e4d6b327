"""What can go wrong with incidents."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class IncidentNotFound(NotFound):
    code = "incident.not_found"
    title = "No such incident"
    default_detail = "There is no incident with this id. List them with GET /v1/incidents."


class IncidentClosed(Conflict):
    code = "incident.closed"
    title = "The incident is closed already"
    default_detail = "Somebody has closed this incident already, and what was said of it then stays."
