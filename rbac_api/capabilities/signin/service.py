"""Login, refresh with rotation and reuse detection, logout."""

from __future__ import annotations

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row

from rbac_api import clock
from rbac_api.capabilities.passwords.service import hasher
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.sessions.service import Grip, Origin
from rbac_api.capabilities.signin import queries
from rbac_api.capabilities.signin.errors import LoginFailed
from rbac_api.capabilities.users.service import note_signin
from rbac_api.database.constraints import Clash
from rbac_api.database.types import new_id
from rbac_api.decision.evaluate import claimed_roles, effective_roles
from rbac_api.decision.names import canonical
from rbac_api.guard import queries as standing
from rbac_api.guard.bearer import Issue, Token
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.errors import TokenInvalid, TokenRevoked
from rbac_api.guard.passage import current_guard
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor, Target, record
from rbac_api.web.metrics import REFRESHES, SIGNINS

LONGEST_DELAY = 60
FORGET_FAILURES = timedelta(days=1)
# The account may change while we hash: a parallel sign-in upgrades the hash, or somebody disables her.
TRIES = 2


@dataclass(frozen=True, slots=True)
class Account:
    """What is known about a name somebody tries to sign in with; ``row`` None if it is nobody's."""

    row: Row[Any] | None
    digest: str
    failures: int
    blocked: bool

    @property
    def password_hash(self) -> str | None:
        """The hash to compare with; None (so that a dummy is compared) if the attempt cannot succeed anyway."""
        if self.row is None or self.row.status != "active" or self.blocked:
            return None
        password_hash: str | None = self.row.password_hash
        return password_hash

    def failure(self) -> str:
        """Why an attempt failed, for the trail alone."""
        if self.blocked:
            return "locked"
        if self.row is None or self.row.status == "deleted":
            return "unknown user"
        if self.row.status != "active":
            return "disabled"
        return "wrong password" if self.row.password_hash else "no password set"


def login(clearance: Clearance, username: str, password: str, origin: Origin) -> dict[str, Any]:
    """Tokens for a name and password, or ``LoginFailed``; no connection is held while hashing."""
    for _ in range(TRIES):
        account, row, outdated = _prove(clearance, username, password)
        password_hash = hasher().hash(password) if outdated else row.password_hash
        with clearance.work.database.writing() as connection:
            clearance.snapshot.catch_up(connection)
            if note_signin(connection, row, password_hash):
                return _begin(clearance, connection, account, row, origin)
    raise LoginFailed()


def refresh(clearance: Clearance, text: str, origin: Origin) -> dict[str, Any]:
    """Exchange a refresh token (RFC 9700 section 4.14.2).  One token, one successor; a copy that comes late ends the session."""
    clearance.snapshot.freshen()  # the keys, before one is looked up
    token = current_guard().bearer.read(text, "refresh")
    with suppress(Clash):
        return _refresh_once(clearance, token, origin)
    return _refresh_once(clearance, token, origin)  # whoever was quicker has the same successor


def _refresh_once(clearance: Clearance, token: Token, origin: Origin) -> dict[str, Any]:
    with clearance.work.database.writing() as connection:
        clearance.snapshot.catch_up(connection)
        grip, outcome = _exchange(clearance, connection, token, origin)
        REFRESHES.labels(outcome).inc()
        tokens = _tokens(clearance, connection, grip) if grip else None
    if tokens is None:
        raise TokenReused() if outcome == "reused" else TokenRevoked()
    return tokens


def logout(clearance: Clearance) -> None:
    """End the whole session of the presented token, access and refresh alike, at once."""
    sessions.end_own_session(clearance, clearance.actor.session_id or "", "logout")


def forget_failures(clearance: Clearance, username: str) -> None:
    """Lift the delay or lock that failed sign-ins have put on an account."""
    queries.clear_failures(clearance.connection, _name_digest(clearance.settings, canonical(username)))


def _prove(clearance: Clearance, username: str, password: str) -> tuple[Account, Row[Any], bool]:
    """The account whose password this is, its row, and whether its hash is of an old make; ``LoginFailed``, counted, otherwise."""
    with hasher().slot():  # whoever is in the slot sees every failure counted before: parallel guesses do not slip past the limit
        account = _look_up(clearance, username)
        check = hasher().check(password, account.password_hash)
        if check.fits and account.row is not None and account.row.status == "active":
            return account, account.row, check.outdated
        _note_failure(clearance, account)
        raise LoginFailed()


def _look_up(clearance: Clearance, username: str) -> Account:
    name = canonical(username)
    digest = _name_digest(clearance.settings, name)
    with clearance.work.database.reading() as connection:
        row = queries.find_account(connection, name)
        counted = queries.find_attempts(connection, digest)
    blocked = (
        counted is not None and counted.blocked_until is not None and clock.now() < counted.blocked_until
    )
    return Account(row, digest, counted.failures if counted else 0, blocked)


def _name_digest(settings: Settings, name: str) -> str:
    return hmac.new(
        derived_key(settings.secret_key, "signin-name"), name.encode(), hashlib.sha256
    ).hexdigest()


