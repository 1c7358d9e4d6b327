"""Sessions over HTTP."""

from __future__ import annotations

from uuid import UUID

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.sessions import bulk_revocation as fleet
from rbac_api.capabilities.sessions import exports, service
from rbac_api.capabilities.sessions.answers import SessionFilters
from rbac_api.capabilities.sessions.errors import SessionNotFound, SessionsCountDiffers
from rbac_api.capabilities.sessions.schemas import (
    RefreshTokenListSchema,
    SessionInsideSchema,
    SessionListSchema,
    SessionQuery,
    SessionsRevocationSchema,
    SessionsRevokedSchema,
)
from rbac_api.capabilities.sessions.serializers import REFRESH_TOKENS, SESSIONS
from rbac_api.capabilities.sessions.session_access import get_session_inside, get_timeline
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import TargetStronger
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.requests.as_of import past_moment
from rbac_api.web.responses.exports import file_answer, wanted_form
from rbac_api.web.responses.json_response import empty_answer, json_answer
from rbac_api.web.responses.pictures import picture_answer, wanted_picture

blueprint = Blueprint(
    "sessions", __name__, url_prefix="/v1/sessions", tag="Sessions", description="Who is signed in."
)


@blueprint.route("")
class Sessions(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.arguments(SessionQuery, location="query")
    @blueprint.response(200, SessionListSchema)
    @blueprint.also_as("text/csv", SESSIONS.header)
    @blueprint.also_as(
        "application/x-ndjson", '{"user": {"username": "ingrid.solberg"}, "state": "active"}\n'
    )
    @blueprint.operation("list_sessions")
    def get(self, query: SessionFilters) -> Response:
        """List sessions of all users

        Active ones unless `state` says otherwise, newest first. Ended sessions stay listed for the retention
        time, with the reason and who ended them. Those of users at home where you hold `sessions:read`. With
        `at`, as they were at that time. `role` requires `roles:read` at `root` as well, since it tells who
        has the role. With `Accept: text/csv` or `application/x-ndjson` all matching sessions are streamed,
        without paging.
        """
        clearance, page, at = current_clearance(), page_request(query), past_moment(query)
        if form := wanted_form():
            return file_answer(exports.export_sessions(clearance, query, form, at), form, "sessions")
        return page_answer(service.list_sessions(clearance, query, page, at))


@blueprint.route("/revocations")
class SessionRevocations(MethodView):
    @requires("sessions:revoke", domain=HOME)
    @blueprint.arguments(SessionsRevocationSchema)
    @blueprint.response(200, SessionsRevokedSchema)
    @blueprint.operation("revoke_sessions", SessionsCountDiffers, TargetStronger)
    def post(self, body: dict[str, object]) -> Response:
        """Revoke many sessions at once

        Ends every active session that matches the filter, including your own, of users at home where you
        hold `sessions:revoke`. All or none: nothing ends if
        the number differs from `expected_count`, or if a session belongs to a user with more permissions than
        you. Tokens are refused from the next request on, everywhere. First get the count from `GET
        /v1/sessions` or with `dry_run`, then send it as `expected_count`. Counting needs `sessions:read`:
        without it `dry_run` and an `expected_count` of 0 are refused, and no answer contains a number other
        than that of the sessions it ended. The filter `role` requires `roles:read`.
        """
        return json_answer(fleet.revoke_sessions(current_clearance(), body))


@blueprint.route("/<uuid:session_id>")
class Session(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.response(200, SessionInsideSchema)
    @blueprint.drawn
    @blueprint.operation("get_session", SessionNotFound)
    def get(self, session_id: UUID) -> Response:
        """Read one session

        Active or ended: start, address, app, how it ended, and the roles and permissions that are currently
        effective in it. `Accept: image/svg+xml` draws its timeline: the sign-in, the refreshes by address,
        and the end; `text/vnd.mermaid` writes it as a Mermaid flowchart.
        """
        if media_type := wanted_picture():
            return picture_answer(get_timeline(current_clearance(), str(session_id)), media_type)
        return json_answer(get_session_inside(current_clearance(), str(session_id)))

    @requires("sessions:revoke", domain=HOME)
    @blueprint.response(204)
    @blueprint.operation("end_session", SessionNotFound, TargetStronger)
    def delete(self, session_id: UUID) -> Response:
        """Revoke a session

        Its access and refresh tokens are refused from the next request on, everywhere. Revoking an ended
        session changes nothing.
        """
        service.end_session(current_clearance(), str(session_id))
        return empty_answer()


@blueprint.route("/<uuid:session_id>/refresh-tokens")
class RefreshTokens(MethodView):
    @requires("sessions:read", domain=HOME)
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, RefreshTokenListSchema)
    @blueprint.also_as("text/csv", REFRESH_TOKENS.header)
    @blueprint.also_as("application/x-ndjson", '{"generation": 1, "ip": "203.0.113.7"}\n')
    @blueprint.operation("list_refresh_tokens", SessionNotFound)
    def get(self, query: dict[str, object], session_id: UUID) -> Response:
        """List a session's refresh tokens

        One record per rotation: its `jti`, when it was issued and used, what replaced it, and the client
        address; never the token itself. With `Accept: text/csv` or `application/x-ndjson` all of them are
        streamed.
        """
        page, known = page_request(query), str(session_id)
        if form := wanted_form():
            stream = exports.export_refresh_tokens(current_clearance(), known, form)
            return file_answer(stream, form, "refresh-tokens")
        return page_answer(service.list_refresh_tokens(current_clearance(), known, page))
