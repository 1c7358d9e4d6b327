"""Errors of incidents."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class IncidentNotFound(NotFound):
    code = "incident.not_found"
    title = "No such incident"
    default_detail = "There is no incident with this id. List them with GET /v1/incidents."


class IncidentClosed(Conflict):
    code = "incident.closed"
    title = "The incident is already closed"
    default_detail = "This incident was already closed; its closing note cannot be changed."