def _note_failure(clearance: Clearance, account: Account) -> None:
    SIGNINS.labels("locked" if account.blocked else "failed").inc()
    target = (
        Target("user", account.row.id, account.row.username) if account.row is not None else Target("user")
    )
    with clearance.work.database.writing() as connection:
        record(
            connection, clearance.actor, "signin.failed", target, outcome="failure", reason=account.failure()
        )
        if account.blocked:
            return  # was not even tried, so it does not count
        now = clock.now()
        failures = queries.count_failure(connection, account.digest, now)
        seconds = blocking(clearance.settings, failures)
        if seconds:
            queries.block(connection, account.digest, now + timedelta(seconds=seconds))
        if failures >= clearance.settings.signin_lock_failures:
            facts = {"failures": failures, "seconds": seconds}
            record(
                connection,
                clearance.actor,
                "signin.locked",
                target,
                outcome="failure",
                reason="too many failures",
                after=facts,
            )
        queries.clear_old_failures(connection, now - FORGET_FAILURES)


def blocking(settings: Settings, failures: int) -> int:
    """Seconds for which an account is blocked after so many failures in a row: nothing, then 1, 2, 4 …, then the time-boxed lock."""
    if failures >= settings.signin_lock_failures:
        return settings.signin_lock_seconds
    if failures < settings.signin_free_failures:
        return 0
    return min(LONGEST_DELAY, 1 << (failures - settings.signin_free_failures))


def _begin(
    clearance: Clearance, connection: Connection, account: Account, row: Row[Any], origin: Origin
) -> dict[str, Any]:
    if account.failures:
        queries.clear_failures(connection, account.digest)
    grip = sessions.begin_session(connection, clearance.settings, row.id, origin)
    actor = Actor(
        "user", row.id, row.username, grip.session_id, clearance.actor.ip, clearance.actor.request_id
    )
    facts = {"client_id": origin.client_id, "user_agent": origin.user_agent}
    record(
        connection, actor, "signin.succeeded", Target("session", grip.session_id, row.username), after=facts
    )
    SIGNINS.labels("succeeded").inc()
    return _tokens(clearance, connection, grip)


def _exchange(
    clearance: Clearance, connection: Connection, token: Token, origin: Origin
) -> tuple[Grip | None, str]:
    """The grip to hand out and the outcome; without a grip ``reused`` (the session was ended just now) or ``ended``."""
    found = sessions.find_refresh(connection, token.jti)
    if found is None:
        raise TokenInvalid()
    spent, session = found
    if (
        session.id != token.session_id
        or session.user_id != token.subject
        or session.client_id != token.client_id
    ):
        raise TokenInvalid()
    if not sessions.is_live(session) or not _in_good_standing(connection, session.user_id):
        return None, "ended"
    if spent.spent_at is None:
        grip = sessions.rotate(connection, clearance.settings, session, spent, origin.ip)
        _record_rotation(clearance, connection, session, grip)
        return grip, "rotated"
    same = sessions.same_successor(connection, clearance.settings, session, spent)
    if same is not None:
        return same, "repeated"
    _end_for_reuse(clearance, connection, session, spent)
    return None, "reused"


def _in_good_standing(connection: Connection, user_id: str) -> bool:
    found = standing.find_subject(connection, user_id, clock.now())
    return found is not None and found[0].status == "active"


def _record_rotation(clearance: Clearance, connection: Connection, session: Row[Any], grip: Grip) -> None:
    actor = _user_actor(clearance, session)
    record(
        connection,
        actor,
        "token.rotated",
        Target("session", session.id, session.username),
        after={"generation": grip.generation},
    )


def _end_for_reuse(clearance: Clearance, connection: Connection, session: Row[Any], spent: Row[Any]) -> None:
    """Somebody holds a copy: end this session, and this one only.  Who presented it is not known, so the actor is nobody."""
    sessions.close_session(connection, session.id, None, "reuse-detected")
    facts = {
        "end_reason": "reuse-detected",
        "generation": spent.generation,
        "current_generation": session.generation,
    }
    target = Target("session", session.id, session.username)
    record(
        connection,
        clearance.actor,
        "token.reused",
        target,
        outcome="refused",
        reason="a spent refresh token came back",
        after=facts,
    )


def _user_actor(clearance: Clearance, session: Row[Any]) -> Actor:
    return Actor(
        "user", session.user_id, session.username, session.id, clearance.actor.ip, clearance.actor.request_id
    )


def _tokens(clearance: Clearance, connection: Connection, grip: Grip) -> dict[str, Any]:
    """Sign both tokens on the state of this transaction: roles are read anew each time, never widened by a request."""
    # Read on this connection if at all: a second one might not be had, from a pool drained by those who wait for our lock.
    clearance.snapshot.keyring.keys(connection)
    now = clock.now()
    subject = standing.get_subject(connection, grip.user_id, now)
    roles = claimed_roles(effective_roles(clearance.snapshot.settled_graph(connection), subject, now))
    expires = min(now + timedelta(seconds=clearance.settings.access_token_seconds), grip.absolute_expires_at)
    shared = (grip.user_id, grip.session_id)
    auth_time, issued, ends = (
        int(grip.auth_time.timestamp()),
        int(grip.issued_at.timestamp()),
        int(grip.expires_at.timestamp()),
    )
    access = Issue(
        *shared, new_id(), grip.client_id, int(now.timestamp()), int(expires.timestamp()), auth_time
    )
    bearer = current_guard().bearer
    return {
        "access_token": bearer.issue_access(
            access, roles, standing.find_authorization_version(connection, grip.user_id)
        ),
        "refresh_token": bearer.issue_refresh(
            Issue(*shared, grip.jti, grip.client_id, issued, ends, auth_time), grip.generation
        ),
        "token_type": "Bearer",
        "expires_in": access.expires - access.issued,
        "refresh_expires_in": max(0, ends - int(now.timestamp())),
        "session_id": grip.session_id,
        "password_change_required": subject.must_change_password,
    }
