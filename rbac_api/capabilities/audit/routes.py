"""The audit trail over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.audit import service
from rbac_api.capabilities.audit.errors import EventNotFound
from rbac_api.capabilities.audit.schemas import AuditArguments, AuditEventListSchema, AuditEventSchema
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import json_answer

blueprint = Blueprint(
    "audit", __name__, url_prefix="/v1/audit", tag="Audit trail", description="Who did what."
)


@blueprint.route("/events")
class AuditEvents(MethodView):
    @requires("audit:read")
    @blueprint.arguments(AuditArguments, location="query")
    @blueprint.response(200, AuditEventListSchema)
    @blueprint.also_as("text/csv", service.SHEET.header)
    @blueprint.also_as("application/x-ndjson", '{"seq": 42, "action": "assignment.created"}\n')
    @blueprint.operation("list_events")
    def get(self, query: dict[str, object]) -> Response:
        """Read the audit trail

        Newest first, as pages of JSON. With `from_seq` oldest first, from the event of that number on: a
        program that continues with the last number it got plus one sees each event exactly once, because an
        event gets its number when it is committed, whatever the clocks of the nodes say. With `Accept:
        text/csv` or `application/x-ndjson` all matching events are streamed, oldest first, without paging.
        Reading the trail is itself recorded in it: once per reader and hour, and each export.
        """
        page = page_request(query)
        if form := wanted_form():
            return file_answer(service.export_events(current_clearance(), query, form), form, "audit")
        return page_answer(service.list_events(current_clearance(), query, page))


@blueprint.route(f"/events/<int(max={(1 << 63) - 1}):seq>")
class AuditEvent(MethodView):
    @requires("audit:read")
    @blueprint.response(200, AuditEventSchema)
    @blueprint.operation("get_event", EventNotFound)
    def get(self, seq: int) -> Response:
        """Read one event

        With the values before and after the change, and the hashes that chain it to the previous event.
        """
        return json_answer(service.get_event(current_clearance(), seq))
