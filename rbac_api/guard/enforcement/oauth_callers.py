"""Authenticates callers of OAuth endpoints: a service account by credentials, a user by access token, or an
anonymous caller.

These endpoints are for programs without a browser, so cookies do not count here.  ``requires_caller`` guards
them as ``requires`` guards other routes: current state, decision, one unit of work, decided again once a
writing unit has its lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar

from flask import request
from sqlalchemy import Connection

from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.session import UnitOfWork
from rbac_api.decision.model import Decision, Reason
from rbac_api.errors import Forbidden, ServiceError, TooManyAttempts
from rbac_api.formats.http_errors import CredentialsRepeated
from rbac_api.formats.oauth_errors import ClientNotAllowed, InsufficientScope, InvalidClient
from rbac_api.guard.enforcement.clearance import CLEARANCE, Clearance
from rbac_api.guard.enforcement.clients import Client, presented_client
from rbac_api.guard.enforcement.guard import Guard, actor_of, again, current_guard
from rbac_api.guard.enforcement.rules import Rule, judge
from rbac_api.guard.errors import TokenExpired, TokenInvalid, TokenRevoked
from rbac_api.guard.state.subjects import SessionState
from rbac_api.guard.tokens.credentials import credentials
from rbac_api.guard.tokens.jwt import Token
from rbac_api.observability.request_id import request_id
from rbac_api.sealing import SealBroken
from rbac_api.trail.recorder import Actor, TrailUnavailable
from rbac_api.web.openapi.blueprint import document_access
from rbac_api.web.openapi.oauth_protocol import FAULTS, form_of
from rbac_api.web.openapi.smorest import described
from rbac_api.web.server.rate_limits import count_attempt

F = TypeVar("F", bound=Callable[..., Any])
CALLER = "rbac.caller"  # in the environment of the request that is served
CLIENT, BEARER, NOBODY = {"clientAuth": []}, {"bearerAuth": []}, {}  # type: ignore[var-annotated]
_OUTAGES: tuple[type[ServiceError], ...] = (TooManyAttempts, DatabaseDown, TrailUnavailable, SealBroken)
_BEARER: tuple[type[ServiceError], ...] = (TokenInvalid, TokenExpired, TokenRevoked, InsufficientScope)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller (at most one of ``client`` and ``token``), and the form that was sent."""

    actor: Actor
    form: dict[str, str] = field(repr=False)  # a secret may be in it
    client: Client | None = None
    token: Token | None = None


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
        ways = [CLIENT, *([BEARER] if bearer else ()), *([NOBODY] if anonymous else ())]
        described(documented)["manual_doc"]["security"] = ways
        return documented  # type: ignore[no-any-return]

    return decorate


def current_caller() -> Caller:
    """Return the caller of the current request; only inside a view under ``requires_caller``."""
    caller: Caller = request.environ[CALLER]
    return caller


def _identify(guard: Guard, bearer: bool, anonymous: bool) -> Caller:
    form = form_of(request)
    stranger = Actor("anonymous", ip=request.remote_addr, request_id=request_id() or None)
    sent = presented_client(request, form)
    if sent is not None:
        client = guard.clients.authenticate(sent, stranger)
        actor = Actor("service", client.id, client.name, None, stranger.ip, stranger.request_id)
        return Caller(actor, form, client=client)
    if header := request.environ.get("HTTP_AUTHORIZATION"):
        if not bearer:
            raise InvalidClient()
        token = guard.bearer.verify_token(credentials(header), "access")
        _, person = guard.alive(token, request)
        return Caller(actor_of(token, person, request), form, token=token)
    if not anonymous:
        raise InvalidClient()
    return Caller(stranger, form)


def _enter(guard: Guard, caller: Caller, rule: Rule, view: Callable[[], object]) -> object:
    guard.snapshot.freshen()
    try:
        decision, session = _decide(guard, caller, rule)
    except Forbidden as refusal:
        session = guard.snapshot.session(caller.token.session_id) if caller.token else None
        guard.record_refusal(caller.actor, rule, refusal, session)
        raise (ClientNotAllowed() if caller.client else InsufficientScope(refusal.detail)) from refusal

    def attempt() -> object:
        with UnitOfWork(guard.database, writes=True) as work:
            work.on_open = lambda: _confirm(guard, caller, rule, work.connection)
            request.environ[CALLER] = caller
            request.environ[CLEARANCE] = Clearance(
                caller.actor, permission, decision.reasons, work, guard.snapshot, guard.settings, session
            )
            return view()

    permission = rule.permission
    return again(attempt)


def _confirm(guard: Guard, caller: Caller, rule: Rule, connection: Connection) -> None:
    guard.snapshot.catch_up(connection)
    if caller.client:
        guard.clients.confirm(connection, caller.client)
    _decide(guard, caller, rule, connection)


def _decide(
    guard: Guard, caller: Caller, rule: Rule, connection: Connection | None = None
) -> tuple[Decision, SessionState | None]:
    """Decide on the current state; return the decision, and the session of a token."""
    if caller.token:
        session, person = guard.standing(caller.token, connection)
        return judge(person, rule), session
    if caller.client:
        found = guard.snapshot.person(caller.client.id, connection)
        if found is None or found.subject.status != "active":
            raise InvalidClient()  # disabled since its secret was looked at
        return judge(found, rule), None
    return Decision(True, (Reason("public", "any caller may do this"),), ()), None
