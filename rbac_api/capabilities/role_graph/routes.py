"""The role graph over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.role_graph import service
from rbac_api.capabilities.role_graph.answers import RoleGraphFilters
from rbac_api.capabilities.role_graph.pictures import diagram_of
from rbac_api.capabilities.role_graph.schemas import RoleGraphQuery, RoleGraphSchema
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.errors import AccessDenied, RoleNotFound
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.responses.json_response import json_answer
from rbac_api.web.responses.pictures import picture_answer, wanted_picture

blueprint = Blueprint(
    "role-graph", __name__, url_prefix="/v1/role-graph", tag="Access", description="Who may do what, and why."
)


@blueprint.route("")
class RoleGraph(MethodView):
    @requires("roles:read")
    @blueprint.arguments(RoleGraphQuery, location="query")
    @blueprint.response(200, RoleGraphSchema)
    @blueprint.drawn
    @blueprint.operation("get_role_graph", AccessDenied, RoleNotFound, UserNotFound)
    def get(self, query: RoleGraphFilters) -> Response:
        """Show roles and what they inherit

        All roles; with `role` that role, those that inherit it and those it inherits; with `user` (needs
        `users:read`) what that user was assigned and inherits. Give at most one of them. `Accept:
        image/svg+xml` draws it, at most 500 things; `text/vnd.mermaid` writes it as a Mermaid flowchart.
        Dashed arrows are roles to activate, or not begun yet.
        """
        answer = service.get_role_graph(current_clearance(), query)
        if media_type := wanted_picture():
            return picture_answer(diagram_of(answer), media_type)
        return json_answer(answer)
