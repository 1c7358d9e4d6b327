"""Assignments over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.assignments import available_roles, listing, service
from rbac_api.capabilities.assignments.answers import AssignmentFilters
from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.schemas import (
    AssignmentListSchema,
    AssignmentQuery,
    AssignmentSchema,
    AssignSchema,
    AvailableRoleListSchema,
    AvailableRolesQuery,
    PlaceQuery,
    RolesQuery,
    UserRolesSchema,
)
from rbac_api.capabilities.assignments.service import ASSIGNMENTS, Terms, export_roles
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import (
    DomainNotFound,
    EscalationDenied,
    LastAdministrator,
    RoleElsewhere,
    RoleNotFound,
    TargetStronger,
)
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import empty_answer, json_answer

blueprint = Blueprint(
    "assignments", __name__, url_prefix="/v1", tag="Assignments", description="Who holds which role."
)


@blueprint.route("/assignments")
class Assignments(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(AssignmentQuery, location="query")
    @blueprint.response(200, AssignmentListSchema)
    @blueprint.also_as("text/csv", listing.LISTED.header)
    @blueprint.also_as("application/x-ndjson", '{"user": {"username": "ingrid.solberg"}, "role": "clerk"}\n')
    @blueprint.operation("list_assignments")
    def get(self, query: AssignmentFilters) -> Response:
        """List assignments of all users

        Of users and service accounts, newest first; those that count now, unless `state` says otherwise. With
        `at`, as of that time. Requires `roles:read` as well. With `Accept: text/csv` or
        `application/x-ndjson` all matching assignments are streamed, without paging.
        """
        clearance, page, at = current_clearance(), page_request(query), past_moment(query)
        if form := wanted_form():
            return file_answer(listing.export_assignments(clearance, query, form, at), form, "assignments")
        return page_answer(listing.list_assignments(clearance, query, page, at))


@blueprint.route("/users/<user_id>/roles")
class UserRoles(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(RolesQuery, location="query")
    @blueprint.response(200, UserRolesSchema)
    @blueprint.also_as("text/csv", ASSIGNMENTS.header)
    @blueprint.also_as("application/x-ndjson", '{"role": "accountant", "mode": "active"}\n')
    @blueprint.operation("get_user_roles", UserNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], user_id: str) -> Response:
        """Read a user's roles

        Direct assignments, including those that start later or are eligible; the current effective roles with
        the assignments they come from; and the resulting permissions. Direct assignments are those at every
        domain, as far as they count where you may read users; the effective roles and permissions are those
        at `domain`. With `at`, as they were at that time.
        With `Accept: text/csv` or `application/x-ndjson` the direct assignments, one per row.
        """
        clearance = current_clearance()
        moment, domain = past_moment(query), query["domain"]
        found = service.get_user_roles(clearance, find_user_id(clearance, user_id), moment, domain)
        if form := wanted_form():
            return file_answer(export_roles(found, form), form, "roles")
        return json_answer(found)


@blueprint.route("/users/<user_id>/available-roles")
class AvailableRoles(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(AvailableRolesQuery, location="query")
    @blueprint.response(200, AvailableRoleListSchema)
    @blueprint.operation("list_available_roles", UserNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], user_id: str) -> Response:
        """List which roles I may assign to a user

        All roles by name, each with whether `PUT /v1/users/{user_id}/roles/{role}` with the domain alone
        would succeed now, and if not, what prevents it. A role that the user already has directly counts as
        possible where repeating the request would succeed. Requires `assignments:create` or `roles:read` as
        well.
        """
        clearance, page = current_clearance(), page_request(query)
        found = find_user_id(clearance, user_id)
        return page_answer(available_roles.list_available_roles(clearance, found, page, query["domain"]))


@blueprint.route("/users/<user_id>/roles/<role>")
class UserRole(MethodView):
    @requires("assignments:create", domain=HOME, recent=True)
    @blueprint.arguments(AssignSchema, required=False)
    @blueprint.response(200, AssignmentSchema)
    @blueprint.response(201, AssignmentSchema)
    @blueprint.operation(
        "assign_role",
        UserNotFound,
        RoleNotFound,
        DomainNotFound,
        RoleElsewhere,
        EscalationDenied,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def put(self, body: dict[str, object], user_id: str, role: str) -> Response:
        """Assign a role to a user

        It counts at `domain` and in every domain below, without one everywhere. You need `assignments:create`
        at the user's home and at that domain, and must hold every effective permission of the role there.
        Takes effect on the user's next request, or at `starts_at`, until `expires_at`; with `mode: eligible`
        only in sessions in which the user activates it. 201 if it is new; 200 if the user already had the
        role: fields that you send are changed, fields that you omit stay, null clears a reason or an end.
        """
        clearance = current_clearance()
        assignment, new = service.assign_role(clearance, user_id, role, Terms.read(body))
        return json_answer(assignment, 201 if new else 200)

    @requires("assignments:revoke", domain=HOME)
    @blueprint.arguments(PlaceQuery, location="query")
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
    def delete(self, query: dict[str, str], user_id: str, role: str) -> Response:
        """Revoke a role from a user

        The assignment at `domain`, without it that at `root`; others of the same role stay. Needs
        `assignments:revoke` at the user's home and at that domain. Takes effect on the user's next request,
        whatever the token says.
        """
        clearance = current_clearance()
        service.revoke_role(clearance, user_id, role, query["domain"])
        return empty_answer()
