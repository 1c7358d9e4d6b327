"""Login and logout; ``tokens`` issues and exchanges tokens."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts.service import clear_failures
from rbac_api.capabilities.constraints.service import require_compatible
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.service import AuthMethod, Origin
from rbac_api.capabilities.signin.answers import TokensAnswer
from rbac_api.capabilities.signin.attempts import (
    Proved,
    is_stale,
    look_up,
    note_failure,
    prove_second_factor,
)
from rbac_api.capabilities.signin.errors import DomainNotAuthorized, LoginFailed, RolesNotAuthorized
from rbac_api.capabilities.signin.queries import SigninRow
from rbac_api.capabilities.signin.tokens import issue_access, issue_tokens, refresh
from rbac_api.capabilities.signin.without_lock import begin_without_lock, signed_in, signing_in
from rbac_api.capabilities.users.service import note_signin
from rbac_api.database.queries.subjects import get_subject
from rbac_api.database.queries.users import get_account
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import in_force, unauthorized
from rbac_api.decision.model import ROOT
from rbac_api.errors import ServiceError
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import HasherBusy
from rbac_api.guard.state.subjects import OTP
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.metrics import SIGNINS
from rbac_api.trail.recorder import Actor, record_events

__all__ = ["LoginRequest", "issue_access", "login", "logout", "refresh", "require_acting"]
# The account may change during hashing: a parallel sign-in upgrades the hash, or the user is disabled.
TRIES = 2


class _AccountChanged(Exception):
    """The user was disabled, or got another password, after the check: the sign-in is rolled back."""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What a client sends to sign in; ``roles``: those to begin with, None for all; ``domain``: where to act.

    ``leaves``: the ``jti`` of the refresh token of the session that this one replaces in a browser.
    """

    username: str
    password: str = field(repr=False)
    otp: str | None = field(default=None, repr=False)
    roles: frozenset[str] | None = None
    leaves: str | None = None
    domain: str = ROOT


def login(clearance: Clearance, request: LoginRequest, client_id: str) -> TokensAnswer:
    """Tokens for a name and password, and a second factor if there is one. Holds no connection while hashing.

    ``LoginFailed`` for whatever is wrong, ``MfaRequired`` if only the code is missing. Only then 403
    ``domain.not_authorized``, ``roles.not_authorized`` and 409 ``constraint.violated`` for what the user
    cannot begin with.
    """
    password, origin = request.password, Origin.of(clearance.actor, client_id)
    for _ in range(TRIES):
        proved = _verify_password(clearance, request.username, password)
        # The new hash waits until the code is right, too: no failing path costs more than another.
        renews = proved.outdated and not proved.account.second_factor
        password_hash = clearance.runtime.hasher.hash(password) if renews else proved.checked
        with suppress(_AccountChanged):
            tokens = _open_session(clearance, proved, password_hash, origin, request)
            SIGNINS.labels("succeeded").inc()
            if proved.outdated and not renews:
                _renew_hash(clearance, proved, password)
            return tokens
    raise LoginFailed()


def _open_session(
    clearance: Clearance, proved: Proved, password_hash: str, origin: Origin, request: LoginRequest
) -> TokensAnswer:
    try:
        plain = request.roles is None and request.leaves is None and request.domain == ROOT
        tokens = begin_without_lock(clearance, proved, password_hash, origin) if plain else None
        return tokens or _begin_with_lock(clearance, proved, password_hash, origin, request)
    except ServiceError as refusal:
        refusal.refused_to = signing_in(clearance, proved.row)
        raise


def _begin_with_lock(
    clearance: Clearance, proved: Proved, password_hash: str, origin: Origin, request: LoginRequest
) -> TokensAnswer:
    row = proved.row
    with clearance.work.database.writing() as connection:
        clearance.snapshot.catch_up(connection)
        methods = prove_second_factor(clearance, connection, proved.account, row, request.otp)
        if isinstance(methods, tuple):
            stale = is_stale(clearance, connection, row)
            if stale or not note_signin(connection, row.id, proved.checked, password_hash):
                raise _AccountChanged()
            proof = AuthMethod(methods, request.roles, request.domain)
            _require_startable(clearance, connection, row, proof)
            _end_replaced_session(clearance, connection, signing_in(clearance, row), request.leaves)
            return _begin(clearance, connection, proved, origin, proof)
    raise methods  # only after the failure was counted


