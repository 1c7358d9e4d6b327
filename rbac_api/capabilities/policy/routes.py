"""Policies over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.constraints.errors import (
    ConstraintNameTaken,
    ConstraintNotFound,
    ConstraintViolated,
)
from rbac_api.capabilities.domains.errors import DomainInUse, DomainNameTaken
from rbac_api.capabilities.permissions.errors import (
    PermissionBuiltIn,
    PermissionNameTaken,
    PermissionNotFound,
)
from rbac_api.capabilities.policy import service
from rbac_api.capabilities.policy.errors import (
    PolicyBusy,
    PolicyChangeUnknown,
    PolicyChanging,
    PolicyInUse,
    PolicyNotRevertible,
    PolicyReverted,
    PolicyTooLarge,
)
from rbac_api.capabilities.policy.in_use import UseCheck
from rbac_api.capabilities.policy.schemas import (
    PolicyAppliedSchema,
    PolicyApplyQuery,
    PolicyDomainQuery,
    PolicyExportQuery,
    PolicyPlanSchema,
    PolicyQuery,
    PolicyRevertSchema,
    RoleSuggestionSchema,
)
from rbac_api.capabilities.policy.schemas_document import EXAMPLE, PolicyDocumentSchema, PolicySchema
from rbac_api.capabilities.roles.errors import RoleBuiltIn, RoleCycle, RoleInUse, RoleNameTaken
from rbac_api.capabilities.use.schemas import SinceQuery
from rbac_api.decision.document import document_schema
from rbac_api.errors import Invalid
from rbac_api.formats.strict_yaml import yaml_text
from rbac_api.guard.enforcement.decorators import current_clearance, public, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import (
    DomainNotFound,
    EscalationDenied,
    LastAdministrator,
    RoleElsewhere,
    RoleNotFound,
    TargetStronger,
)
from rbac_api.web.openapi.document_bodies import (
    YAML,
    DocumentBlueprint,
    document_answer,
    document_of,
    wants_yaml,
)
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.requests.etags import required_tags, tagged
from rbac_api.web.responses.json_response import json_answer

blueprint = DocumentBlueprint("policy", __name__, tag="Policy", description="Policies as documents.")
SUGGESTION = """\
roles:
  - {name: approver, description: Approves invoices., permissions: ["invoices:approve"], inherits: []}
