"""Signing in over HTTP."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.passwords.errors import PasswordRefused
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.signin import service
from rbac_api.capabilities.signin.answers import TokensAnswer
from rbac_api.capabilities.signin.errors import (
    DomainNotAuthorized,
    LoginFailed,
    MfaRequired,
    RolesNotAuthorized,
)
from rbac_api.capabilities.signin.schemas import (
    BrowserSessionSchema,
    LoginQuery,
    LoginSchema,
    PasswordSetupUseSchema,
    RefreshSchema,
    TokensSchema,
)
from rbac_api.capabilities.users import service as users
from rbac_api.capabilities.users.errors import SetupTokenInvalid
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.types import UUID
from rbac_api.decision.model import ROOT
from rbac_api.errors import Fault, Invalid, TooManyAttempts
from rbac_api.formats.http_errors import CredentialsRepeated
from rbac_api.guard.enforcement.decorators import current_clearance, public
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.guard.enforcement.sign_out import token_to_leave
from rbac_api.guard.errors import (
    CsrfFailed,
    HasherBusy,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
)
from rbac_api.guard.tokens.credentials import set_cookies, without_own_cookies
from rbac_api.guard.tokens.keys import KEY_PROBLEMS
from rbac_api.sealing import SealBroken
from rbac_api.trail.recorder import TrailUnavailable
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.descriptions import ways_in
from rbac_api.web.responses.json_response import empty_answer, json_answer
from rbac_api.web.server.rate_limits import count_attempt

blueprint = Blueprint("signin", __name__, url_prefix="/v1/auth", tag="Sign-in", description="Tokens.")
_OUTAGES = (DatabaseDown, TrailUnavailable)
FIRST_PARTY = "first-party"
_ID = re.compile(UUID, re.IGNORECASE)
_RESERVED = (
    "This has the form of a service account's client_id (RFC 9700 section 4.15). Give your app a name."
)
_UNCACHED = {"Cache-Control": "no-store"}


@blueprint.route("/login")
class Login(MethodView):
    @public
    @blueprint.arguments(LoginQuery, location="query")
    @blueprint.arguments(LoginSchema)
    @blueprint.or_response(BrowserSessionSchema)
    @blueprint.response(200, TokensSchema)
    @blueprint.operation(
        "login",
        LoginFailed,
        MfaRequired,
        RolesNotAuthorized,
        DomainNotAuthorized,
        ConstraintViolated,
        TooManyAttempts,
        HasherBusy,
        SealBroken,
        *_OUTAGES,
        *KEY_PROBLEMS,
    )
    def post(self, query: dict[str, Any], body: dict[str, Any]) -> Response:
        """Sign in

        Starts a session and returns a short-lived access token and a refresh token. Every failure has the
        same answer, whatever the cause; `mfa.required` is returned only after the right password. For pages
        in a browser, `mode=cookie` puts the tokens into cookies that no script can read, returns a
        `csrf_token` to send as `X-CSRF-TOKEN` with every write, and ends the session whose cookies the
        browser had before. With `roles` the session starts with only those roles; others can be activated
        later. With `domain` it acts at that domain and below, with what counts there, and nowhere else.
        """
        count_attempt()
        client_id = _client_id(body.get("client_id", FIRST_PARTY))
        chosen = frozenset(body["roles"]) if "roles" in body else None
        as_cookies = query["mode"] == "cookie"
        leaves = current_guard().session_left(request) if as_cookies else None
        asked = service.LoginRequest(
            body["username"], body["password"], body.get("otp"), chosen, leaves, body.get("domain", ROOT)
        )
        tokens = service.login(current_clearance(), asked, client_id)
        return _answer(tokens, as_cookies=as_cookies)


@blueprint.route("/refresh")
class Refresh(MethodView):
    @public
    @blueprint.arguments(RefreshSchema, required=False)
    @blueprint.or_response(BrowserSessionSchema)
    @blueprint.response(200, TokensSchema)
    @blueprint.operation(
        "refresh",
        CredentialsRepeated,
        CsrfFailed,
        TokenMissing,
        TokenInvalid,
        TokenExpired,
        TokenRevoked,
        TokenReused,
        TooManyAttempts,
        *_OUTAGES,
        *KEY_PROBLEMS,
    )
    def post(self, body: dict[str, Any]) -> Response:
        """Exchange a refresh token for new tokens

        Send the refresh token in the body or as Bearer. Each refresh token works once and has one successor;
        a retry within ten seconds, while the successor is unused, gets the same successor. Any later use is
        treated as theft and ends the session. In browser mode, send only the cookies and `X-CSRF-TOKEN`; the
        answer sets new cookies.
        """
        count_attempt("token")
        sent = body.get("refresh_token")
        text, by_cookie = (sent, False) if sent else current_guard().refresh_token(request)
        return _answer(service.refresh(current_clearance(), text), as_cookies=by_cookie)


@blueprint.route("/logout")
class Logout(MethodView):
    @public
    @blueprint.response(204)
    @blueprint.operation(
        "logout",
        CredentialsRepeated,
        CsrfFailed,
        TokenMissing,
        TokenInvalid,
        *_OUTAGES,
        *KEY_PROBLEMS,
        security=[*ways_in("post"), {}],
    )
    def post(self) -> Response:
        """Sign out

        Send the access token or the refresh token as Bearer, or the cookies of browser mode with
        `X-CSRF-TOKEN`; an expired token works too. Ends the session: its access and refresh tokens are
        refused from the next request on, everywhere, and the cookies are removed. Signing out of an ended
        session changes nothing, and is answered 204 too.
        """
        token = token_to_leave(current_guard(), request)
        if token is not None:
            service.logout(current_clearance(), token)
        return without_own_cookies(request, empty_answer())


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

        Uses up the single-use token that an administrator issued, and ends every session of that user.
        """
        count_attempt()
        users.spend_setup(current_clearance(), body["token"], body["new_password"])
        return empty_answer()


def _answer(tokens: TokensAnswer, *, as_cookies: bool) -> Response:
    """The tokens in the answer, or in cookies that no script of the page can read."""
    if not as_cookies:
        return json_answer(tokens, headers=_UNCACHED)
    shown = {name: tokens[name] for name in ("session_id", "expires_in", "password_change_required")}
    shown["csrf_token"] = current_guard().cross_site.token(tokens["session_id"])
    return set_cookies(json_answer(shown, headers=_UNCACHED), tokens)


def _client_id(sent: str) -> str:
    if _ID.fullmatch(sent):
        raise Invalid(faults=(Fault("/client_id", "client_id.reserved", _RESERVED),))
    return sent
