"""Sessions over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.sessions import service
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.schemas import (
    RefreshTokenListSchema,
    SessionListSchema,
    SessionQuery,
    SessionSchema,
)
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.errors import TargetStronger
from rbac_api.guard.requires import requires
from rbac_api.web.answers import empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.fields import PageQuery
from rbac_api.web.pagination import page_answer, page_request

blueprint = Blueprint(
    "sessions", __name__, url_prefix="/v1/sessions", tag="Sessions", description="Who is signed in."
)


@blueprint.route("")
class Sessions(MethodView):
    @requires("sessions:read")
    @blueprint.arguments(SessionQuery, location="query")
    @blueprint.response(200, SessionListSchema)
    @blueprint.operation("list_sessions")
    def get(self, query: dict[str, Any]) -> Response:
        """List sessions of all users

        Active ones unless `state` says otherwise, newest first. Ended ones stay listed for the retention time, with the reason and who
        ended them.
        """
        page = page_request(query)
        return page_answer(service.list_sessions(current_clearance(), query, page))


@blueprint.route("/<uuid:session_id>")
class Session(MethodView):
    @requires("sessions:read")
    @blueprint.response(200, SessionSchema)
    @blueprint.operation("get_session", SessionNotFound)
    def get(self, session_id: Any) -> Response:
        """Read one session

        Active or ended: since when, from where, with which app, and how it ended.
        """
        return json_answer(service.get_session(current_clearance(), str(session_id)))

    @requires("sessions:revoke")
    @blueprint.response(204)
    @blueprint.operation("end_session", SessionNotFound, TargetStronger)
    def delete(self, session_id: Any) -> Response:
        """Revoke a session

        Its access and refresh tokens are refused from the next request on, everywhere. Revoking an ended session changes nothing.
        """
        service.end_session(current_clearance(), str(session_id))
        return empty_answer()


@blueprint.route("/<uuid:session_id>/refresh-tokens")
class RefreshTokens(MethodView):
    @requires("sessions:read")
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, RefreshTokenListSchema)
    @blueprint.operation("list_refresh_tokens", SessionNotFound)
    def get(self, query: dict[str, Any], session_id: Any) -> Response:
        """List a session's refresh-token records

        Every rotation: which record replaced which, when it was issued and spent, and from which address. Never a token.
        """
        return page_answer(
            service.list_refresh_tokens(current_clearance(), str(session_id), page_request(query))
        )