"""
BOUNDS = (PolicyBusy, PolicyChanging, PolicyTooLarge)
GUARDS = (
    ConstraintViolated, DomainInUse, EscalationDenied, LastAdministrator, PermissionBuiltIn, RoleBuiltIn,
    RoleCycle, RoleElsewhere, RoleInUse, TargetStronger,
)  # fmt: skip


@blueprint.route("/v1/policy")
class Policy(MethodView):
    @requires("policy:read", domain=HOME)
    @blueprint.tagged
    @blueprint.arguments(PolicyExportQuery, location="query")
    @blueprint.also_as(YAML, EXAMPLE)
    @blueprint.response(200, PolicySchema)
    @blueprint.operation("export_policy", DomainNotFound)
    def get(self, query: dict[str, Any]) -> Response:
        """Export the policy

        As one document, in JSON or, with `Accept: application/yaml`, in YAML: domains, the permissions of
        your applications, roles with their permissions and inheritance, constraints, and assignments.
        Built-in entries are left out, and it contains no secrets. The ETag is the revision; send it in
        If-Match when you apply. With `at`, as it was at that time, with the ends and reasons of assignments
        as they are known now. With `domain`, the part that is in that domain: the domains below it, roles and
        constraints at home there or below, and the assignments there or below of accounts at home there.
        """
        at = past_moment(query)
        clearance = service.in_domain(current_clearance(), query["domain"], at)
        tag, file = service.export_policy(clearance, yaml=wants_yaml(), known=request.if_none_match, at=at)
        return document_answer(file, tag)


@blueprint.route("/v1/policy/plan")
class PolicyPlan(MethodView):
    @requires("policy:plan", domain=HOME, reads=True)
    @blueprint.document(PolicyDocumentSchema, EXAMPLE, Invalid)
    @blueprint.arguments(PolicyQuery, location="query")
    @blueprint.response(200, PolicyPlanSchema)
    @blueprint.operation("plan_policy", DomainNotFound, PolicyBusy, PolicyTooLarge)
    def post(self, query: dict[str, Any]) -> Response:
        """Plan a policy

        Changes nothing, and does not delay other requests. Returns what would be created, changed and
        removed, who would gain or lose which permissions, which of those were used lately (`in_use`), which
        constraints would be violated, and which steps would be refused. Empty if the document matches the
        current state. Each process computes one policy at a time. With `domain`, entries about something
        outside it are refused with 422.
        """
        clearance = service.in_domain(current_clearance(), query.pop("domain"))
        with service.one_at_a_time(clearance):
            document = service.read_policy(document_of(request))
            return json_answer(service.plan_policy(clearance, document, **query))


@blueprint.route("/v1/policy/apply")
class PolicyApplication(MethodView):
    @requires("policy:apply", domain=HOME, recent=True)
    @blueprint.tagged
    @blueprint.conditional
    @blueprint.document(PolicyDocumentSchema, EXAMPLE, Invalid)
    @blueprint.arguments(PolicyApplyQuery, location="query")
    @blueprint.response(200, PolicyAppliedSchema)
    @blueprint.operation(
        "apply_policy",
        ConstraintNameTaken,
        DomainNameTaken,
        DomainNotFound,
        PermissionNameTaken,
        PolicyInUse,
        RoleNameTaken,
        *BOUNDS,
        *GUARDS,
    )
    def post(self, query: dict[str, Any]) -> Response:
        """Apply a policy

        All or nothing, with the same guards and constraints as single changes; you need the permission for
        each. Requires the ETag of `GET /v1/policy` in If-Match, so that you apply to the state you have seen.
        Removes entries only with `prune=true`. Refused if it takes away a permission that was used in the
        last `used_within` days, unless `even_if_used=true`. With `domain`, nothing outside it is changed, and
        you need the permissions there.
        """
        tags = required_tags()
        clearance = service.in_domain(current_clearance(), query["domain"])
        with service.one_at_a_time(clearance):
            document = service.read_policy(document_of(request))
            uses = UseCheck(query["used_within"], query["even_if_used"])
            done = service.apply_policy(clearance, document, prune=query["prune"], uses=uses, tags=tags)
        answer = json_answer(done)
        answer.set_etag(done["revision"])
        return answer


@blueprint.route("/v1/policy/revert")
class PolicyReversion(MethodView):
    @requires("policy:apply", domain=HOME, recent=True)
    @blueprint.arguments(PolicyDomainQuery, location="query")
    @blueprint.arguments(PolicyRevertSchema)
    @blueprint.response(200, PolicyAppliedSchema)
    @blueprint.operation(
        "revert_policy", DomainNotFound, PolicyChangeUnknown, PolicyReverted, PolicyNotRevertible,
        ConstraintNameTaken, ConstraintNotFound, PermissionNotFound, RoleNotFound, *BOUNDS, *GUARDS,
    )  # fmt: skip
    def post(self, query: dict[str, Any], body: dict[str, Any]) -> Response:
        """Revert a policy

        Restores everything that applying it changed, all or nothing, with the same guards. Refused if any of
        it was changed later. With `domain`, what changed anything outside it is not found.
        """
        clearance = service.in_domain(current_clearance(), query["domain"])
        with service.one_at_a_time(clearance):
            return json_answer(service.revert_policy(clearance, body["seq"]))


@blueprint.route("/v1/roles/<role>/suggestion")
class RoleSuggestion(MethodView):
    @requires("roles:read")
    @blueprint.arguments(SinceQuery, location="query")
    @blueprint.also_as(YAML, SUGGESTION)
    @blueprint.with_headers("Use-Window", "Use-Granularity")
    @blueprint.response(200, RoleSuggestionSchema)
    @blueprint.operation("suggest_role", RoleNotFound, RoleBuiltIn)
    def get(self, query: dict[str, Any], role: str) -> Response:
        """Cut a role to what was used

        A policy document, ready to plan: the role with the permissions that its holders used, and nothing
        else. A junior role stays if all of it was used; otherwise what was used of it becomes the role's own.
        A junior that counts only with a second factor stays as a whole, so that nothing needs less than
        before. The headers state the window.
        """
        found, window = service.suggest_role(current_clearance(), role, past_moment(query, "since"))
        text, form = yaml_text(found), f"{YAML}; charset=utf-8"
        answer = Response(text, content_type=form) if wants_yaml() else json_answer(found)
        answer.headers.update(window.to_headers())
        answer.vary.add("Accept")
        return answer


@blueprint.route("/schemas/policy.json")
class PolicyForm(MethodView):
    @public
    @blueprint.tagged
    @blueprint.response(
        200,
        {
            "type": "object",
            "additionalProperties": True,
            "example": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        },
        content_type="application/schema+json",
        description="JSON Schema, draft 2020-12",
    )
    @blueprint.operation("get_policy_schema")
    def get(self) -> Response:
        """Read the policy schema

        As JSON Schema, for editors and pipelines. Seed files have the same format.
        """
        form = document_schema()
        answer = json_answer(form)
        answer.headers["Content-Type"] = "application/schema+json"
        answer.headers["Cache-Control"] = "public, max-age=3600"
        return tagged(answer, form, 1)
