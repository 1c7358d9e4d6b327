"""Tokens for programs: issues, revokes and introspects them, and describes the server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from rbac_api import clock
from rbac_api.capabilities.sessions.service import (
    Origin,
    Termination,
    begin_client_session,
    close_session,
    find_presented,
)
from rbac_api.capabilities.signin.answers import AccessToken, TokensAnswer
from rbac_api.capabilities.signin.errors import DomainNotAuthorized
from rbac_api.capabilities.signin.service import issue_access, refresh, require_acting
from rbac_api.database.queries.users import find_home, get_account
from rbac_api.decision.domains import holds_below
from rbac_api.decision.model import ROOT
from rbac_api.errors import Forbidden, Unauthenticated
from rbac_api.formats.oauth_errors import (
    GRANTS,
    InvalidClient,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    NotYours,
    UnsupportedGrantType,
)
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.clients import Caller
from rbac_api.guard.enforcement.rules import session_and_user
from rbac_api.guard.revocation.denylist import revoke
from rbac_api.guard.state.subjects import Person
from rbac_api.guard.tokens.token import Token
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Target, record

_SHOWN = ("access_token", "token_type", "expires_in", "refresh_token")
# What this service alone needs, and what is computed again.
_NOT_SHOWN = ("av", "gen", "roles_omitted", "domains_held", "domains_differ")
_BY_SECRET = ["client_secret_basic", "client_secret_post"]


def issue_token(clearance: Clearance, caller: Caller) -> dict[str, object]:
    """Exchange a client's credentials, or a refresh token, for tokens (RFC 6749 sections 4.4 and 6)."""
    grant = caller.form.get("grant_type")
    if grant is None:
        raise InvalidRequest("The parameter grant_type is missing.")
    if grant not in GRANTS:
        raise UnsupportedGrantType()
    if "scope" in caller.form:
        raise InvalidScope()
    if "domain" in caller.form and grant == "refresh_token":
        raise InvalidRequest("A session keeps its domain. Omit the parameter domain when refreshing.")
    given = _by_refresh_token if grant == "refresh_token" else _by_client_credentials
    tokens: Mapping[str, object] = given(clearance, caller)
    return {name: tokens[name] for name in _SHOWN if name in tokens}


def revoke_token(clearance: Clearance, caller: Caller) -> None:
    """Revoke an access token, alone, or a refresh token with its whole session (RFC 7009). An invalid one
    does not change."""
    text = _token(caller)
    if caller.client is None and caller.token is None and "client_id" not in caller.form:
        raise InvalidClient()
    found = _read(clearance, text)
    if found is None:
        return
    (token, kind), connection = found, clearance.connection
    whose = clearance.snapshot.person(token.subject, connection)
    if whose is None:
        return
    ending = Termination(clearance.actor.id, _termination_of(clearance, caller, token, whose))
    if kind == "refresh":
        _end_session(clearance, token, whose, ending)
    elif token.jti not in clearance.snapshot.denied(connection):
        _revoke_access(clearance, token, whose, ending)


def introspect_token(clearance: Clearance, caller: Caller) -> dict[str, object]:
    """Whether a token is valid at this moment, and if so its user and contents (RFC 7662)."""
    text = _token(caller)
    found = _read(clearance, text)
    whose = _subject_of(clearance, *found) if found else None
    if whose is None:
        return {"active": False}
    said = clearance.runtime.tokens.claims(text)
    claims = {name: value for name, value in said.items() if name not in _NOT_SHOWN}
    if claims["type"] == "access":
        claims |= {"token_type": "Bearer", "roles": list(whose.claimed)}
        omitted = len(whose.acting.roles) - len(whose.claimed)
        claims |= {"roles_omitted": omitted} if omitted else {}
        claims |= {"domains_held": True} if holds_below(whose.subject) else {}
    return {"active": True, "username": whose.username, **claims}


def describe_server(settings: Settings) -> dict[str, object]:
    """Authorization server metadata (RFC 8414 section 2): the endpoints, and what they support."""
    base = settings.issuer_url.rstrip("/")
    optional = {"jwks_uri": f"{base}/.well-known/jwks.json"} if settings.signing_algorithm != "HS256" else {}
    if settings.docs:
        optional["service_documentation"] = f"{base}/docs"
    return {
        "issuer": settings.issuer_url,
        "token_endpoint": f"{base}/oauth/token",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "introspection_endpoint": f"{base}/oauth/introspect",
        **optional,
        "grant_types_supported": list(GRANTS),
        "response_types_supported": ["none"],  # required, and may not be empty (section 3.2)
        "token_endpoint_auth_methods_supported": [*_BY_SECRET, "none"],
        "revocation_endpoint_auth_methods_supported": [*_BY_SECRET, "none", "Bearer"],
        "introspection_endpoint_auth_methods_supported": [*_BY_SECRET, "Bearer"],
    }


