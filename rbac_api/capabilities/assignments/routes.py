"""Assignments over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.assignments import service
from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.schemas import AssignmentSchema, AssignSchema, UserRolesSchema
from rbac_api.capabilities.assignments.service import Terms
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.errors import EscalationDenied, LastAdministrator, RoleNotFound, TargetStronger
from rbac_api.guard.requires import requires
from rbac_api.web.answers import empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.moments import AtQuery, past_moment

blueprint = Blueprint(
    "assignments", __name__, url_prefix="/v1/users", tag="Assignments", description="Who holds which role."
)


@blueprint.route("/<uuid:user_id>/roles")
class UserRoles(MethodView):
    @requires("users:read")
    @blueprint.arguments(AtQuery, location="query")
    @blueprint.response(200, UserRolesSchema)
    @blueprint.operation("get_user_roles", UserNotFound)
    def get(self, query: dict[str, Any], user_id: Any) -> Response:
        """Read what a user holds

        The roles assigned directly, also those that begin later or are eligible, and those effectively held at this moment with the
        assigned roles they come through, and the permissions that this adds up to. With `at` as it was at that moment.
        """
        return json_answer(service.get_user_roles(current_clearance(), str(user_id), past_moment(query)))


@blueprint.route("/<uuid:user_id>/roles/<role>")
class UserRole(MethodView):
    @requires("assignments:create", recent=True)
    @blueprint.arguments(AssignSchema, required=False)
    @blueprint.response(200, AssignmentSchema)
    @blueprint.response(201, AssignmentSchema)
    @blueprint.operation(
        "assign_role",
        UserNotFound,
        RoleNotFound,
        EscalationDenied,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def put(self, body: dict[str, Any], user_id: Any, role: str) -> Response:
        """Give a user a role

        You must hold every permission that the role effectively holds. In force on the user's next request, or from `starts_at` on,
        until `expires_at`, to the millisecond; with `mode: eligible` only in sessions in which she activates it. 201 if it is new; 200
        if she had it, on the terms that the body changes: what it leaves out stays, null takes an end or a reason away.
        """
        assignment, new = service.assign_role(current_clearance(), str(user_id), role, Terms.read(body))
        return json_answer(assignment, 201 if new else 200)

    @requires("assignments:revoke")
    @blueprint.response(204)
    @blueprint.operation(
        "revoke_role",
        UserNotFound,
        RoleNotFound,
        AssignmentNotFound,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def delete(self, user_id: Any, role: str) -> Response:
        """Take a role away from a user

        In force on her next request, whatever her token still says.
        """
        service.revoke_role(current_clearance(), str(user_id), role)
        return empty_answer()
