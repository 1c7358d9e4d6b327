"""Activations over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.activations import service
from rbac_api.capabilities.activations.errors import ActivationNotEligible, ActivationNotFound
from rbac_api.capabilities.activations.schemas import ActivateSchema, ActivationListSchema, ActivationSchema
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.errors import TooManyAttempts
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.json_response import empty_answer, json_answer
from rbac_api.web.server.rate_limits import count_account

blueprint = Blueprint(
    "activations",
    __name__,
    url_prefix="/v1/me/activations",
    tag="My account",
    description="Roles of this session.",
)


@blueprint.route("")
class Activations(MethodView):
    @requires()
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, ActivationListSchema)
    @blueprint.operation("list_activations", UserNotFound)
    def get(self, query: dict[str, object]) -> Response:
        """List the roles I can activate

        Every role that your current assignments allow, including inherited ones, and whether it is active in
        this session.
        """
        return page_answer(service.list_activations(current_clearance(), page_request(query)))


@blueprint.route("/<role>")
class Activation(MethodView):
    @requires(recent=True)
    @blueprint.arguments(ActivateSchema)
    @blueprint.response(200, ActivationSchema)
    @blueprint.response(201, ActivationSchema)
    @blueprint.operation(
        "activate_role", UserNotFound, ActivationNotEligible, ConstraintViolated, TooManyAttempts
    )
    def put(self, body: dict[str, Any], role: str) -> Response:
        """Activate a role in this session

        Takes effect on the next request of this session only, for `duration` seconds but no longer than the
        assignment or the session. 201 if the role was not activated before; 200 if it was, with the new
        duration.
        """
        count_account(current_clearance().actor.id)
        activation, new = service.activate_role(current_clearance(), role, body["duration"], body["reason"])
        return json_answer(activation, 201 if new else 200)

    @requires()
    @blueprint.response(204)
    @blueprint.operation("drop_role", UserNotFound, ActivationNotFound, TooManyAttempts)
    def delete(self, role: str) -> Response:
        """Drop a role from this session

        Takes effect on the next request. A role that is active without having been activated can be dropped
        as well: the session then continues with the other roles, and you can activate the dropped one again.
        """
        count_account(current_clearance().actor.id)
        service.drop_role(current_clearance(), role)
        return empty_answer()
