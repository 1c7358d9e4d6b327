"""Roles over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.roles import listing, service
from rbac_api.capabilities.roles.answers import RoleFilters
from rbac_api.capabilities.roles.errors import (
    GrantNotFound,
    InheritanceNotFound,
    RoleBuiltIn,
    RoleCycle,
    RoleInUse,
    RoleNameTaken,
)
from rbac_api.capabilities.roles.history import get_role_at
from rbac_api.capabilities.roles.schemas import (
    RoleCreateSchema,
    RoleDeleteQuery,
    RoleListSchema,
    RolePatchSchema,
    RoleQuery,
    RoleSchema,
)
from rbac_api.formats.row_versions import tag_of
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import (
    REPEATABLE,
    DomainNotFound,
    EscalationDenied,
    LastAdministrator,
    RoleElsewhere,
    RoleNotFound,
    TargetStronger,
)
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import AtQuery, past_moment
from rbac_api.web.requests.etags import required_tags, tagged
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint(
    "roles", __name__, url_prefix="/v1/roles", tag="Roles and permissions", description="Roles."
)


@blueprint.route("")
class Roles(MethodView):
    @requires("roles:read", domain=HOME)
    @blueprint.arguments(RoleQuery, location="query")
    @blueprint.response(200, RoleListSchema)
    @blueprint.operation("list_roles")
    def get(self, query: RoleFilters) -> Response:
        """List roles

        With direct permissions, inherited roles and the resulting effective permissions. `permission` selects
        the roles that hold it directly; with `effective=true` also those that inherit it.
        """
        page = page_request(query)
        return page_answer(listing.list_roles(current_clearance(), query, page))

    @requires("roles:create", domain=HOME)
    @blueprint.tagged
    @blueprint.arguments(RoleCreateSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "create_role",
        RoleNameTaken,
        DomainNotFound,
        PermissionNotFound,
        EscalationDenied,
        *REPEATABLE,
    )
    def post(self, body: dict[str, object]) -> Response:
        """Create a role

        You can add only permissions that you hold yourself. With `home`, or in a session at a domain, the
        role is at home there: its name ends with `@` and the domain, it can be assigned there and below only,
        and you have to hold its permissions there.
        """
        role, version = service.create_role(current_clearance(), body)
        return created_answer(role, f"/v1/roles/{role['name']}", {"ETag": f'"{tag_of(role, version)}"'})


@blueprint.route("/<role>")
class Role(MethodView):
    @requires("roles:read", domain=HOME)
    @blueprint.tagged
    @blueprint.arguments(AtQuery, location="query")
    @blueprint.response(200, RoleSchema)
    @blueprint.operation("get_role", RoleNotFound)
    def get(self, query: dict[str, object], role: str) -> Response:
        """Read one role

        Use the ETag of the answer in If-Match to change or delete the role. With `at`, the role as it was at
        that time, without an ETag.
        """
        moment = past_moment(query)
        if moment is not None:
            return json_answer(get_role_at(current_clearance(), role, moment))
        found, version = service.read_role(current_clearance(), role)
        return tagged(json_answer(found), found, version)

    @requires("roles:update", domain=HOME)
    @blueprint.tagged
    @blueprint.conditional
    @blueprint.arguments(RolePatchSchema)
    @blueprint.response(200, RoleSchema)
    @blueprint.operation("update_role", RoleNotFound, RoleBuiltIn, TargetStronger)
    def patch(self, body: dict[str, object], role: str) -> Response:
        """Change a role

        Changes title, description, and whether the role is effective only in sessions with a second factor
        (`requires_mfa`, the only thing that can change on a built-in role). Requires the ETag in If-Match. A
        role's name never changes.
        """
        found, version = service.update_role(current_clearance(), role, required_tags(), body)
        return tagged(json_answer(found), found, version)

    @requires("roles:delete", domain=HOME)
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

        Requires the ETag in If-Match. Refused while a user holds the role, unless `force=true`, which revokes
        it from all users; always refused while a constraint names it. A later role with the same name is a
        new role without holders.
        """
        service.delete_role(current_clearance(), role, required_tags(), force=query["force"])
        return empty_answer()


@blueprint.route("/<role>/permissions/<permission>")
class RolePermission(MethodView):
    @requires("roles:update", domain=HOME)
    @blueprint.response(200, RoleSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "grant_permission", RoleNotFound, PermissionNotFound, RoleBuiltIn, EscalationDenied, TargetStronger
    )
    def put(self, role: str, permission: str) -> Response:
        """Add a permission to a role

        You must hold the permission yourself. Holders of the role have it from the next request on. 201 if it
        is new, 200 if the role already had it.
        """
        new = service.grant_permission(current_clearance(), role, permission)
        return json_answer(service.get_role(current_clearance(), role)[0], 201 if new else 200)

    @requires("roles:update", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation(
        "withdraw_permission", RoleNotFound, PermissionNotFound, GrantNotFound, RoleBuiltIn, TargetStronger
    )
    def delete(self, role: str, permission: str) -> Response:
        """Remove a permission from a role

        Takes effect on the next request. Permissions that the role inherits stay.
        """
        service.withdraw_permission(current_clearance(), role, permission)
        return empty_answer()


@blueprint.route("/<role>/inherits/<junior>")
class RoleInheritance(MethodView):
    @requires("roles:update", domain=HOME)
    @blueprint.response(200, RoleSchema)
    @blueprint.response(201, RoleSchema)
    @blueprint.operation(
        "inherit_role",
        RoleNotFound,
        RoleCycle,
        RoleElsewhere,
        RoleBuiltIn,
        EscalationDenied,
        TargetStronger,
        ConstraintViolated,
    )
    def put(self, role: str, junior: str) -> Response:
        """Let a role inherit another

        The role then holds every effective permission of the other role; you must hold all of them yourself.
        The other role is at home where the role is, or above: `clerk@acme.eu` can inherit `clerk@acme` and
        `employee`, but not `clerk@globex`. 201 if it is new, 200 if it already inherited the role.
        """
        new = service.inherit_role(current_clearance(), role, junior)
        return json_answer(service.get_role(current_clearance(), role)[0], 201 if new else 200)

    @requires("roles:update", domain=HOME)
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

        The role loses what the other role holds, unless it also holds it in another way.
        """
        service.disinherit_role(current_clearance(), role, junior)
        return empty_answer()
