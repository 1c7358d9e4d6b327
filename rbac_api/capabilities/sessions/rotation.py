"""Exchanges refresh tokens: one successor each. Part of the service, in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.database.constraints import Clash
from rbac_api.database.queries.sessions import (
    Presented,
    RefreshTokenRow,
    SessionRow,
    find_refresh_token,
    find_session_roles,
    session_roles,
)
from rbac_api.database.types import new_id
from rbac_api.decision.model import EVERYTHING, SessionRoles
from rbac_api.settings import Settings
from rbac_api.trail.outbox import parameters
from rbac_api.trail.recorder import unavailable_if_unwritten

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


def successor_of(
    connection: Connection, settings: Settings, presented: Presented, ip: str | None
) -> RefreshTokenRecord:
    """The record of the token that follows an unspent one; it is not written yet."""
    spent, session, now = presented.token, presented.session, clock.now()
    idle = min(deadline(now, settings.refresh_token_seconds), session.absolute_expires_at)
    token = RefreshTokenRow(new_id(), session.id, spent.generation + 1, now, idle, None, None, ip)
    return _record(connection, session, token, activated=presented.activated)


def rotate(connection: Connection, presented: Presented, record: RefreshTokenRecord, ip: str | None) -> None:
    """Exchange an unspent token of a live session for its successor, under the write lock.

    If another request was quicker: ``Clash``, nothing changed, and a repetition gets the same successor.
    """
    spent, session = presented.token, presented.session
    lasts, now = _lasts(presented, record), record.issued_at
    if not (
        queries.touch_session(connection, session.id, spent.generation, now, lasts)
        and queries.spend_refresh_token(connection, spent.jti, now, record.jti)
    ):
        raise Clash(internal=f"generation {spent.generation} of session {session.id} was exchanged meanwhile")
    add_token(connection, record, ip)


def rotate_without_lock(
    connection: Connection,
    presented: Presented,
    record: RefreshTokenRecord,
    ip: str | None,
    event: dict[str, Any],
) -> bool:
    """The same without the write lock, with its event, in one statement (PostgreSQL).

    False, and nothing changed, if the session or what the user may do is not as it was read.
    """
    values = {
        "holder": record.user_id, "av": presented.account.authorization_version,
        "belongs_to": record.session_id, "before": presented.token.generation,
        "next_generation": record.generation, "now": record.issued_at, "lasts": _lasts(presented, record),
        "presented": presented.token.jti, "successor": record.jti, "ends": record.expires_at,
        "origin": ip, **parameters(event),
    }  # fmt: skip
    with unavailable_if_unwritten():
        return queries.rotate_without_lock(connection, values)


def same_successor(
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
    roles = (
        find_session_roles(connection, session.id, session.active_roles, clock.now())
        if activated
        else session_roles(session.active_roles, ())
    )
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
