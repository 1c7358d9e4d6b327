"""Service accounts over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.assignments.errors import AssignmentNotFound
from rbac_api.capabilities.assignments.schemas import (
    AssignmentSchema,
    AssignSchema,
    PlaceQuery,
    RolesQuery,
    UserRolesSchema,
)
from rbac_api.capabilities.assignments.service import ASSIGNMENTS, Terms, export_roles
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.service_accounts import service
from rbac_api.capabilities.service_accounts.answers import ServiceAccountFilters
from rbac_api.capabilities.service_accounts.errors import (
    ClientSecretNotFound,
    ServiceAccountNameTaken,
    ServiceAccountNotFound,
    TooManySecrets,
)
from rbac_api.capabilities.service_accounts.schemas import (
    ClientSecretCreateSchema,
    CreatedClientSecretSchema,
    ServiceAccountCreateSchema,
    ServiceAccountDetailSchema,
    ServiceAccountListSchema,
    ServiceAccountPatchSchema,
    ServiceAccountQuery,
)
from rbac_api.capabilities.service_accounts.service import find_account_id
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
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.requests.etags import required_tags, tagged
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

ROOT = "/v1/service-accounts"
blueprint = Blueprint(
    "service_accounts",
    __name__,
    url_prefix=ROOT,
    tag="Service accounts",
    description="Programs that sign in.",
)
_NEW = {"name": "invoice-robot", "description": "Sends the invoices at night"}


@blueprint.route("")
class ServiceAccounts(MethodView):
    @requires("service-accounts:read", domain=HOME)
    @blueprint.arguments(ServiceAccountQuery, location="query")
    @blueprint.response(200, ServiceAccountListSchema)
    @blueprint.operation("list_service_accounts")
    def get(self, query: ServiceAccountFilters) -> Response:
        """List service accounts

        Ordered by name. `q` finds a text anywhere in name or description, without regard to case and accents.
        """
        page = page_request(query)
        return page_answer(service.list_service_accounts(current_clearance(), query, page))

    @requires("service-accounts:create", domain=HOME)
    @blueprint.tagged
    @blueprint.arguments(ServiceAccountCreateSchema, example=_NEW)
    @blueprint.response(201, ServiceAccountDetailSchema)
    @blueprint.operation("create_service_account", ServiceAccountNameTaken, DomainNotFound, *REPEATABLE)
    def post(self, body: dict[str, Any]) -> Response:
        """Create a service account

        A new account has no role and no secret, so it cannot sign in yet. Its `client_id` is its `id`.
        """
        account, version = service.create_service_account(
            current_clearance(), body["name"], body.get("description"), body.get("home")
        )
        return created_answer(account, f"{ROOT}/{account['id']}", {"ETag": f'"{tag_of(account, version)}"'})


@blueprint.route("/<account_id>")
class ServiceAccount(MethodView):
    @requires("service-accounts:read", domain=HOME)
    @blueprint.tagged
    @blueprint.response(200, ServiceAccountDetailSchema)
    @blueprint.operation("get_service_account", ServiceAccountNotFound)
    def get(self, account_id: str) -> Response:
        """Read one service account

        With the metadata of its secrets: when each was created, expires and was last used. Use the ETag of
        the answer in If-Match to change or delete the account.
        """
        clearance = current_clearance()
        account, version = service.get_service_account(clearance, find_account_id(clearance, account_id))
        return tagged(json_answer(account), account, version)

    @requires("service-accounts:update", domain=HOME)
    @blueprint.tagged
    @blueprint.conditional
    @blueprint.arguments(ServiceAccountPatchSchema, example={"description": "Sends invoices and reminders"})
    @blueprint.response(200, ServiceAccountDetailSchema)
    @blueprint.operation("update_service_account", ServiceAccountNotFound, DomainNotFound, TargetStronger)
    def patch(self, body: dict[str, object], account_id: str) -> Response:
        """Change, disable or enable a service account

        Requires the ETag in If-Match. Disabling ends every session at once, and no secret works until the
        account is enabled again.
        """
        clearance = current_clearance()
        account, version = service.update_service_account(
            clearance, find_account_id(clearance, account_id), required_tags(), body
        )
        return tagged(json_answer(account), account, version)

    @requires("service-accounts:delete", domain=HOME)
    @blueprint.conditional
    @blueprint.response(204)
    @blueprint.operation("delete_service_account", ServiceAccountNotFound, TargetStronger)
    def delete(self, account_id: str) -> Response:
        """Delete a service account

        Requires the ETag in If-Match. Ends its sessions, secrets and assignments. Neither the id nor the name
        can be used again; the audit trail keeps its entries.
        """
        clearance = current_clearance()
        service.delete_service_account(clearance, find_account_id(clearance, account_id), required_tags())
        return empty_answer()


@blueprint.route("/<account_id>/secrets")
class ClientSecrets(MethodView):
    @requires("service-accounts:update", domain=HOME, recent=True)
    @blueprint.arguments(ClientSecretCreateSchema, required=False)
    @blueprint.response(201, CreatedClientSecretSchema)
    @blueprint.operation(
        "create_client_secret",
        ServiceAccountNotFound,
        TooManySecrets,
        TargetStronger,
        EscalationDenied,
        *REPEATABLE,
    )
    def post(self, body: dict[str, Any], account_id: str) -> Response:
        """Create a client secret

        The secret is shown only once. An account can have up to five at a time, so that one can be replaced
        without downtime. It is valid for no longer than you hold what the account holds.
        """
        clearance = current_clearance()
        found = find_account_id(clearance, account_id)
        made = service.create_client_secret(clearance, found, body.get("expires_at"))
        return created_answer(made, f"{ROOT}/{found}/secrets/{made['id']}")


@blueprint.route("/<account_id>/secrets/<uuid:secret_id>")
class ClientSecret(MethodView):
    @requires("service-accounts:update", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation(
        "withdraw_client_secret", ServiceAccountNotFound, ClientSecretNotFound, TargetStronger
    )
    def delete(self, account_id: str, secret_id: UUID) -> Response:
        """Withdraw a client secret

        The secret stops working, and every session started with it ends: its tokens are refused from the next
        request on.
        """
        clearance = current_clearance()
        service.withdraw_client_secret(clearance, find_account_id(clearance, account_id), str(secret_id))
        return empty_answer()


@blueprint.route("/<account_id>/roles")
class ServiceAccountRoles(MethodView):
    @requires("service-accounts:read", domain=HOME)
    @blueprint.arguments(RolesQuery, location="query")
    @blueprint.response(200, UserRolesSchema)
    @blueprint.also_as("text/csv", ASSIGNMENTS.header)
    @blueprint.also_as("application/x-ndjson", '{"role": "accountant", "mode": "active"}\n')
    @blueprint.operation("get_service_account_roles", ServiceAccountNotFound, DomainNotFound)
    def get(self, query: dict[str, Any], account_id: str) -> Response:
        """Read a service account's roles

        Direct assignments at every domain, and the effective roles at `domain` with the assignments they come
        from.
        """
        moment, clearance = past_moment(query), current_clearance()
        account = find_account_id(clearance, account_id)
        found = service.get_service_account_roles(clearance, account, moment, query["domain"])
        if form := wanted_form():
            return file_answer(export_roles(found, form), form, "roles")
        return json_answer(found)


@blueprint.route("/<account_id>/roles/<role>")
class ServiceAccountRole(MethodView):
    @requires("assignments:create", domain=HOME, recent=True)
    @blueprint.arguments(AssignSchema, required=False)
    @blueprint.response(200, AssignmentSchema)
    @blueprint.response(201, AssignmentSchema)
    @blueprint.operation(
        "assign_service_account_role",
        ServiceAccountNotFound,
        RoleNotFound,
        DomainNotFound,
        RoleElsewhere,
        EscalationDenied,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def put(self, body: dict[str, object], account_id: str, role: str) -> Response:
        """Assign a role to a service account

        It counts at `domain` and in every domain below, without one everywhere. You need `assignments:create`
        at the account's home and at that domain, and must hold every effective permission of the role there.
        Takes effect on the account's next request, or at `starts_at`, until `expires_at`. 201 if it is new;
        200 if the account already had it: fields that you send are changed.
        """
        clearance = current_clearance()
        assignment, new = service.assign_service_account_role(
            clearance, find_account_id(clearance, account_id), role, Terms.read(body)
        )
        return json_answer(assignment, 201 if new else 200)

    @requires("assignments:revoke", domain=HOME)
    @blueprint.arguments(PlaceQuery, location="query")
    @blueprint.response(204)
    @blueprint.operation(
        "revoke_service_account_role",
        ServiceAccountNotFound,
        RoleNotFound,
        AssignmentNotFound,
        TargetStronger,
        LastAdministrator,
        ConstraintViolated,
    )
    def delete(self, query: dict[str, str], account_id: str, role: str) -> Response:
        """Revoke a role from a service account

        The assignment at `domain`, without it that at `root`; others of the same role stay. Needs
        `assignments:revoke` at the account's home and at that domain. Takes effect on the account's next
        request, whatever its token says.
        """
        clearance = current_clearance()
        account = find_account_id(clearance, account_id)
        service.revoke_service_account_role(clearance, account, role, query["domain"])
        return empty_answer()
