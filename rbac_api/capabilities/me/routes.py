"""One's own account over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.me import service
from rbac_api.capabilities.me.errors import CurrentPasswordWrong
from rbac_api.capabilities.me.schemas import MePatchSchema, MeSchema, PasswordChangeSchema
from rbac_api.capabilities.passwords.errors import HasherBusy, PasswordRefused
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.schemas import OwnSessionListSchema
from rbac_api.errors import TooManyAttempts
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.requires import requires
from rbac_api.web.answers import empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.fields import PageQuery
from rbac_api.web.limits import count_attempt
from rbac_api.web.pagination import page_answer, page_request

blueprint = Blueprint("me", __name__, url_prefix="/v1/me", tag="My account", description="Yourself.")


@blueprint.route("")
class Me(MethodView):
    @requires(temporary_password=True)
    @blueprint.response(200, MeSchema)
    @blueprint.operation("get_me")
    def get(self) -> Response:
        """Who am I

        Your account, your effective roles and permissions at this moment, and this session.
        """
        return json_answer(service.get_me(current_clearance()))

    @requires(temporary_password=True)
    @blueprint.arguments(MePatchSchema)
    @blueprint.response(200, MeSchema)
    @blueprint.operation("update_me")
    def patch(self, body: dict[str, Any]) -> Response:
        """Change my profile

        Only what you send changes. Everything else about your account is for those who manage users.
        """
        return json_answer(service.update_me(current_clearance(), body))


@blueprint.route("/password")
class MyPassword(MethodView):
    @requires(temporary_password=True)
    @blueprint.arguments(PasswordChangeSchema)
    @blueprint.response(204)
    @blueprint.operation(
        "change_my_password", CurrentPasswordWrong, PasswordRefused, HasherBusy, TooManyAttempts
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Change my password

        Needs the present one. Every other session of yours ends; this one goes on.
        """
        count_attempt()
        service.change_my_password(current_clearance(), body["current_password"], body["new_password"])
        return empty_answer()


@blueprint.route("/sessions")
class MySessions(MethodView):
    @requires()
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, OwnSessionListSchema)
    @blueprint.operation("list_my_sessions")
    def get(self, query: dict[str, Any]) -> Response:
        """List my active sessions

        The session of this request is marked `current`.
        """
        return page_answer(sessions.list_own_sessions(current_clearance(), page_request(query)))


@blueprint.route("/sessions/<uuid:session_id>")
class MySession(MethodView):
    @requires()
    @blueprint.response(204)
    @blueprint.operation("end_my_session", SessionNotFound)
    def delete(self, session_id: Any) -> Response:
        """End one of my sessions

        Signs you out there, from the next request on. Ending an ended session changes nothing.
        """
        sessions.end_own_session(current_clearance(), str(session_id))
        return empty_answer()
