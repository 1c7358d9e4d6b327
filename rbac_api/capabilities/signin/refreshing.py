"""Refresh with rotation and reuse detection. Part of the service, in a file of its own.

On PostgreSQL a token that was not used yet is exchanged without the write lock, in one statement that is a
transaction of its own: the row of the session decides which of several requests comes first, and whether one
that ends the session does. Its event waits in the trail's outbox. Everything else, such as a repetition, the
end after a reuse or a new signing key, is decided under the lock.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.sessions.service import Origin, RefreshTokenRecord, Termination
from rbac_api.capabilities.signin.answers import TokensAnswer
from rbac_api.capabilities.signin.tokens import issue_tokens
from rbac_api.database.constraints import Clash
from rbac_api.database.queries.sessions import Presented, RefreshTokenRow, SessionRow
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import TokenInvalid, TokenRevoked
from rbac_api.guard.incidents.detection import open_reuse_incident
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.metrics import REFRESHES
from rbac_api.trail.recorder import Actor, Event, Target, prepared_events, record, record_events


def refresh(clearance: Clearance, text: str, origin: Origin) -> TokensAnswer:
    """Exchange a refresh token (RFC 9700 section 4.14.2). A token has one successor; a late copy ends all."""
    clearance.snapshot.freshen()  # the keys, before one is looked up
    token = clearance.runtime.tokens.verify_token(text, "refresh")
    clearance.runtime.limits.count_account(token.subject)
    for attempt in (_rotate_without_lock, _refresh_once):
        with suppress(Clash):
            if tokens := attempt(clearance, token, origin):
                return tokens
    return _refresh_once(clearance, token, origin)  # the quicker request got the same successor


def _rotate_without_lock(clearance: Clearance, token: Token, origin: Origin) -> TokensAnswer | None:
    """Exchange an unspent token without the write lock.

    None, and nothing changed, where the lock is needed or something changed since the rows were read.
    """
    database = clearance.work.database
    if database.on_sqlite:
        return None
    clearance.snapshot.graph()  # now, since no request may hold one connection and wait for another
    with database.autocommit() as connection:
        presented = _find_presented(connection, token)
        if not _is_usual(presented) or not clearance.snapshot.follow(connection, presented.end):
            return None
        successor = sessions.successor_of(connection, clearance.settings, presented, origin.ip)
        tokens = issue_tokens(clearance, connection, successor, presented.account)
        actor, event = _rotation(clearance, presented.session, successor)
        (row,) = prepared_events(actor, (event,))
        if not sessions.rotate_without_lock(connection, presented, successor, origin.ip, row):
            return None
    database.outbox_filled.set()
    REFRESHES.labels("rotated").inc()
    return tokens


def _is_usual(presented: Presented) -> bool:
    return (
        presented.token.spent_at is None
        and presented.account.status == "active"
        and presented.session.is_live()
    )


def _refresh_once(clearance: Clearance, token: Token, origin: Origin) -> TokensAnswer:
    with clearance.work.database.writing() as connection:
        presented = _find_presented(connection, token)
        clearance.snapshot.catch_up(connection, presented.end)
        record, outcome = _exchange(clearance, connection, presented, origin)
        REFRESHES.labels(outcome).inc()
        tokens = issue_tokens(clearance, connection, record, presented.account) if record else None
    if tokens is None:
        raise TokenReused() if outcome == "reused" else TokenRevoked()
    return tokens


def _find_presented(connection: Connection, token: Token) -> Presented:
    """The rows of a refresh token; ``TokenInvalid`` if they do not match the token."""
    found = sessions.find_presented(connection, token.jti, clock.now())
    if found is None:
        raise TokenInvalid()
    session = found.session
    if (session.id, session.user_id, session.client_id) != (
        token.session_id,
        token.subject,
        token.client_id,
    ):
        raise TokenInvalid()
    return found


def _exchange(
    clearance: Clearance, connection: Connection, presented: Presented, origin: Origin
) -> tuple[RefreshTokenRecord | None, str]:
    """The record of the token to issue; without one the outcome is ``reused`` (ends now) or ``ended``."""
    spent, session, account, *_ = presented
    if not session.is_live() or account.status != "active":
        _count_repetition(clearance, connection, session, spent)
        return None, "ended"
    if spent.spent_at is None:
        successor = sessions.successor_of(connection, clearance.settings, presented, origin.ip)
        sessions.rotate(connection, presented, successor, origin.ip)
        actor, event = _rotation(clearance, session, successor)
        record_events(connection, actor, (event,))
        return successor, "rotated"
    same = sessions.same_successor(connection, clearance.settings, session, spent)
    if same is not None:
        return same, "repeated"
    _end_for_reuse(clearance, connection, session, spent)
    return None, "reused"


def _rotation(
    clearance: Clearance, session: SessionRow, successor: RefreshTokenRecord
) -> tuple[Actor, Event]:
    target = Target("session", session.id, session.username)
    event = Event("token.rotated", target, after={"generation": successor.generation})
    return user_actor(clearance, session), event


def _end_for_reuse(
    clearance: Clearance, connection: Connection, session: SessionRow, spent: RefreshTokenRow
) -> None:
    """End the session of a copied token, and only this one. No actor: who presented it is unknown."""
    sessions.close_session(connection, clearance.settings, session.id, Termination(None, "reuse-detected"))
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
    times = clearance.runtime.incidents.notice("refresh-reuse", session.id)
    open_reuse_incident(connection, clearance.actor, session, spent, max(1, times))


def _count_repetition(
    clearance: Clearance, connection: Connection, session: SessionRow, spent: RefreshTokenRow
) -> None:
    """Count further copies after the session ended: they are no news, and hardly ever a write."""
    if spent.spent_at is not None and session.end_reason == "reuse-detected":
        times = clearance.runtime.incidents.notice("refresh-reuse", session.id)
        if times:
            open_reuse_incident(connection, clearance.actor, session, spent, times)


def user_actor(clearance: Clearance, session: SessionRow) -> Actor:
    return Actor(
        "user", session.user_id, session.username, session.id, clearance.actor.ip, clearance.actor.request_id
    )
