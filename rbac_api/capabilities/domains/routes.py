"""Domains over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.domains import own_domains, service
from rbac_api.capabilities.domains.answers import DomainBody, DomainFilters
from rbac_api.capabilities.domains.errors import DomainBuiltIn, DomainInUse, DomainNameTaken
from rbac_api.capabilities.domains.schemas import (
    DomainCreateSchema,
    DomainListSchema,
    DomainNameListSchema,
    DomainPatchSchema,
    DomainQuery,
    DomainSchema,
    MyDomainsQuery,
)
from rbac_api.capabilities.permissions.errors import PermissionNotFound
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import REPEATABLE, DomainNotFound
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint("domains", __name__, url_prefix="/v1", tag="Domains", description="Where roles count.")


@blueprint.route("/domains")
class Domains(MethodView):
    @requires("domains:read", domain=HOME)
    @blueprint.arguments(DomainQuery, location="query")
    @blueprint.response(200, DomainListSchema)
    @blueprint.operation("list_domains", DomainNotFound)
    def get(self, query: DomainFilters) -> Response:
        """List domains

        `root`, then the others by name; with `under` a domain and all that are in it. Those in which you hold
        `domains:read`.
        """
        return page_answer(service.list_domains(current_clearance(), query, page_request(query)))

    @requires("domains:create", domain=HOME)
    @blueprint.arguments(DomainCreateSchema)
    @blueprint.response(201, DomainSchema)
    @blueprint.operation("create_domain", DomainNotFound, DomainNameTaken, *REPEATABLE)
    def post(self, body: DomainBody) -> Response:
        """Create a domain

        Its name is its path: `acme.eu` is in `acme`, which has to exist. Nothing counts there but what counts
        in `acme`, until a role is assigned at `acme.eu`. A name never changes. Who may create domains at
        `acme` may create those in it.
        """
        domain = service.create_domain(current_clearance(), body)
        return created_answer(domain, f"/v1/domains/{domain['name']}")


@blueprint.route("/domains/<domain>")
class Domain(MethodView):
    @requires("domains:read", domain=HOME)
    @blueprint.response(200, DomainSchema)
    @blueprint.operation("get_domain", DomainNotFound)
    def get(self, domain: str) -> Response:
        """Read one domain

        Its place in the tree, and what it is for.
        """
        return json_answer(service.get_domain(current_clearance(), domain))

    @requires("domains:update", domain=HOME)
    @blueprint.arguments(DomainPatchSchema)
    @blueprint.response(200, DomainSchema)
    @blueprint.operation("update_domain", DomainNotFound, DomainBuiltIn)
    def patch(self, body: dict[str, Any], domain: str) -> Response:
        """Change a domain

        Changes title and description. Requires the permission in the domain that this one is directly in.
        """
        return json_answer(service.update_domain(current_clearance(), domain, body))

    @requires("domains:delete", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation("delete_domain", DomainNotFound, DomainBuiltIn, DomainInUse)
    def delete(self, domain: str) -> Response:
        """Delete a domain

        Refused while another domain is in it, or an assignment at it counts now or later. Requires the
        permission in the domain that this one is directly in.
        """
        service.delete_domain(current_clearance(), domain)
        return empty_answer()


@blueprint.route("/me/domains")
class MyDomains(MethodView):
    @requires()
    @blueprint.arguments(MyDomainsQuery, location="query")
    @blueprint.response(200, DomainNameListSchema)
    @blueprint.operation("list_my_domains", PermissionNotFound)
    def get(self, query: dict[str, Any]) -> Response:
        """List the domains where I may do something

        `root` first, where you may do it everywhere, then the others by name; in this session. A page may
        hold fewer than `limit` entries although more follow; go by `next`.
        """
        page = page_request(query)
        return page_answer(own_domains.list_my_domains(current_clearance(), query["permission"], page))
