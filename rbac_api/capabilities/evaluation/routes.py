"""AuthZEN over HTTP."""

from __future__ import annotations

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.evaluation import service
from rbac_api.capabilities.evaluation.schemas import (
    AccessDecisionSchema,
    AccessDecisionsSchema,
    AccessEvaluationSchema,
    AccessEvaluationsSchema,
    DecisionPointSchema,
)
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.passage import current_guard
from rbac_api.guard.requires import public, requires
from rbac_api.web.answers import json_answer
from rbac_api.web.authzen import AuthzenBlueprint, question_of

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

        OpenID AuthZEN Authorization API 1.0. May the subject perform the action on the resource? That is: does it hold the permission
        `<resource type>:<action name>` at this moment, as in a new session with a second factor and every role that counts in one? A no
        is an answer as good as a yes, with why not; an unknown subject or permission is a no.
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

        Up to 10,000 questions in at most 1 MiB, answered in their order on one and the same state. What they have in common may stand
        beside them once, as a default. Without any, the body itself is the question and gets a single answer.
        """
        return json_answer(service.evaluate_accesses(current_clearance(), question_of(request)))


@blueprint.route("/.well-known/authzen-configuration")
class DecisionPoint(MethodView):
    @public
    @blueprint.response(200, DecisionPointSchema)
    @blueprint.operation("describe_decision_point")
    def get(self) -> Response:
        """Read the decision point's metadata

        AuthZEN section 9: where to ask for decisions. Addresses begin with the configured issuer, which outside of one machine should be
        https.
        """
        headers = {"Cache-Control": "public, max-age=300"}
        return json_answer(service.describe_decision_point(current_guard().settings), headers=headers)
