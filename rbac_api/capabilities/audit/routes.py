"""The audit trail over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.audit import evidence, service
from rbac_api.capabilities.audit.errors import EventNotFound, TreeIncomplete
from rbac_api.capabilities.audit.schemas import (
    AuditArguments,
    AuditEventListSchema,
    AuditEventSchema,
    ConsistencyProofSchema,
    ConsistencyQuery,
    InclusionProofSchema,
    InclusionQuery,
)
from rbac_api.guard.enforcement.decorators import current_clearance, public, requires
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import json_answer

blueprint = Blueprint(
    "audit", __name__, url_prefix="/v1/audit", tag="Audit trail", description="Who did what."
)
_SEQ = f"<int(max={(1 << 63) - 1}):seq>"
_NOTE = (
    "rbac.example/v1/audit\n1042\nRz0zO9mjI0mvG8oY9Fe8Ur4LH1bQSPm+T6Pp0kzYzVA=\n\n"
    "\u2014 rbac.example/v1/audit XwwqTq…\n"
)
_KEY = "rbac.example/v1/audit+5f0c2a4e+AQ…"
_PLAIN = "text/plain"


@blueprint.route("/events")
class AuditEvents(MethodView):
    @requires("audit:read", domain=HOME)
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
        Reading the trail is itself recorded in it: once per reader and hour, and each export. The events are
        those of domains where you hold `audit:read`.
        """
        page = page_request(query)
        if form := wanted_form():
            return file_answer(service.export_events(current_clearance(), query, form), form, "audit")
        return page_answer(service.list_events(current_clearance(), query, page))


@blueprint.route(f"/events/{_SEQ}")
class AuditEvent(MethodView):
    @requires("audit:read", domain=HOME)
    @blueprint.response(200, AuditEventSchema)
    @blueprint.operation("get_event", EventNotFound)
    def get(self, seq: int) -> Response:
        """Read one event

        With the values before and after the change, and the hashes that chain it to the previous event.
        """
        return json_answer(service.get_event(current_clearance(), seq))


@blueprint.route(f"/events/{_SEQ}/proof")
class InclusionProof(MethodView):
    @requires("audit:read", domain=HOME)
    @blueprint.arguments(InclusionQuery, location="query")
    @blueprint.response(200, InclusionProofSchema)
    @blueprint.operation("prove_inclusion", EventNotFound, TreeIncomplete)
    def get(self, query: dict[str, int], seq: int) -> Response:
        """Prove that an event is in the trail

        Against the checkpoint of `size` events: hashing the path from the leaf gives the checkpoint's root.
        """
        return json_answer(evidence.prove_inclusion(current_clearance(), seq, query.get("size")))


@blueprint.route("/consistency")
class ConsistencyProof(MethodView):
    @requires("audit:read")
    @blueprint.arguments(ConsistencyQuery, location="query")
    @blueprint.response(200, ConsistencyProofSchema)
    @blueprint.operation("prove_consistency", TreeIncomplete)
    def get(self, query: dict[str, int]) -> Response:
        """Prove that the trail was only appended to

        Between the checkpoints of `from` and of `to` events.
        """
        return json_answer(evidence.prove_consistency(current_clearance(), query["from_"], query.get("to")))


@blueprint.route("/checkpoint")
class AuditCheckpoint(MethodView):
    @requires("audit:read")
    @blueprint.response(
        200, {"type": "string", "example": _NOTE}, content_type=_PLAIN, description="A signed note (C2SP)"
    )
    @blueprint.operation("get_checkpoint", TreeIncomplete)
    def get(self) -> Response:
        """Read a checkpoint of the trail

        The number of events and the root of the Merkle tree (RFC 9162) over their hashes, signed with Ed25519
        as a C2SP signed note. Keep it elsewhere: with an export or a proof it shows later whether an event up
        to then was changed, removed or moved.
        """
        return Response(evidence.checkpoint(current_clearance()), content_type=f"{_PLAIN}; charset=utf-8")


@blueprint.route("/checkpoint/key")
class CheckpointKey(MethodView):
    @public
    @blueprint.response(
        200, {"type": "string", "example": _KEY}, content_type=_PLAIN, description="A verification key (C2SP)"
    )
    @blueprint.operation("get_checkpoint_key")
    def get(self) -> Response:
        """Read the public key of checkpoints

        In the form of C2SP signed notes. Compare it with `rbac-api audit key` at the machine before you trust
        it.
        """
        key = evidence.verification_key(current_guard().settings)
        return Response(f"{key}\n", content_type=f"{_PLAIN}; charset=utf-8")
