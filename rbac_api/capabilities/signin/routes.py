"""Signing in over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.passwords.errors import HasherBusy, PasswordRefused
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.sessions.service import Origin
from rbac_api.capabilities.signin import service
from rbac_api.capabilities.signin.errors import LoginFailed
from rbac_api.capabilities.signin.schemas import (
    LoginSchema,
    PasswordSetupUseSchema,
    RefreshSchema,
    TokensSchema,
)
from rbac_api.capabilities.users import service as users
from rbac_api.capabilities.users.errors import SetupTokenInvalid
from rbac_api.database.constraints import DatabaseDown
from rbac_api.errors import TooManyAttempts
from rbac_api.guard.bearer import credentials
from rbac_api.guard.clearance import current_clearance
from rbac_api.guard.errors import TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from rbac_api.guard.keyring import KEY_PROBLEMS
from rbac_api.guard.requires import public, requires
from rbac_api.trail.recorder import TrailUnavailable
from rbac_api.web.answers import empty_answer, json_answer
from rbac_api.web.blueprint import Blueprint
from rbac_api.web.limits import count_attempt

blueprint = Blueprint("signin", __name__, url_prefix="/v1/auth", tag="Sign-in", description="Tokens.")
_OUTAGES = (DatabaseDown, TrailUnavailable)
FIRST_PARTY = "first-party"
_UNCACHED = {"Cache-Control": "no-store"}


@blueprint.route("/login")
class Login(MethodView):
    @public
    @blueprint.arguments(LoginSchema)
    @blueprint.response(200, TokensSchema)
    @blueprint.operation("login", LoginFailed, TooManyAttempts, HasherBusy, *_OUTAGES, *KEY_PROBLEMS)
    def post(self, body: dict[str, Any]) -> Response:
        """Sign in

        Begins a session and gives a short-lived access token and a refresh token. Every failure has the same answer, whatever the cause.
        """
        count_attempt()
        origin = _origin(body.get("client_id", FIRST_PARTY))
        return json_answer(
            service.login(current_clearance(), body["username"], body["password"], origin), headers=_UNCACHED
        )


@blueprint.route("/refresh")
class Refresh(MethodView):
    @public
    @blueprint.arguments(RefreshSchema, required=False)
    @blueprint.response(200, TokensSchema)
    @blueprint.operation(
        "refresh",
        TokenMissing,
        TokenInvalid,
        TokenExpired,
        TokenRevoked,
        TokenReused,
        *_OUTAGES,
        *KEY_PROBLEMS,
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Exchange a refresh token for new tokens

        Send it in the body or as Bearer. Each refresh token works once and has one successor; repeating the exchange within ten seconds,
        while the successor is unused, gives the same successor again. Anything later is taken for theft and ends the session.
        """
        text = body["refresh_token"] if "refresh_token" in body else credentials(request)
        return json_answer(
            service.refresh(current_clearance(), text, _origin(FIRST_PARTY)), headers=_UNCACHED
        )


@blueprint.route("/logout")
class Logout(MethodView):
    @requires(temporary_password=True)
    @blueprint.response(204)
    @blueprint.operation("logout")
    def post(self) -> Response:
        """Sign out

        Ends the whole session: its access and refresh tokens are refused from the next request on, everywhere.
        """
        service.logout(current_clearance())
        return empty_answer()


@blueprint.route("/password-setup")
class PasswordSetup(MethodView):
    @public
    @blueprint.arguments(PasswordSetupUseSchema)
    @blueprint.response(204)
    @blueprint.operation(
        "set_password", SetupTokenInvalid, PasswordRefused, TooManyAttempts, HasherBusy, *_OUTAGES
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Choose a password with a setup token

        Spends the single-use token that an administrator handed out, and ends every session of that user.
        """
        count_attempt()
        users.spend_setup(current_clearance(), body["token"], body["new_password"])
        return empty_answer()


def _origin(client_id: str) -> Origin:
    agent = request.headers.get("User-Agent")
    return Origin(
        request.remote_addr, "".join(c for c in agent if c.isprintable())[:256] if agent else None, client_id
    )
