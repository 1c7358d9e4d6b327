"""Exchanges refresh tokens: one successor each; a copy that comes back later ends the session. Part of the
service, in a file of its own.

Under the write lock ``exchange`` decides everything. On PostgreSQL a token that was not used yet is exchanged
without it, in one statement that is a transaction of its own: the row of the session decides which of several
requests comes first, and whether one that ends the session does. Its event waits in the trail's outbox.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries_rotation as queries
from rbac_api.capabilities.sessions.queries_rotation import Presented
from rbac_api.capabilities.sessions.termination import Termination, close_session
from rbac_api.database.constraints import Clash
from rbac_api.database.queries.sessions import (
    RefreshTokenRow,
    SessionRow,
    find_refresh_token,
    find_session_roles,
)
from rbac_api.database.types import new_id
from rbac_api.decision.model import EVERYTHING, SessionRoles
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import TokenInvalid
from rbac_api.guard.incidents.detection import open_reuse_incident
from rbac_api.guard.tokens.token import Token
from rbac_api.settings import Settings
from rbac_api.trail.outbox import parameters
from rbac_api.trail.recorder import (
    Actor,
    Event,
    Target,
    prepared_events,
    record,
    record_events,
    unavailable_if_unwritten,
)

PASSWORD = ("pwd",)  # ``amr`` (RFC 8176): how the user authenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenRecord:
    """The record of a refresh token: its session, its generation, its lifetime."""

    session_id: str
    user_id: str
    client_id: str
    jti: str
    generation: int
    issued_at: datetime
    expires_at: datetime
    auth_time: datetime
    absolute_expires_at: datetime
    amr: tuple[str, ...] = PASSWORD
    roles: SessionRoles = EVERYTHING


def get_presented(connection: Connection, token: Token) -> Presented:
    """The rows of a refresh token; ``TokenInvalid`` if they do not match the token."""
    found = queries.find_presented(connection, token.jti, clock.now())
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


def exchange(
    clearance: Clearance, connection: Connection, presented: Presented
) -> tuple[RefreshTokenRecord | None, str]:
    """The record of the token to issue; without one the outcome is ``reused`` (ends now) or ``ended``.

    Under the write lock. ``Clash``, and nothing changed, if another request was quicker: a repetition gets
    the same successor.
    """
    spent, session = presented.token, presented.session
    if not presented.active or presented.account.status != "active":
        _count_repetition(clearance, connection, session, spent)
        return None, "ended"
    if spent.spent_at is None:
        successor = successor_of(clearance, connection, presented)
        _rotate(clearance, connection, presented, successor)
        return successor, "rotated"
    same = _same_successor(connection, clearance.settings, session, spent)
    if same is not None:
        return same, "repeated"
    _end_for_reuse(clearance, connection, session, spent)
    return None, "reused"


def successor_of(clearance: Clearance, connection: Connection, presented: Presented) -> RefreshTokenRecord:
    """The record of the token that follows an unspent one; it is not written yet."""
    spent, session, now = presented.token, presented.session, clock.now()
    idle = min(deadline(now, clearance.settings.refresh_token_seconds), session.absolute_expires_at)
    token = RefreshTokenRow(
        new_id(), session.id, spent.generation + 1, now, idle, None, None, clearance.actor.ip
    )
    return _record(connection, session, token, activated=presented.activated)


def rotate_without_lock(
    clearance: Clearance, connection: Connection, presented: Presented, record: RefreshTokenRecord
) -> bool:
    """Exchange an unspent token for its successor, with its event, in one statement (PostgreSQL).

    False, and nothing changed, if the session or what the user may do is not as it was read.
    """
    actor, event = _rotation(clearance, presented.session, record)
    (row,) = prepared_events(actor, (event,))
    values = {
        "holder": record.user_id, "av": presented.account.authorization_version,
        "belongs_to": record.session_id, "before": presented.token.generation,
        "next_generation": record.generation, "now": record.issued_at, "lasts": _lasts(presented, record),
        "presented": presented.token.jti, "successor": record.jti, "ends": record.expires_at,
        "origin": clearance.actor.ip, **parameters(row),
    }  # fmt: skip
    with unavailable_if_unwritten():
        return queries.rotate_without_lock(connection, values)


def _rotate(
    clearance: Clearance, connection: Connection, presented: Presented, record: RefreshTokenRecord
) -> None:
    spent, session = presented.token, presented.session
    lasts, now = _lasts(presented, record), record.issued_at
    if not (
        queries.touch_session(connection, session.id, spent.generation, now, lasts)
        and queries.spend_refresh_token(connection, spent.jti, now, record.jti)
    ):
        raise Clash(internal=f"generation {spent.generation} of session {session.id} was exchanged meanwhile")
    add_token(connection, record, clearance.actor.ip)
    actor, event = _rotation(clearance, session, record)
    record_events(connection, actor, (event,))


def _same_successor(
    connection: Connection, settings: Settings, session: SessionRow, spent: RefreshTokenRow
) -> RefreshTokenRecord | None:
    """The successor of a token just spent: inside the leeway after its first use, and while the successor is
    unused."""
    leeway = timedelta(seconds=settings.refresh_leeway_seconds)
    if spent.spent_at is None or spent.replaced_by is None or clock.now() >= spent.spent_at + leeway:
        return None
    successor = find_refresh_token(connection, spent.replaced_by)
    if successor is None or successor.spent_at or session.generation != successor.generation:
        return None
    return _record(connection, session, successor)


def _end_for_reuse(
    clearance: Clearance, connection: Connection, session: SessionRow, spent: RefreshTokenRow
) -> None:
    """End the session of a copied token, and only this one. No actor: who presented it is unknown."""
    close_session(connection, clearance.settings, session.id, Termination(None, "reuse-detected"))
    facts = {
        "end_reason": "reuse-detected",
        "generation": spent.generation,
        "current_generation": session.generation,
    }
    target = Target("session", session.id, session.username, session.home)
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


def _rotation(
    clearance: Clearance, session: SessionRow, successor: RefreshTokenRecord
) -> tuple[Actor, Event]:
    target = Target("session", session.id, session.username, session.home)
    event = Event("token.rotated", target, after={"generation": successor.generation})
    return user_actor(clearance, session), event


def user_actor(clearance: Clearance, session: SessionRow) -> Actor:
    """The user of a session, at the address of this request."""
    return Actor(
        "user", session.user_id, session.username, session.id, clearance.actor.ip, clearance.actor.request_id
    )


def deadline(now: datetime, seconds: int) -> datetime:
    """The deadline in whole seconds, like ``exp``: the list must show the end of the refresh token."""
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)


def _lasts(presented: Presented, record: RefreshTokenRecord) -> datetime:
    """When the session ends unless it is refreshed: not before the access tokens that were issued with longer
    lifetimes, because a session that is over cannot be ended."""
    return max(record.expires_at, presented.session.idle_expires_at)


def _record(
    connection: Connection, session: SessionRow, token: RefreshTokenRow, *, activated: bool = True
) -> RefreshTokenRecord:
    """The record of a token of an existing session; ``activated``: whether it may have activations."""
    if activated:
        roles = find_session_roles(connection, session.id, session.begun, clock.now())
    else:
        chosen = session.active_roles
        roles = SessionRoles(None if chosen is None else frozenset(chosen.split()), domain=session.domain)
    return RefreshTokenRecord(
        session_id=session.id,
        user_id=session.user_id,
        client_id=session.client_id,
        jti=token.jti,
        generation=token.generation,
        issued_at=token.issued_at,
        expires_at=token.expires_at,
        auth_time=session.created_at,
        absolute_expires_at=session.absolute_expires_at,
        amr=tuple(session.amr.split()),
        roles=roles,
    )


def add_token(connection: Connection, record: RefreshTokenRecord, ip: str | None) -> None:
    queries.add_refresh_token(connection, token_row(record, ip))


def token_row(record: RefreshTokenRecord, ip: str | None) -> dict[str, object]:
    return {
        "jti": record.jti, "session_id": record.session_id, "generation": record.generation,
        "issued_at": record.issued_at, "expires_at": record.expires_at, "ip": ip,
    }  # fmt: skip
