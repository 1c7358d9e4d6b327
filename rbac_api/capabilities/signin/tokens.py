"""What a session is given: access tokens on the state of the moment, and the refresh token of its record.  Part of the service."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.keys.service import rotate_for_signing
from rbac_api.capabilities.sessions.service import RefreshTokenRecord
from rbac_api.capabilities.signin.answers import AccessToken, TokensAnswer
from rbac_api.database.queries.users import AccountRow, subject_of
from rbac_api.database.types import new_id
from rbac_api.decision.activation import carried_until, lasting
from rbac_api.decision.evaluate import claimed_roles, effective_roles
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.guard.state.subjects import OTP
from rbac_api.guard.tokens.jwt import Issue
from rbac_api.guard.tokens.signing import SigningKey, Use


def issue_access(
    clearance: Clearance, connection: Connection, record: RefreshTokenRecord, account: AccountRow
) -> AccessToken:
    """Sign an access token on the state of this transaction, in which the account was read.

    Its roles are read anew each time, never widened by a request.
    """
    return _issue_access(clearance, connection, record, (account, _signer(clearance, connection)))


def issue_tokens(
    clearance: Clearance, connection: Connection, record: RefreshTokenRecord, account: AccountRow
) -> TokensAnswer:
    """Both tokens of a session: the refresh token is the one that its record describes, however often it is asked for."""
    key = _signer(clearance, connection)
    issued, ends = int(record.issued_at.timestamp()), int(record.expires_at.timestamp())
    begun = int(record.auth_time.timestamp())
    refresh = Issue(
        record.user_id, record.session_id, record.jti, record.client_id, issued, ends, begun, key=key
    )
    return {
        **_issue_access(clearance, connection, record, (account, key)),
        "refresh_token": current_guard().bearer.issue_refresh(refresh, record.generation),
        "refresh_expires_in": max(0, ends - int(clock.now().timestamp())),
    }


def _signer(clearance: Clearance, connection: Connection) -> SigningKey:
    """The key that signs now; the next one is made if it is time for that."""
    # Read on this connection if at all: a second one might not be had, from a pool drained by those who wait for our lock.
    key = clearance.snapshot.keyring.active(connection)
    if begins := clearance.snapshot.keyring.rotation_begins(connection):
        rotate_for_signing(connection, clearance, begins)
    return key


def _issue_access(
    clearance: Clearance,
    connection: Connection,
    record: RefreshTokenRecord,
    signed: tuple[AccountRow, SigningKey],
) -> AccessToken:
    now, (account, key) = clock.now(), signed
    subject = subject_of(connection, account, now, second_factor=OTP in record.amr, roles=record.roles)
    graph, begun = clearance.snapshot.settled_graph(connection), now.replace(microsecond=0)
    # Roles that end within this very second are left out: a token that carries them would be dead on arrival.
    carrying = lasting(subject, begun + timedelta(seconds=1))
    roles = claimed_roles(effective_roles(graph, carrying, now))
    ends = min(
        now + timedelta(seconds=clearance.settings.access_token_seconds),
        record.expires_at,  # of a session that is over no token is left: nobody could end it any more
        carried_until(graph, carrying, now) or clock.ENDLESS,
    )  # whoever verifies offline learns of an end by nothing else
    use = Use(record.issued_at, ends, record.expires_at if record.jti else None)
    clearance.snapshot.keyring.note_use(connection, key, use)
    issued, expires, proved = int(begun.timestamp()), int(ends.timestamp()), int(record.auth_time.timestamp())
    issue = Issue(
        record.user_id,
        record.session_id,
        new_id(),
        record.client_id,
        issued,
        expires,
        proved,
        record.amr,
        key,
    )
    return {
        "access_token": current_guard().bearer.issue_access(issue, roles, account.authorization_version),
        "token_type": "Bearer",
        "expires_in": expires - issued,
        "session_id": record.session_id,
        "password_change_required": subject.must_change_password,
    }