def _by_client_credentials(clearance: Clearance, caller: Caller) -> AccessToken:
    client = caller.client
    if client is None:
        raise InvalidClient()
    connection = clearance.connection  # not before: unauthenticated callers do not get the write lock
    origin, domain = Origin.of(clearance.actor, client.id), caller.form.get("domain", ROOT)
    if domain != ROOT:
        _require_acting(clearance, client.id, domain)
    begun = begin_client_session(connection, clearance.settings, client, origin, domain)
    actor = clearance.actor._replace(session_id=begun.session_id)
    facts = {"client_id": client.id, "user_agent": origin.user_agent, "client_secret_id": client.secret_id}
    facts |= {} if domain == ROOT else {"domain": domain}
    account = get_account(connection, client.id)
    target = Target("session", begun.session_id, client.name, account.home)
    record(connection, actor, "client.signed_in", target, after=facts)
    return issue_access(clearance, connection, begun, account)


def _require_acting(clearance: Clearance, client_id: str, domain: str) -> None:
    try:
        require_acting(clearance, clearance.connection, client_id, domain)
    except DomainNotAuthorized as refusal:
        raise InvalidTarget() from refusal


def _by_refresh_token(clearance: Clearance, caller: Caller) -> TokensAnswer:
    """As ``POST /v1/auth/refresh``; an identified client can refresh only what was issued to it (RFC 6749
    section 6)."""
    text = caller.form.get("refresh_token")
    if text is None:
        raise InvalidRequest("The parameter refresh_token is missing.")
    client_id = caller.client.id if caller.client else caller.form.get("client_id")
    try:
        if client_id not in (None, clearance.runtime.tokens.verify_token(text, "refresh").client_id):
            raise InvalidGrant()
        return refresh(clearance, text)
    except Unauthenticated as fault:
        raise InvalidGrant() from fault


def _token(caller: Caller) -> str:
    text = caller.form.get("token")
    if text is None:
        raise InvalidRequest("The parameter token is missing.")
    return text


def _read(clearance: Clearance, text: str) -> tuple[Token, str] | None:
    """A token of either kind, whatever the hint says; None if it is not ours or has expired."""
    for kind in ("access", "refresh"):
        try:
            return clearance.runtime.tokens.verify_token(text, kind), kind
        except Unauthenticated:
            continue
    return None


def _subject_of(clearance: Clearance, token: Token, kind: str) -> Person | None:
    """The user of a token, if it would be accepted at this moment where it belongs."""
    if kind == "access":
        try:
            return session_and_user(clearance.runtime, token)[1]
        except Unauthenticated:
            return None
    with clearance.work.database.reading() as connection:
        found = find_presented(connection, token.jti, clock.now())
    whose = clearance.snapshot.person(token.subject)
    if (
        found is None
        or found.token.spent_at is not None
        or not found.active
        or found.session.id != token.session_id
    ):
        return None
    return whose if whose is not None and whose.subject.status == "active" else None


def _termination_of(clearance: Clearance, caller: Caller, token: Token, whose: Person) -> str:
    """The reason for the end, if the caller may revoke the token at all; ``NotYours`` otherwise."""
    if caller.token is not None and caller.token.subject == token.subject:
        return "logout"
    if caller.client is not None and caller.client.id == token.client_id:
        return "logout"
    if caller.actor.id is None:
        if caller.form["client_id"] == token.client_id and whose.kind != "service":
            return "logout"
        raise NotYours()
    try:
        home = find_home(clearance.connection, token.subject, whose.kind) or ROOT
        clearance.looking_at(home).require_permission("sessions:revoke")
        clearance.require_outranks_user(token.subject, whose.username)
    except Forbidden as refusal:
        raise NotYours() from refusal
    return "admin"


def _end_session(clearance: Clearance, token: Token, whose: Person, ending: Termination) -> None:
    if close_session(clearance.connection, clearance.settings, token.session_id, ending):
        target = Target("session", token.session_id, whose.username, whose.subject.home)
        facts = {"user": {"id": token.subject, "username": whose.username}, "end_reason": ending.reason}
        clearance.record("session.ended", target, reason=ending.reason, after=facts)


def _revoke_access(clearance: Clearance, token: Token, whose: Person, ending: Termination) -> None:
    """Revoke only the token; a service account's session has no other and ends with it."""
    expires = datetime.fromtimestamp(token.expires, UTC)
    revoke(clearance.connection, clearance.settings, "jti", [token.jti], expires)
    if whose.kind == "service":
        close_session(clearance.connection, clearance.settings, token.session_id, ending)
    user = {"id": token.subject, "username": whose.username}
    facts = {"user": user, "session_id": token.session_id, "client_id": token.client_id}
    clearance.record(
        "token.revoked",
        Target("token", token.jti, whose.username, whose.subject.home),
        reason=ending.reason,
        after=facts,
    )
