"""The use of permissions over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.capabilities.service_accounts.service import find_account_id
from rbac_api.capabilities.use import service
from rbac_api.capabilities.use.schemas import (
    PermissionUseListSchema,
    UnusedPermissionListSchema,
    UnusedRolePermissionListSchema,
    UseQuery,
)
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.errors import RoleNotFound
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import past_moment

blueprint = Blueprint(
    "use", __name__, url_prefix="/v1", tag="Access", description="Who may do what, and why."
)


@blueprint.route("/users/<user_id>/unused")
class UserUnused(MethodView):
    @requires("users:read")
    @blueprint.arguments(UseQuery, location="query")
    @blueprint.response(200, UnusedPermissionListSchema)
    @blueprint.operation("list_user_unused", UserNotFound)
    def get(self, query: dict[str, Any], user_id: str) -> Response:
        """List permissions that a user did not use

        Those that the user's current assignments grant, also after activating an eligible role, and that no
        allowed request or evaluation of the user needed since then. `window` says since when uses are
        recorded: a permission that was used before looks unused.
        """
        clearance, since, page = current_clearance(), past_moment(query, "since"), page_request(query)
        found, window = service.list_user_unused(clearance, find_user_id(clearance, user_id), since, page)
        return page_answer(found, window.to_json())


@blueprint.route("/service-accounts/<account_id>/unused")
class ServiceAccountUnused(MethodView):
    @requires("service-accounts:read")
    @blueprint.arguments(UseQuery, location="query")
    @blueprint.response(200, UnusedPermissionListSchema)
    @blueprint.operation("list_service_account_unused", ServiceAccountNotFound)
    def get(self, query: dict[str, Any], account_id: str) -> Response:
        """List permissions that a service account did not use

        As for users.
        """
        clearance, since, page = current_clearance(), past_moment(query, "since"), page_request(query)
        found, window = service.list_service_account_unused(
            clearance, find_account_id(clearance, account_id), since, page
        )
        return page_answer(found, window.to_json())


@blueprint.route("/roles/<role>/unused")
class RoleUnused(MethodView):
    @requires("roles:read")
    @blueprint.arguments(UseQuery, location="query")
    @blueprint.response(200, UnusedRolePermissionListSchema)
    @blueprint.operation("list_role_unused", RoleNotFound)
    def get(self, query: dict[str, Any], role: str) -> Response:
        """List permissions of a role that its holders did not use

        Direct and inherited permissions of the role that no user or service account used, of those who have
        the role now: assigned or through another role. A use counts for each role that grants it.
        """
        since, page = past_moment(query, "since"), page_request(query)
        found, window = service.list_role_unused(current_clearance(), role, since, page)
        return page_answer(found, window.to_json())


@blueprint.route("/permissions/<permission>/use")
class PermissionUse(MethodView):
    @requires("permissions:read")
    @blueprint.arguments(UseQuery, location="query")
    @blueprint.response(200, PermissionUseListSchema)
    @blueprint.operation("list_permission_use", PermissionNotFound)
    def get(self, query: dict[str, Any], permission: str) -> Response:
        """List who used a permission

        Users and service accounts in the order in which they were created, also those who do not hold it any
        more. Needs `users:read` too, since it says who did what.
        """
        since, page = past_moment(query, "since"), page_request(query)
        found, window = service.list_permission_use(current_clearance(), permission, since, page)
        return page_answer(found, window.to_json())
