"""The caller's own account over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.attempts.errors import AccountLocked
from rbac_api.capabilities.me import service
from rbac_api.capabilities.me.errors import CurrentPasswordWrong
from rbac_api.capabilities.me.schemas import EndSessionsQuery, MePatchSchema, MeSchema, PasswordChangeSchema
from rbac_api.capabilities.passwords.errors import PasswordRefused
from rbac_api.capabilities.second_factor import service as second_factor
from rbac_api.capabilities.second_factor.errors import (
    SecondFactorNeeded,
    TotpActive,
    TotpCodeWrong,
    TotpNotBegun,
    TotpNotFound,
)
from rbac_api.capabilities.second_factor.schemas import (
    RecoveryCodesSchema,
    TotpBeginSchema,
    TotpCodeSchema,
    TotpEnrolmentSchema,
)
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.schemas import OwnSessionListSchema
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.errors import TooManyAttempts
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.errors import REPEATABLE, HasherBusy, SigninTooOld
from rbac_api.guard.tokens.credentials import without_own_cookies
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer
from rbac_api.web.server.rate_limits import count_account, count_attempt

blueprint = Blueprint("me", __name__, url_prefix="/v1/me", tag="My account", description="Yourself.")


@blueprint.route("")
class Me(MethodView):
    @requires(temporary_password=True)
    @blueprint.response(200, MeSchema)
    @blueprint.operation("get_me")
    def get(self) -> Response:
        """Who am I

        Your account, your current effective roles and permissions, and this session.
        """
        return json_answer(service.get_me(current_clearance()))

    @requires(temporary_password=True)
    @blueprint.arguments(MePatchSchema)
    @blueprint.response(200, MeSchema)
    @blueprint.operation("update_me", TooManyAttempts, SigninTooOld)
    def patch(self, body: dict[str, object]) -> Response:
        """Change my profile

        Only the fields you send change. A new e-mail address requires a recent sign-in. Everything else about
        your account is managed by administrators.
        """
        count_account(current_clearance().actor.id)
        return json_answer(service.update_me(current_clearance(), body))


@blueprint.route("/password")
class MyPassword(MethodView):
    @requires(temporary_password=True)
    @blueprint.arguments(PasswordChangeSchema)
    @blueprint.response(204)
    @blueprint.operation(
        "change_my_password",
        CurrentPasswordWrong,
        PasswordRefused,
        HasherBusy,
        AccountLocked,
        TooManyAttempts,
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Change my password

        Requires the current password; a wrong one counts as a failed sign-in. Your other sessions end; this
        one continues.
        """
        count_attempt()
        service.change_my_password(current_clearance(), body["current_password"], body["new_password"])
        return empty_answer()


@blueprint.route("/totp")
class MyTotp(MethodView):
    @requires(recent=True)
    @blueprint.arguments(TotpBeginSchema)
    @blueprint.response(201, TotpEnrolmentSchema)
    @blueprint.operation(
        "enrol_totp",
        TotpActive,
        UserNotFound,
        CurrentPasswordWrong,
        HasherBusy,
        AccountLocked,
        TooManyAttempts,
        *REPEATABLE,
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Set up a second factor

        Requires the current password; a wrong one counts as a failed sign-in. Returns a secret for an
        authenticator app; it is shown only once. The factor is active once `POST /v1/me/totp/confirm` has
        proved, within ten minutes, that the app has the secret.
        """
        count_attempt()
        count_account(current_clearance().actor.id)
        begun = service.enrol_totp(current_clearance(), body["current_password"])
        return created_answer(begun, second_factor.LOCATION)

    @requires(recent=True)
    @blueprint.response(204)
    @blueprint.operation("remove_totp", TooManyAttempts, TotpNotFound, SecondFactorNeeded, UserNotFound)
    def delete(self) -> Response:
        """Remove my second factor

        Requires a session that was started with the second factor. Your other sessions end; this one
        continues without a second factor.
        """
        count_account(current_clearance().actor.id)
        service.remove_totp(current_clearance())
        return empty_answer()


@blueprint.route("/totp/confirm")
class MyTotpConfirmation(MethodView):
    @requires(recent=True)
    @blueprint.arguments(TotpCodeSchema)
    @blueprint.response(200, RecoveryCodesSchema)
    @blueprint.operation(
        "confirm_totp", TotpActive, TotpNotBegun, TotpCodeWrong, UserNotFound, AccountLocked, TooManyAttempts
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Confirm my second factor

        From now on, signing in requires `otp`. A wrong code counts as a failed sign-in. Returns ten recovery
        codes for a lost device; they are shown only once. Existing sessions remain without a second factor:
        sign in again to get one with it.
        """
        count_attempt()
        codes = second_factor.confirm_totp(current_clearance(), body["code"])
        return json_answer({"recovery_codes": codes})


@blueprint.route("/sessions")
class MySessions(MethodView):
    @requires()
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, OwnSessionListSchema)
    @blueprint.operation("list_my_sessions")
    def get(self, query: dict[str, object]) -> Response:
        """List my active sessions

        The session of this request is marked `current`.
        """
        return page_answer(sessions.list_own_sessions(current_clearance(), page_request(query)))

    @requires()
    @blueprint.arguments(EndSessionsQuery, location="query")
    @blueprint.response(204)
    @blueprint.operation("end_my_sessions")
    def delete(self, query: dict[str, object]) -> Response:
        """Sign out everywhere

        Ends all your active sessions; with `keep=current` all except the one of this request. In browser mode
        the cookies of an ended session are removed.
        """
        keep_current = query.get("keep") == "current"
        sessions.end_own_sessions(current_clearance(), keep_current=keep_current)
        return empty_answer() if keep_current else without_own_cookies(request, empty_answer())


@blueprint.route("/sessions/<uuid:session_id>")
class MySession(MethodView):
    @requires()
    @blueprint.response(204)
    @blueprint.operation("end_my_session", SessionNotFound)
    def delete(self, session_id: UUID) -> Response:
        """End one of my sessions

        Its tokens are refused from the next request on. Ending an ended session changes nothing. Ending the
        session of this request in browser mode removes the cookies.
        """
        clearance = current_clearance()
        sessions.end_own_session(clearance, str(session_id))
        is_current = str(session_id) == clearance.actor.session_id
        return without_own_cookies(request, empty_answer()) if is_current else empty_answer()