def _require_startable(
    clearance: Clearance, connection: Connection, row: SigninRow, proof: AuthMethod
) -> None:
    """Check domain and chosen roles of a new session (INCITS 359 sections 6.1.2 and 6.4.2, CreateSession)."""
    if proof.domain != ROOT:
        require_acting(clearance, connection, row.id, proof.domain)
    if proof.chosen is None:
        return
    now, strong = clock.now(), OTP in proof.amr
    graph = clearance.snapshot.settled_graph(connection)
    subject = at_domain(get_subject(connection, row.id, now, second_factor=strong), proof.domain)
    lacking = unauthorized(graph, subject, proof.chosen, now)
    if lacking:
        raise RolesNotAuthorized(roles=list(lacking))
    person = {"id": row.id, "username": row.username}
    require_compatible(graph.seen_with(strong), proof.chosen, person)


def require_acting(clearance: Clearance, connection: Connection, account_id: str, domain: str) -> None:
    """Require that the domain exists and that an assignment of the account counts there: the same 403
    otherwise."""
    now = clock.now()
    there = at_domain(get_subject(connection, account_id, now), domain).assignments
    if not (clearance.snapshot.domains.exists(domain, connection) and any(in_force(a, now) for a in there)):
        raise DomainNotAuthorized()


def _end_replaced_session(
    clearance: Clearance, connection: Connection, actor: Actor, jti: str | None
) -> None:
    """End the session whose cookies are replaced: no user could sign out of it any more (ASVS 7.2.4)."""
    found = sessions.find_presented(connection, jti, clock.now()) if jti else None
    if found is not None:
        sessions.leave_session(connection, clearance.settings, actor, found.session)


def _renew_hash(clearance: Clearance, proved: Proved, password: str) -> None:
    with suppress(HasherBusy):  # it ends at the next sign-in
        password_hash = clearance.runtime.hasher.hash(password)
        with clearance.work.database.writing() as connection:
            note_signin(connection, proved.row.id, proved.checked, password_hash)


def logout(clearance: Clearance, token: Token) -> None:
    """End the whole session of a token, at once. An ended or unknown session does not change."""
    with clearance.work.database.reading() as connection:  # repeating it takes no lock
        session = sessions.find_session(connection, token.session_id)
    if session is None or session.user_id != token.subject or not session.is_live():
        return
    actor = sessions.user_actor(clearance, session)
    if session.client_id == session.user_id:  # no user's client has the form of an id
        actor = actor._replace(type="service")
    sessions.leave_session(clearance.connection, clearance.settings, actor, session)


def _verify_password(clearance: Clearance, username: str, password: str) -> Proved:
    """The account with this name and password; ``LoginFailed``, counted, otherwise."""
    # in the slot every earlier failure is visible: parallel guesses cannot exceed the limit
    with clearance.runtime.hasher.slot():
        account = look_up(clearance, username)
        row, compared = account.row, account.password_hash
        check = clearance.runtime.hasher.check(password, compared)
        if check.fits and row is not None and compared is not None:
            return Proved(account, row, compared, check.outdated)
        note_failure(clearance, account)
        raise LoginFailed()


def _begin(
    clearance: Clearance, connection: Connection, proved: Proved, origin: Origin, proof: AuthMethod
) -> TokensAnswer:
    row = proved.row
    if proved.account.failures.count:
        clear_failures(connection, clearance.settings, proved.account.name)
    sessions.make_room(connection, clearance.settings, signing_in(clearance, row))
    begun = sessions.begin_session(connection, clearance.settings, row.id, origin, proof)
    actor, event = signed_in(clearance, row, begun, origin, proof)
    record_events(connection, actor, (event,))
    return issue_tokens(clearance, connection, begun, get_account(connection, row.id))
