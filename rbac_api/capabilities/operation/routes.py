"""Operation over HTTP."""

from __future__ import annotations

from flask import Response, current_app
from flask.views import MethodView

from rbac_api.capabilities.operation import service
from rbac_api.capabilities.operation.errors import NotReady, ProblemUnknown
from rbac_api.capabilities.operation.schemas import (
    HealthSchema,
    JwkSetSchema,
    ProblemKindSchema,
    ReadinessSchema,
)
from rbac_api.database.constraints import DatabaseDown
from rbac_api.guard.enforcement.decorators import public
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.sealing import SealBroken
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.document import VERSION
from rbac_api.web.requests.etags import tagged
from rbac_api.web.responses.json_response import json_answer

blueprint = Blueprint("operation", __name__, tag="Operation", description="Health, metrics, keys.")


@blueprint.route("/healthz")
class Health(MethodView):
    @public
    @blueprint.response(200, HealthSchema)
    @blueprint.operation("get_health")
    def get(self) -> Response:
        """Liveness

        Whether the process is up. Whether it can serve requests is answered by `GET /readyz`.
        """
        return json_answer({"status": "ok", "version": VERSION})


@blueprint.route("/readyz")
class Readiness(MethodView):
    @public
    @blueprint.response(200, ReadinessSchema)
    @blueprint.operation("get_readiness", NotReady)
    def get(self) -> Response:
        """Readiness

        503 when the database does not answer, its schema is not the one this release needs, there is no
        signing key, or roles inherit each other in a cycle; `checks` says which.
        """
        found = service.readiness(current_guard().runtime)
        if not found["ready"]:
            raise NotReady(found)
        return json_answer(found)


@blueprint.route("/metrics")
class Metrics(MethodView):
    @public
    @blueprint.response(
        200,
        {"type": "string", "example": 'rbac_signins_total{outcome="succeeded"} 42.0\n'},
        content_type="text/plain",
        description="Prometheus text format",
    )
    @blueprint.operation("get_metrics")
    def get(self) -> Response:
        """Metrics

        For Prometheus; aggregated across worker processes.
        """
        current_app.extensions["rbac-tally"].fold()
        text, media_type = service.metrics(current_app.extensions["rbac-facts"])
        return Response(text, content_type=media_type)


@blueprint.route("/.well-known/jwks.json")
class Keys(MethodView):
    @public
    @blueprint.tagged
    @blueprint.response(200, JwkSetSchema)
    @blueprint.operation("get_jwks", DatabaseDown, SealBroken)
    def get(self) -> Response:
        """Read the public keys

        For services that verify access tokens themselves (RFC 7517). Empty with HS256, which has no public
        key.
        """
        found = {"keys": service.public_keys(current_guard().runtime)}
        answer = tagged(json_answer(found), found, 1)
        answer.headers["Cache-Control"] = f"public, max-age={current_guard().settings.jwks_seconds}"
        return answer


@blueprint.route("/problems/<code>")
class Problem(MethodView):
    @public
    @blueprint.response(200, ProblemKindSchema)
    @blueprint.operation("get_problem", ProblemUnknown)
    def get(self, code: str) -> Response:
        """Explain a problem code

        The `type` of every problem document points here.
        """
        found = service.find_problem(code)
        if found is None:
            raise ProblemUnknown()
        return json_answer(found)
