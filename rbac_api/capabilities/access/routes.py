"""Access reviews over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.access import service
from rbac_api.capabilities.access.answers import DiffFilters
from rbac_api.capabilities.access.errors import DecisionNotFound
from rbac_api.capabilities.access.pictures import diagram_of
from rbac_api.capabilities.access.schemas import (
    AccessQuery,
    AccessSchema,
    DecisionSchema,
    DiffQuery,
    DiffSchema,
    HeldPermissionListSchema,
    HolderListSchema,
    HoldersQuery,
    MembersQuery,
    MyAccessQuery,
    MyPermissionsQuery,
    PermissionsQuery,
    UserAccessQuery,
    UserPermissionsQuery,
)
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.capabilities.service_accounts.service import find_account_id
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.capabilities.users.service import find_user_id
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import AccessDenied, DomainNotFound, RoleNotFound
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import json_answer
from rbac_api.web.responses.pictures import picture_answer, wanted_picture

blueprint = Blueprint(
    "access", __name__, url_prefix="/v1", tag="Access", description="Who may do what, and why."
)


def _asked(query: dict[str, Any]) -> service.Circumstances:
    return service.Circumstances(past_moment(query), query["domain"], query.get("second_factor", True))


@blueprint.route("/users/<user_id>/access")
class UserAccess(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(UserAccessQuery, location="query")
    @blueprint.response(200, AccessSchema)
    @blueprint.drawn
    @blueprint.operation("get_user_access", UserNotFound, PermissionNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], user_id: str) -> Response:
        """May a user do something, and why

        Every path that grants the permission, each step with who made it, when, why, and until when. If
        denied: what prevents it, and the smallest roles that would grant it and that you may assign.
        Evaluated as in a new session with every role that can be active in it: with a second factor, whether
        or not the user has one, or with `second_factor=false` without; `second_factor` in the answer says
        which. With `at`, as of that time. `Accept: image/svg+xml` draws the paths; `text/vnd.mermaid` writes
        them as a Mermaid flowchart.
        """
        clearance, asked = current_clearance(), _asked(query)
        found, permission = find_user_id(clearance, user_id), query["permission"]
        answer = service.get_user_access(clearance, found, permission, asked)
        if media_type := wanted_picture():
            username = service.get_username(clearance, found)
            return picture_answer(diagram_of(username, permission, answer), media_type)
        return json_answer(answer)


@blueprint.route("/service-accounts/<account_id>/access")
class ServiceAccountAccess(MethodView):
    @requires("service-accounts:read", domain=HOME)
    @blueprint.arguments(AccessQuery, location="query")
    @blueprint.response(200, AccessSchema)
    @blueprint.operation(
        "get_service_account_access", ServiceAccountNotFound, PermissionNotFound, DomainNotFound
    )
    def get(self, query: dict[str, Any], account_id: str) -> Response:
        """May a service account do something, and why

        As for users. A service account has no second factor, so roles that require one are not effective.
        """
        asked, clearance = _asked(query), current_clearance()
        found = find_account_id(clearance, account_id)
        return json_answer(service.get_service_account_access(clearance, found, query["permission"], asked))


@blueprint.route("/me/access")
class MyAccess(MethodView):
    @requires()
    @blueprint.arguments(MyAccessQuery, location="query")
    @blueprint.response(200, AccessSchema)
    @blueprint.operation("get_my_access", PermissionNotFound, DomainNotFound)
    def get(self, query: dict[str, Any]) -> Response:
        """May I do something, and why

        In this session: with its active roles, and the second factor if it was started with one.
        """
        return json_answer(
            service.get_my_access(current_clearance(), query["permission"], query.get("domain"))
        )


@blueprint.route("/users/<user_id>/permissions")
class UserPermissions(MethodView):
    @requires("users:read", domain=HOME)
    @blueprint.arguments(UserPermissionsQuery, location="query")
    @blueprint.response(200, HeldPermissionListSchema)
    @blueprint.operation("list_user_permissions", UserNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], user_id: str) -> Response:
        """List everything a user may do

        By name: exactly the permissions that `GET /v1/users/{user_id}/access` allows, each with every path
        that grants it. Evaluated as in a new session, like there. Where permissions have very many paths, a
        page may hold fewer than `limit` entries although more follow; go by `next`.
        """
        clearance, asked, page = current_clearance(), _asked(query), page_request(query)
        found = find_user_id(clearance, user_id)
        return page_answer(service.list_user_permissions(clearance, found, asked, page))


@blueprint.route("/service-accounts/<account_id>/permissions")
class ServiceAccountPermissions(MethodView):
    @requires("service-accounts:read", domain=HOME)
    @blueprint.arguments(PermissionsQuery, location="query")
    @blueprint.response(200, HeldPermissionListSchema)
    @blueprint.operation("list_service_account_permissions", ServiceAccountNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], account_id: str) -> Response:
        """List everything a service account may do

        As for users. A service account has no second factor, so roles that require one are not effective.
        """
        clearance, asked, page = current_clearance(), _asked(query), page_request(query)
        found = find_account_id(clearance, account_id)
        return page_answer(service.list_service_account_permissions(clearance, found, asked, page))


@blueprint.route("/me/permissions")
class MyPermissions(MethodView):
    @requires()
    @blueprint.arguments(MyPermissionsQuery, location="query")
    @blueprint.response(200, HeldPermissionListSchema)
    @blueprint.operation("list_my_permissions", UserNotFound, DomainNotFound)
    def get(self, query: dict[str, Any]) -> Response:
        """List everything I may do

        In this session: with its active roles, and the second factor if it was started with one. With `at`,
        as of that time in a new session, with a second factor if this session has one.
        """
        clearance, page = current_clearance(), page_request(query)
        asked = _asked({"domain": clearance.session_domain, **query})
        return page_answer(service.list_my_permissions(clearance, asked, page))


@blueprint.route("/access/diff")
class AccessDiff(MethodView):
    @requires()
    @blueprint.arguments(DiffQuery, location="query")
    @blueprint.response(200, DiffSchema)
    @blueprint.operation("diff_access", AccessDenied, UserNotFound, RoleNotFound, DomainNotFound)
    def get(self, query: DiffFilters) -> Response:
        """Compare access at two points in time

        The permissions that a `user` (needs `users:read`) or a `role` (needs `roles:read`) gained and lost
        between two points in time, each with the event that caused it. Give exactly one of `user` and `role`:
        neither, or both, is 422 `field.either`.
        """
        return json_answer(service.diff_access(current_clearance(), query))


@blueprint.route("/decisions/<uuid:decision_id>")
class Decision(MethodView):
    @requires()
    @blueprint.response(200, DecisionSchema)
    @blueprint.operation("get_decision", DecisionNotFound)
    def get(self, decision_id: UUID) -> Response:
        """Explain a refusal

        Explains a 403 by its `decision_id`, with the state of that time: one of your own, or with
        `audit:read` that of any user.
        """
        return json_answer(service.get_decision(current_clearance(), str(decision_id)))


@blueprint.route("/roles/<role>/members")
class RoleMembers(MethodView):
    @requires("roles:read")
    @blueprint.arguments(MembersQuery, location="query")
    @blueprint.response(200, HolderListSchema)
    @blueprint.also_as("text/csv", service.HOLDERS.header)
    @blueprint.also_as("application/x-ndjson", '{"user": {"username": "ingrid.solberg"}, "direct": true}\n')
    @blueprint.operation("list_role_members", RoleNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], role: str) -> Response:
        """List members of a role

        Users and service accounts by name, whatever their account status: those to whom the role is assigned
        and, with `effective=true`, those who inherit it. With `at`, as of that time.
        """
        clearance, asked, page = current_clearance(), _asked(query), page_request(query)
        listing = service.list_role_members(clearance, role, asked, effective=query["effective"])
        if form := wanted_form():
            return file_answer(service.export_accounts(clearance, listing, form), form, "members")
        return page_answer(service.page_of_accounts(clearance, listing, page))


@blueprint.route("/permissions/<permission>/holders")
class PermissionHolders(MethodView):
    @requires("permissions:read")
    @blueprint.arguments(HoldersQuery, location="query")
    @blueprint.response(200, HolderListSchema)
    @blueprint.also_as("text/csv", service.HOLDERS.header)
    @blueprint.also_as("application/x-ndjson", '{"user": {"username": "ingrid.solberg"}, "direct": true}\n')
    @blueprint.operation("list_permission_holders", PermissionNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], permission: str) -> Response:
        """List holders of a permission

        Users and service accounts by name: exactly those whom `GET /v1/users/{user_id}/access` allows. With
        `eligible=true` also those who would first have to activate a role; with `at`, as of that time. Where
        more than 10,000 accounts with an assigned role have to be passed over, because their roles exclude
        each other or they were disabled then, a page may hold fewer than `limit` entries although more
        follow; go by `next`. `total` is exact up to 2,000 accounts; beyond that it counts them too.
        """
        clearance, asked, page = current_clearance(), _asked(query), page_request(query)
        listing = service.list_permission_holders(clearance, permission, asked, eligible=query["eligible"])
        if form := wanted_form():
            return file_answer(service.export_accounts(clearance, listing, form), form, "holders")
        return page_answer(service.page_of_accounts(clearance, listing, page))
