"""Incidents over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.incidents import service
from rbac_api.capabilities.incidents.errors import IncidentClosed, IncidentNotFound
from rbac_api.capabilities.incidents.schemas import (
    IncidentCloseSchema,
    IncidentListSchema,
    IncidentQuery,
    IncidentSchema,
)
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import TargetStronger
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import json_answer

blueprint = Blueprint(
    "incidents",
    __name__,
    url_prefix="/v1/incidents",
    tag="Incidents",
    description="Suspected misuse to investigate.",
)


@blueprint.route("")
class Incidents(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.arguments(IncidentQuery, location="query")
    @blueprint.response(200, IncidentListSchema)
    @blueprint.also_as("text/csv", service.SHEET.header)
    @blueprint.also_as(
        "application/x-ndjson", '{"type": "refresh-reuse", "state": "open", "occurrences": 1}\n'
    )
    @blueprint.operation("list_incidents")
    def get(self, query: dict[str, object]) -> Response:
        """List incidents

        Open ones unless `state` says otherwise, newest first: reused refresh tokens, revoked tokens still in
        use, locked accounts. With `Accept: text/csv` or `application/x-ndjson` all matching incidents are
        streamed, without paging.
        """
        page = page_request(query)
        if form := wanted_form():
            return file_answer(service.export_incidents(current_clearance(), query, form), form, "incidents")
        return page_answer(service.list_incidents(current_clearance(), query, page))


@blueprint.route("/<uuid:incident_id>")
class Incident(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.response(200, IncidentSchema)
    @blueprint.operation("get_incident", IncidentNotFound)
    def get(self, incident_id: UUID) -> Response:
        """Read one incident

        Both parties side by side, the first one and the later one: address, user agent and times of each.
        """
        return json_answer(service.get_incident(current_clearance(), str(incident_id)))


@blueprint.route("/<uuid:incident_id>/close")
class IncidentClosing(MethodView):
    @requires("sessions:revoke", domain=HOME)
    @blueprint.arguments(IncidentCloseSchema)
    @blueprint.response(200, IncidentSchema)
    @blueprint.operation("close_incident", IncidentNotFound, IncidentClosed, TargetStronger)
    def post(self, body: dict[str, Any], incident_id: UUID) -> Response:
        """Close an incident

        Records that you investigated it, and the result. If it happens again, a new incident is opened.
        """
        return json_answer(service.close_incident(current_clearance(), str(incident_id), body["reason"]))
