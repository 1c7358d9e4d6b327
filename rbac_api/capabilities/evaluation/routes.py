"""AuthZEN over HTTP."""

from __future__ import annotations

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.evaluation import search, service
from rbac_api.capabilities.evaluation.protocol import AuthzenBlueprint, page_answer, page_in, question_of
from rbac_api.capabilities.evaluation.schemas import (
    AccessDecisionSchema,
    AccessDecisionsSchema,
    AccessEvaluationSchema,
    AccessEvaluationsSchema,
    DecisionPointSchema,
)
from rbac_api.capabilities.evaluation.schemas_search import (
    ActionSearchSchema,
    FoundActionsSchema,
    FoundResourcesSchema,
    FoundSubjectsSchema,
    ResourceSearchSchema,
    SubjectSearchSchema,
)
from rbac_api.guard.enforcement.decorators import current_clearance, public, requires
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.web.responses.json_response import json_answer

blueprint = AuthzenBlueprint(
    "evaluation", __name__, tag="Decisions", description="Decisions for client apps."
)


@blueprint.route("/access/v1/evaluation")
class Evaluation(MethodView):
    @requires("access:evaluate", reads=True)
    @blueprint.question(AccessEvaluationSchema)
    @blueprint.response(200, AccessDecisionSchema)
    @blueprint.operation("evaluate_access")
    def post(self) -> Response:
        """Ask for a decision

        OpenID AuthZEN Authorization API 1.0. May the subject perform the action on the resource? That is:
        does it currently hold the permission `<resource type>:<action name>`, as in a new session with a
        second factor and every role that can be active in it? A denial is a normal answer with its reasons;
        an unknown subject or permission is denied.
        """
        return json_answer(service.evaluate_access(current_clearance(), question_of(request)))


@blueprint.route("/access/v1/evaluations")
class Evaluations(MethodView):
    @requires("access:evaluate", reads=True)
    @blueprint.question(AccessEvaluationsSchema)
    @blueprint.or_response(AccessDecisionSchema)
    @blueprint.response(200, AccessDecisionsSchema)
    @blueprint.operation("evaluate_accesses")
    def post(self) -> Response:
        """Ask for many decisions at once

        Up to 10,000 questions in at most 1 MiB, answered in order against one consistent state. Members that
        they share may be given once as defaults. Without `evaluations` the body is a single question and gets
        a single answer.
        """
        return json_answer(service.evaluate_accesses(current_clearance(), question_of(request)))


@blueprint.route("/access/v1/search/subject")
class SubjectSearch(MethodView):
    @requires("access:evaluate", reads=True)
    @blueprint.question(SubjectSearchSchema)
    @blueprint.response(200, FoundSubjectsSchema)
    @blueprint.operation("search_subjects")
    def post(self) -> Response:
        """Find who may do something

        AuthZEN section 8.4. The accounts of a type that may perform the action on the resource, by id; each
        of them is a `true` of `POST /access/v1/evaluation`. Nothing is found for an unknown type or
        permission.
        """
        body = question_of(request)
        page = page_in(body)
        return page_answer(search.search_subjects(current_clearance(), body, page), body, page.limit)


@blueprint.route("/access/v1/search/resource")
class ResourceSearch(MethodView):
    @requires("access:evaluate", reads=True)
    @blueprint.question(ResourceSearchSchema)
    @blueprint.response(200, FoundResourcesSchema)
    @blueprint.operation("search_resources")
    def post(self) -> Response:
        """Find where a subject may do something

        AuthZEN section 8.5. The domains in which the subject may perform the action on resources of the type,
        `root` first, then by name. Each result means all resources of the type in its domain, and is a
        `true` of `POST /access/v1/evaluation`. With `resource.properties.domain`, only that domain and those
        below it. Nothing is found for an unknown subject, permission or domain.
        """
        body = question_of(request)
        page = page_in(body)
        return page_answer(search.search_resources(current_clearance(), body, page), body, page.limit)


@blueprint.route("/access/v1/search/action")
class ActionSearch(MethodView):
    @requires("access:evaluate", reads=True)
    @blueprint.question(ActionSearchSchema)
    @blueprint.response(200, FoundActionsSchema)
    @blueprint.operation("search_actions")
    def post(self) -> Response:
        """Find what a subject may do

        AuthZEN section 8.6. The actions that the subject may perform on resources of a type, by name; each of
        them is a `true` of `POST /access/v1/evaluation`. Nothing is found for an unknown subject.
        """
        body = question_of(request)
        page = page_in(body)
        return page_answer(search.search_actions(current_clearance(), body, page), body, page.limit)


@blueprint.route("/.well-known/authzen-configuration")
class DecisionPoint(MethodView):
    @public
    @blueprint.response(200, DecisionPointSchema)
    @blueprint.operation("describe_decision_point")
    def get(self) -> Response:
        """Read the decision point's metadata

        AuthZEN section 9: where to ask for decisions. Addresses start with the configured issuer, which
        should be https outside of a single machine.
        """
        headers = {"Cache-Control": "public, max-age=300"}
        return json_answer(service.describe_decision_point(current_guard().settings), headers=headers)
