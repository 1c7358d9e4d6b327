"""Permissions over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.permissions import service
from rbac_api.capabilities.permissions.errors import (
    PermissionBuiltIn,
    PermissionInUse,
    PermissionNameTaken,
    PermissionNotFound,
)
from rbac_api.capabilities.permissions.schemas import (
    PermissionCreateSchema,
    PermissionDeleteQuery,
    PermissionListSchema,
    PermissionSchema,
)
from rbac_api.formats.paging import NamedFilters
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.errors import REPEATABLE, TargetStronger
from rbac_api.web.fields import NamedQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint(
    "permissions",
    __name__,
    url_prefix="/v1/permissions",
    tag="Roles and permissions",
    description="What roles can hold.",
)


@blueprint.route("")
class Permissions(MethodView):
    @requires("permissions:read")
    @blueprint.arguments(NamedQuery, location="query")
    @blueprint.response(200, PermissionListSchema)
    @blueprint.operation("list_permissions")
    def get(self, query: NamedFilters) -> Response:
        """List permissions

        This service's own (`system`) and those of your applications, ordered by name.
        """
        page = page_request(query)
        return page_answer(service.list_permissions(current_clearance(), query, page))

    @requires("permissions:create")
    @blueprint.arguments(PermissionCreateSchema)
    @blueprint.response(201, PermissionSchema)
    @blueprint.operation("create_permission", PermissionNameTaken, *REPEATABLE)
    def post(self, body: dict[str, Any]) -> Response:
        """Create a permission

        For your own applications, as `resource:verb`, or with up to four parts where another system names it
        so. The role admin holds it at once; add it to other roles as needed.
        """
        permission = service.create_permission(
            current_clearance(), body["name"], body["description"], title=body.get("title")
        )
        return created_answer(permission, f"/v1/permissions/{permission['name']}")


@blueprint.route("/<permission>")
class Permission(MethodView):
    @requires("permissions:read")
    @blueprint.response(200, PermissionSchema)
    @blueprint.operation("get_permission", PermissionNotFound)
    def get(self, permission: str) -> Response:
        """Read one permission

        What it lets its holder do, and whether it is one of this service's own.
        """
        return json_answer(service.get_permission(current_clearance(), permission))

    @requires("permissions:delete")
    @blueprint.arguments(PermissionDeleteQuery, location="query")
    @blueprint.response(204)
    @blueprint.operation(
        "delete_permission", PermissionNotFound, PermissionBuiltIn, PermissionInUse, TargetStronger
    )
    def delete(self, query: dict[str, Any], permission: str) -> Response:
        """Delete a permission

        Refused while a role holds it directly, unless `force=true`: then every role loses it on the next
        request. This service's own permissions cannot be deleted.
        """
        service.delete_permission(current_clearance(), permission, force=query["force"])
        return empty_answer()
