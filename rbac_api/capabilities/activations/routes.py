"""Making roles active, over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.activations import service
from rbac_api.capabilities.activations.errors import ActivationNotEligible, ActivationNotFound
from rbac_api.capabilities.activations.schemas import ActivateSchema, ActivationListSchema, ActivationSchema
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.requires import requires
from rbac_api.web.answers import empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.fields import PageQuery
from rbac_api.web.pagination import page_answer, page_request

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
    def get(self, query: dict[str, Any]) -> Response:
        """List the roles I can make active

        Every role that an assignment of yours lets you have at this moment, inherited ones too, and whether it is active in this session.
        """
        return page_answer(service.list_activations(current_clearance(), page_request(query)))


@blueprint.route("/<role>")
class Activation(MethodView):
    @requires(recent=True)
    @blueprint.arguments(ActivateSchema)
    @blueprint.response(200, ActivationSchema)
    @blueprint.response(201, ActivationSchema)
    @blueprint.operation("activate_role", UserNotFound, ActivationNotEligible, ConstraintViolated)
    def put(self, body: dict[str, Any], role: str) -> Response:
        """Make a role active in this session

        In force on the next request of this session and of no other, for `duration` seconds: not longer than the assignment that allows
        it, nor than the session. 201 if it was not made active before; 200 if it was, which from now on lasts as long as you say.
        """
        activation, new = service.activate_role(current_clearance(), role, body["duration"], body["reason"])
        return json_answer(activation, 201 if new else 200)

    @requires()
    @blueprint.response(204)
    @blueprint.operation("drop_role", UserNotFound, ActivationNotFound)
    def delete(self, role: str) -> Response:
        """Drop a role from this session

        From the next request on. A role that is active without having been made so is dropped as well: the session goes on with the
        others alone, and you can make it active again.
        """
        service.drop_role(current_clearance(), role)
        return empty_answer()
