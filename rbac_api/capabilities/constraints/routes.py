"""Constraints over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.constraints import service
from rbac_api.capabilities.constraints.answers import ConstraintBody
from rbac_api.capabilities.constraints.errors import (
    ConstraintNameTaken,
    ConstraintNotFound,
    ConstraintViolated,
)
from rbac_api.capabilities.constraints.schemas import (
    ConstraintCreateSchema,
    ConstraintListSchema,
    ConstraintSchema,
    ViolationListSchema,
)
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import (
    REPEATABLE,
    DomainNotFound,
    EscalationDenied,
    RoleElsewhere,
    RoleNotFound,
    TargetStronger,
)
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import AtQuery, PastPageQuery, past_moment
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint(
    "constraints",
    __name__,
    url_prefix="/v1/constraints",
    tag="Constraints",
    description="Separation of duty: which roles may come together.",
)


@blueprint.route("")
class Constraints(MethodView):
    @requires("constraints:read", domain=HOME)
    @blueprint.arguments(PastPageQuery, location="query")
    @blueprint.response(200, ConstraintListSchema)
    @blueprint.operation("list_constraints")
    def get(self, query: dict[str, object]) -> Response:
        """List constraints

        Ordered by name, each with its roles. With `at`, those in force at that time.
        """
        page, moment = page_request(query), past_moment(query)
        return page_answer(service.list_constraints(current_clearance(), page, moment))

    @requires("constraints:create", domain=HOME, recent=True)
    @blueprint.arguments(ConstraintCreateSchema)
    @blueprint.response(201, ConstraintSchema)
    @blueprint.operation(
        "create_constraint",
        ConstraintNameTaken,
        ConstraintViolated,
        DomainNotFound,
        RoleElsewhere,
        RoleNotFound,
        EscalationDenied,
        TargetStronger,
        *REPEATABLE,
    )
    def post(self, body: ConstraintBody) -> Response:
        """Create a constraint

        Takes effect at once: every change that would violate it is refused with 409. It is not created if a
        user already violates it; the answer lists who. You must hold every effective permission of its roles.
        With `home`, or in a session at a domain, the constraint is at home there: its name ends with `@` and
        the domain, and it is about roles at home there and below.
        """
        found = service.create_constraint(current_clearance(), body)
        return created_answer(found, f"/v1/constraints/{found['name']}")


@blueprint.route("/<constraint>")
class Constraint(MethodView):
    @requires("constraints:read", domain=HOME)
    @blueprint.arguments(AtQuery, location="query")
    @blueprint.response(200, ConstraintSchema)
    @blueprint.operation("get_constraint", ConstraintNotFound)
    def get(self, query: dict[str, object], constraint: str) -> Response:
        """Read one constraint

        Its kind, its roles in order, and its limit. With `at`, the one that had this name at that time.
        """
        return json_answer(service.get_constraint(current_clearance(), constraint, past_moment(query)))

    @requires("constraints:delete", domain=HOME, recent=True)
    @blueprint.response(204)
    @blueprint.operation("delete_constraint", ConstraintNotFound, EscalationDenied, TargetStronger)
    def delete(self, constraint: str) -> Response:
        """Delete a constraint

        The roles that it kept apart can then be combined, so you must hold every effective permission of its
        roles.
        """
        service.delete_constraint(current_clearance(), constraint)
        return empty_answer()


@blueprint.route("/<constraint>/violations")
class Violations(MethodView):
    @requires("constraints:read", domain=HOME)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, ViolationListSchema)
    @blueprint.operation("list_violations", ConstraintNotFound)
    def get(self, query: dict[str, object], constraint: str) -> Response:
        """List who violates a constraint

        Now and in the future. No change through this service can violate a constraint, so anything listed
        here was written directly to the database.
        """
        page = page_request(query)
        return page_answer(service.list_violations(current_clearance(), constraint, page))
