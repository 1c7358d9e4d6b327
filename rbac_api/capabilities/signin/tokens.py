"""Issues tokens: access tokens for the current state, and the refresh token of a record; at a sign-in, or in
exchange for a refresh token. Part of the service, in a file of its own."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.keys.service import rotate_for_signing
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.sessions.service import Presented, RefreshTokenRecord
from rbac_api.capabilities.signin.answers import AccessToken, TokensAnswer
from rbac_api.database.constraints import Clash
from rbac_api.database.engine import is_writer
from rbac_api.database.queries.subjects import subject_of
from rbac_api.database.queries.users import AccountRow
from rbac_api.database.types import new_id
from rbac_api.decision.domains import at_domain, holds_below, loses_below
from rbac_api.decision.evaluate import carried_roles, claimed_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Subject
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import TokenRevoked
from rbac_api.guard.state.subjects import OTP
from rbac_api.guard.tokens.signing import SigningKey, Use
from rbac_api.guard.tokens.token import Authority, Issue, Token
from rbac_api.observability.metrics import REFRESHES


def refresh(clearance: Clearance, text: str) -> TokensAnswer:
    """Exchange a refresh token (RFC 9700 section 4.14.2). A token has one successor; a late copy ends all."""
    clearance.snapshot.freshen()  # the keys, before one is looked up
    token = clearance.runtime.tokens.verify_token(text, "refresh")
    clearance.runtime.limits.count_account(token.subject)
    for attempt in (_refresh_without_lock, _refresh_with_lock):
        with suppress(Clash):
            if tokens := attempt(clearance, token):
                return tokens
    return _refresh_with_lock(clearance, token)  # the quicker request got the same successor


def _refresh_without_lock(clearance: Clearance, token: Token) -> TokensAnswer | None:
    """None, and nothing changed, where the lock is needed or something changed since the rows were read."""
    database = clearance.work.database
    if database.on_sqlite:
        return None
    clearance.snapshot.graph()  # now, since no request may hold one connection and wait for another
    with database.autocommit() as connection:
        presented = sessions.get_presented(connection, token)
        if not _is_usual(presented) or not clearance.snapshot.follow(connection, presented.end):
            return None
        successor = sessions.successor_of(clearance, connection, presented)
        tokens = issue_tokens(clearance, connection, successor, presented.account)
        if not sessions.rotate_without_lock(clearance, connection, presented, successor):
            return None
    database.outbox_filled.set()
    REFRESHES.labels("rotated").inc()
    return tokens


def _is_usual(presented: Presented) -> bool:
    return presented.active and presented.account.status == "active" and presented.token.spent_at is None


def _refresh_with_lock(clearance: Clearance, token: Token) -> TokensAnswer:
    with clearance.work.database.writing() as connection:
        presented = sessions.get_presented(connection, token)
        clearance.snapshot.catch_up(connection, presented.end)
        record, outcome = sessions.exchange(clearance, connection, presented)
        REFRESHES.labels(outcome).inc()
        tokens = issue_tokens(clearance, connection, record, presented.account) if record else None
    if tokens is None:
        raise TokenReused() if outcome == "reused" else TokenRevoked()
    return tokens


def issue_access(
    clearance: Clearance, connection: Connection, record: RefreshTokenRecord, account: AccountRow
) -> AccessToken:
    """Sign an access token for the state of this transaction, in which the account was read.

    Its roles are read again each time, and a request never adds any.
    """
    return _issue_access(clearance, connection, record, (account, _signer(clearance, connection)))


def issue_tokens(
    clearance: Clearance, connection: Connection, record: RefreshTokenRecord, account: AccountRow
) -> TokensAnswer:
    """Both tokens of a session: the refresh token is always the one that its record describes."""
    key = _signer(clearance, connection)
    issued, ends = int(record.issued_at.timestamp()), int(record.expires_at.timestamp())
    begun = int(record.auth_time.timestamp())
    refresh = Issue(
        record.user_id, record.session_id, record.jti, record.client_id, issued, ends, begun, key=key
    )
    return {
        **_issue_access(clearance, connection, record, (account, key)),
        "refresh_token": clearance.runtime.tokens.issue_refresh(refresh, record.generation),
        "refresh_expires_in": max(0, ends - int(clock.now().timestamp())),
    }


def _signer(clearance: Clearance, connection: Connection) -> SigningKey:
    """The key that signs now; creates the next one when it is due. ``Clash`` if that takes the write lock,
    and this transaction does not hold it."""
    # Read on this connection: a second one might not be available, from a pool drained by requests that
    # wait for our lock.
    key = clearance.snapshot.keyring.active(connection)
    if begins := clearance.snapshot.keyring.rotation_begins(connection):
        if not is_writer(connection):
            raise Clash(internal="a signing key became due meanwhile")
        rotate_for_signing(connection, clearance, begins)
    return key


def _graph(clearance: Clearance, connection: Connection) -> RoleGraph:
    """The roles, no older than what was read; ``Clash`` if they have to be read, which takes the write lock
    or a transaction that sees one moment."""
    if is_writer(connection):
        return clearance.snapshot.settled_graph(connection)
    graph = clearance.snapshot.roles.current
    if graph is None:
        raise Clash(internal="the roles were forgotten meanwhile")
    return graph


def _differences(graph: RoleGraph, held: Subject) -> tuple[bool, bool]:
    """Whether in domains below that of the session more may count, and whether less may."""
    if not held.elsewhere:
        return False, False
    return holds_below(held), loses_below(graph, held)


def _issue_access(
    clearance: Clearance,
    connection: Connection,
    record: RefreshTokenRecord,
    signed: tuple[AccountRow, SigningKey],
) -> AccessToken:
    now, (account, key) = clock.now(), signed
    held = subject_of(connection, account, now, second_factor=OTP in record.amr, roles=record.roles)
    subject = at_domain(held, record.roles.domain) if held.elsewhere else held
    graph, begun = _graph(clearance, connection), now.replace(microsecond=0)
    lifetime = timedelta(seconds=clearance.settings.access_token_seconds)
    # No token outlives its session, which could not be ended any more, or what its roles depend on: detached
    # verifiers learn of a beginning or an end by nothing else.
    effective, ends = carried_roles(graph, subject, now, min(now + lifetime, record.expires_at))
    roles = claimed_roles(effective)
    issued, expires, proved = int(begun.timestamp()), int(ends.timestamp()), int(record.auth_time.timestamp())
    # Whole seconds, as in the token: those of one second are recorded once.
    use = Use(record.issued_at, ends.replace(microsecond=0), record.expires_at if record.jti else None)
    clearance.snapshot.keyring.note_use(connection, key, use)
    issue = Issue(
        record.user_id, record.session_id, new_id(), record.client_id, issued, expires, proved,
        record.amr, key,
    )  # fmt: skip
    version, omitted = account.authorization_version, len(effective) - len(roles)
    authority = Authority(roles, version, omitted, record.roles.domain, *_differences(graph, held))
    return {
        "access_token": clearance.runtime.tokens.issue_access(issue, authority),
        "token_type": "Bearer",
        "expires_in": expires - issued,
        "session_id": record.session_id,
        "password_change_required": subject.must_change_password,
    }
