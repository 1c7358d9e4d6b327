"""Roles over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.roles import service
from rbac_api.capabilities.roles.errors import (
    GrantNotFound,
    InheritanceNotFound,
    RoleBuiltIn,
    RoleCycle,
    RoleInUse,
    RoleNameTaken,
)
from rbac_api.capabilities.roles.past import get_role_at
from rbac_api.capabilities.roles.schemas import (
    RoleCreateSchema,
    RoleDeleteQuery,
    RoleListSchema,
    RolePatchSchema,
    RoleSchema,
)
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.errors import (
    REPEATABLE,
    EscalationDenied,
    LastAdministrator,
    RoleNotFound,
    TargetStronger,
)
from rbac_api.guard.requires import requires
from rbac_api.web.answers import created_answer, empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.etags import required_tags, tag_of, tagged
from rbac_api.web.fields import PageQuery
from rbac_api.web.moments import AtQuery, past_moment
from rbac_api.web.pagination import page_answer, page_request

blueprint = Blueprint(
    "roles", __name__, url_prefix="/v1/roles", tag="Roles and permissions", description="Roles."
)


@blueprint.route("")
class Roles(MethodView):
    @requires("roles:read")
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, RoleListSchema)
    @blueprint.operation("list_roles")
    def get(self, query: dict[str, Any]) -> Response:
        """List roles

        With what each holds directly, what it inherits, and what that adds up to.
        """
        return page_answer(service.list_roles(current_clearance(), page_request(query)))

    @requires("roles:create")
    @blueprint.tagged
    @blueprint.arguments(RoleCreateSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "create_role",
        RoleNameTaken,
        PermissionNotFound,
        EscalationDenied,
        *REPEATABLE,
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Create a role

        You can put into it only permissions that you hold yourself.
        """
        role, version = service.create_role(current_clearance(), body)
        return created_answer(role, f"/v1/roles/{role['name']}", {"ETag": f'"{tag_of(role, version)}"'})


@blueprint.route("/<role>")
class Role(MethodView):
    @requires("roles:read")
    @blueprint.tagged
    @blueprint.arguments(AtQuery, location="query")
    @blueprint.response(200, RoleSchema)
    @blueprint.operation("get_role", RoleNotFound)
    def get(self, query: dict[str, Any], role: str) -> Response:
        """Read one role

        The ETag of the answer goes into If-Match of a later change. With `at` the role as it was at that moment, which has no ETag: it
        cannot be changed any more.
        """
        moment = past_moment(query)
        if moment is not None:
            return json_answer(get_role_at(current_clearance(), role, moment))
        found, version = service.get_role(current_clearance(), role)
        return tagged(json_answer(found), found, version)

    @requires("roles:update")
    @blueprint.tagged
    @blueprint.conditional
    @blueprint.arguments(RolePatchSchema)
    @blueprint.response(200, RoleSchema)
    @blueprint.operation("update_role", RoleNotFound, RoleBuiltIn, TargetStronger)
    def patch(self, body: dict[str, Any], role: str) -> Response:
        """Change a role itself

        Its description, and whether it counts only in sessions with a second factor (`requires_mfa`, the one thing that may change of a
        built-in role). Needs the ETag in If-Match. A role's name never changes.
        """
        found, version = service.update_role(current_clearance(), role, required_tags(), body)
        return tagged(json_answer(found), found, version)

    @requires("roles:delete")
    @blueprint.conditional
    @blueprint.arguments(RoleDeleteQuery, location="query")
    @blueprint.response(204)
    @blueprint.operation(
        "delete_role",
        RoleNotFound,
        RoleBuiltIn,
        RoleInUse,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def delete(self, query: dict[str, Any], role: str) -> Response:
        """Delete a role

        Needs the ETag in If-Match. Refused while somebody holds it, unless `force=true`, which takes it from everybody at once, and
        while it is part of a constraint. A later role of the same name is another role, which nobody holds.
        """
        service.delete_role(current_clearance(), role, required_tags(), force=query["force"])
        return empty_answer()


@blueprint.route("/<role>/permissions/<permission>")
class RolePermission(MethodView):
    @requires("roles:update")
    @blueprint.response(200, RoleSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "grant_permission", RoleNotFound, PermissionNotFound, RoleBuiltIn, EscalationDenied, TargetStronger
    )
    def put(self, role: str, permission: str) -> Response:
        """Put a permission into a role

        You must hold it yourself. Everybody who holds the role may use it from the next request on. 201 if it is new, 200 if it was there.
        """
        new = service.grant_permission(current_clearance(), role, permission)
        return json_answer(service.get_role(current_clearance(), role)[0], 201 if new else 200)

    @requires("roles:update")
    @blueprint.response(204)
    @blueprint.operation(
        "withdraw_permission", RoleNotFound, PermissionNotFound, GrantNotFound, RoleBuiltIn, TargetStronger
    )
    def delete(self, role: str, permission: str) -> Response:
        """Take a permission out of a role

        Nobody has it through this role any more, from the next request on. What the role inherits stays.
        """
        service.withdraw_permission(current_clearance(), role, permission)
        return empty_answer()


@blueprint.route("/<role>/inherits/<junior>")
class RoleInheritance(MethodView):
    @requires("roles:update")
    @blueprint.response(200, RoleSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "inherit_role",
        RoleNotFound,
        RoleCycle,
        RoleBuiltIn,
        EscalationDenied,
        TargetStronger,
        ConstraintViolated,
    )
    def put(self, role: str, junior: str) -> Response:
        """Let a role inherit another

        The role then holds everything the other effectively holds; you must hold all of it yourself. 201 if it is new, 200 if it was so.
        """
        new = service.inherit_role(current_clearance(), role, junior)
        return json_answer(service.get_role(current_clearance(), role)[0], 201 if new else 200)

    @requires("roles:update")
    @blueprint.response(204)
    @blueprint.operation(
        "disinherit_role",
        RoleNotFound,
        InheritanceNotFound,
        RoleBuiltIn,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def delete(self, role: str, junior: str) -> Response:
        """End an inheritance

        The role no longer holds what the other does, unless it does so on another way.
        """
        service.disinherit_role(current_clearance(), role, junior)
        return empty_answer()
