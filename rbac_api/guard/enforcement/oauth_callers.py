"""Authenticates callers of OAuth endpoints: a service account by credentials, a user by access token, or an
anonymous caller.

These endpoints are for programs without a browser, so cookies do not count here.  ``requires_caller`` guards
them as ``requires`` guards other routes: current state, decision, one unit of work, decided again once a
writing unit has its lock.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

from flask import Request, request
from sqlalchemy import Connection

from rbac_api.database.constraints import DatabaseDown
from rbac_api.decision.model import Decision, Reason
from rbac_api.errors import Forbidden, ServiceError, TooManyAttempts
from rbac_api.formats.http_errors import CredentialsRepeated
from rbac_api.formats.oauth_errors import ClientNotAllowed, InsufficientScope, InvalidClient, InvalidRequest
from rbac_api.guard.enforcement.clearance import CLEARANCE, Clearance
from rbac_api.guard.enforcement.clients import Caller, Credentials
from rbac_api.guard.enforcement.guard import Guard, actor_of, current_guard, stranger
from rbac_api.guard.enforcement.rules import Rule, judge, session_and_user
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork, with_retries
from rbac_api.guard.errors import TokenExpired, TokenInvalid, TokenRevoked
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.guard.tokens.credentials import credentials, repeated
from rbac_api.sealing import SealBroken
from rbac_api.trail.recorder import TrailUnavailable
from rbac_api.web.openapi.blueprint import document_access
from rbac_api.web.openapi.oauth_protocol import FAULTS, form_of
from rbac_api.web.openapi.smorest import described
from rbac_api.web.server.rate_limits import count_attempt

F = TypeVar("F", bound=Callable[..., Any])
CALLER = "rbac.caller"  # in the environment of the request that is served
CLIENT, BEARER, ANONYMOUS = {"clientAuth": []}, {"bearerAuth": []}, {}  # type: ignore[var-annotated]
_OUTAGES: tuple[type[ServiceError], ...] = (TooManyAttempts, DatabaseDown, TrailUnavailable, SealBroken)
_BEARER: tuple[type[ServiceError], ...] = (TokenInvalid, TokenExpired, TokenRevoked, InsufficientScope)


def requires_caller(
    permission: str | None = None, *, bearer: bool = True, anonymous: bool = False
) -> Callable[[F], F]:
    """Allow service accounts by their credentials, with ``bearer`` users by access token, with ``anonymous``
    any other caller.

    A caller without the ``permission`` gets 401, as RFC 7662 section 2.3 says.  Invalid credentials are
    always refused.
    """
    rule = Rule(permission=permission)

    def decorate(view: F) -> F:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            count_attempt("token")
            guard = current_guard()
            guard.begin()
            guard.snapshot.freshen()  # the keys too, before a token is read
            return _enter(guard, _identify(guard, bearer, anonymous), rule, lambda: view(*args, **kwargs))

        guarded.access = "public" if anonymous else rule  # type: ignore[attr-defined]
        refusals = (ClientNotAllowed,) if permission else ()
        problems = (
            *FAULTS,
            CredentialsRepeated,
            InvalidClient,
            *_OUTAGES,
            *(_BEARER if bearer else ()),
            *refusals,
        )
        documented: Any = document_access(guarded, permission=permission, public=False, problems=problems)
        ways = [CLIENT, *([BEARER] if bearer else ()), *([ANONYMOUS] if anonymous else ())]
        described(documented)["manual_doc"]["security"] = ways
        return documented  # type: ignore[no-any-return]

    return decorate


def current_caller() -> Caller:
    """Return the caller of the current request; only inside a view under ``requires_caller``."""
    caller: Caller = request.environ[CALLER]
    return caller


def _identify(guard: Guard, bearer: bool, anonymous: bool) -> Caller:
    form = form_of(request)
    unknown = stranger(request)
    sent = _client_credentials(request, form)
    if sent is not None:
        client = guard.clients.authenticate(sent, unknown)
        actor = unknown._replace(type="service", id=client.id, name=client.name)
        return Caller(actor, form, client=client)
    if header := request.environ.get("HTTP_AUTHORIZATION"):
        if not bearer:
            raise InvalidClient()
        token = guard.bearer.verify_token(credentials(header), "access")
        _, person = guard.authenticate(token, request)
        return Caller(actor_of(token, person, request), form, token=token)
    if not anonymous:
        raise InvalidClient()
    return Caller(unknown, form)


def _client_credentials(request: Request, form: Mapping[str, str]) -> Credentials | None:
    """Return the client's credentials in a request, if it has any.  Two ways at once are ``InvalidRequest``
    (RFC 6749 section 2.3)."""
    header = request.environ.get("HTTP_AUTHORIZATION", "")
    if repeated(header):
        raise CredentialsRepeated()
    scheme, _, rest = header.partition(" ")
    if scheme and "client_secret" in form:
        raise InvalidRequest("Send the client's credentials in one way, not in two.")
    if scheme.lower() == "basic":
        sent = _basic(rest)
        if form.get("client_id", sent.client_id) != sent.client_id:
            raise InvalidRequest("The parameter client_id is not the client of the Authorization header.")
        return sent
    if "client_secret" in form:
        return Credentials(form.get("client_id", ""), form["client_secret"])
    return None


def _basic(text: str) -> Credentials:
    """Read user-pass of RFC 7617, each half form-urlencoded once more (RFC 6749 section 2.3.1)."""
    try:
        pair = base64.b64decode(text.strip(" "), validate=True)
        client_id, colon, secret = pair.partition(b":")
        if not colon or base64.b64encode(pair).decode() != text.strip(" "):
            raise ValueError
        return Credentials(_form_decoded(client_id), _form_decoded(secret))
    except (binascii.Error, ValueError) as fault:  # ValueError also where it is not UTF-8
        raise InvalidClient() from fault


def _form_decoded(text: bytes) -> str:
    return unquote_to_bytes(text.replace(b"+", b" ")).decode("utf-8")


def _enter(guard: Guard, caller: Caller, rule: Rule, view: Callable[[], object]) -> object:
    guard.snapshot.freshen()
    try:
        decision, session, person = _decide(guard, caller, rule)
    except Forbidden as refusal:
        session = guard.snapshot.session(caller.token.session_id) if caller.token else None
        guard.record_refusal(caller.actor, rule, refusal, session)
        raise (ClientNotAllowed() if caller.client else InsufficientScope(refusal.detail)) from refusal

    def attempt() -> object:
        with UnitOfWork(guard.database, writes=True) as work:
            work.on_open = lambda: _confirm(guard, caller, rule, work.connection)
            request.environ[CALLER] = caller
            request.environ[CLEARANCE] = Clearance(
                caller.actor, permission, decision.reasons, work, guard.runtime, session
            )
            return view()

    permission = rule.permission
    if person is not None and permission is not None:
        guard.runtime.uses.count(person.subject.id, permission, person.subject.second_factor)
    return with_retries(attempt)


def _confirm(guard: Guard, caller: Caller, rule: Rule, connection: Connection) -> None:
    guard.snapshot.catch_up(connection)
    if caller.client:
        guard.clients.confirm(connection, caller.client)
    _decide(guard, caller, rule, connection)


def _decide(
    guard: Guard, caller: Caller, rule: Rule, connection: Connection | None = None
) -> tuple[Decision, SessionState | None, Person | None]:
    """Decide on the current state; return the decision, and the session and the account of the caller."""
    if caller.token:
        session, person = session_and_user(guard.runtime, caller.token, connection)
        return judge(person, rule), session, person
    if caller.client:
        found = guard.snapshot.person(caller.client.id, connection)
        if found is None or found.subject.status != "active":
            raise InvalidClient()  # disabled since its secret was looked at
        return judge(found, rule), None, found
    return Decision(True, (Reason("public", "any caller may do this"),), ()), None, None
