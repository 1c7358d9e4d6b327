"""Begins, rotates, ends and lists sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.answers import (
    OwnSessionAnswer,
    RefreshTokenAnswer,
    SessionAnswer,
    SessionFilters,
)
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.filters import conditions, signed_between
from rbac_api.capabilities.sessions.retention import delete_old_sessions
from rbac_api.capabilities.sessions.serializers import describe, describe_token
from rbac_api.capabilities.sessions.termination import (
    Termination,
    close_all_sessions,
    close_session,
    close_sessions,
    close_user_sessions,
    end_own_session,
    end_own_sessions,
    end_session,
    leave_session,
    make_room,
)
from rbac_api.database.constraints import Clash
from rbac_api.database.queries.sessions import (
    RefreshTokenRow,
    SessionRow,
    find_presented,
    find_refresh_token,
    find_session,
    find_session_roles,
    is_active,
)
from rbac_api.database.tables import sessions
from rbac_api.database.types import new_id
from rbac_api.decision.model import EVERYTHING, SessionRoles
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.clients import Client
from rbac_api.settings import Settings

__all__ = [
    "PASSWORD",
    "PROVED",
    "AuthMethod",
    "Origin",
    "RefreshTokenRecord",
    "Termination",
    "begin_client_session",
    "begin_session",
    "choose_roles",
    "close_all_sessions",
    "close_session",
    "close_sessions",
    "close_user_sessions",
    "delete_old_sessions",
    "end_own_session",
    "end_own_sessions",
    "end_session",
    "find_presented",
    "find_session",
    "forget_second_factor",
    "get_session",
    "is_live",
    "leave_session",
    "list_own_sessions",
    "list_refresh_tokens",
    "list_sessions",
    "make_room",
    "rotate",
    "same_successor",
    "signed_between",
]  # fmt: skip
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


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """How the user authenticated (``amr``, RFC 8176), and the roles to begin with: ``chosen`` ones, or
    all."""

    amr: tuple[str, ...] = PASSWORD
    chosen: frozenset[str] | None = None


PROVED = AuthMethod()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in or refresh came from."""

    ip: str | None
    user_agent: str | None
    client_id: str


def begin_session(
    connection: Connection,
    settings: Settings,
    user_id: str,
    origin: Origin,
    proof: AuthMethod = PROVED,
) -> RefreshTokenRecord:
    """Begin a session with its first refresh token, generation 1; ids are always new (no fixation)."""
    now = clock.now()
    absolute = _deadline(now, settings.session_seconds)
    idle = min(_deadline(now, settings.refresh_token_seconds), absolute)
    record = RefreshTokenRecord(
        session_id=new_id(), user_id=user_id, client_id=origin.client_id, jti=new_id(), generation=1,
        issued_at=now, expires_at=idle, auth_time=now, absolute_expires_at=absolute, amr=proof.amr,
        roles=SessionRoles(proof.chosen),
    )  # fmt: skip
    _add_session(connection, record, origin)
    _add_token(connection, record, origin.ip)
    return record


def begin_client_session(
    connection: Connection, settings: Settings, client: Client, origin: Origin
) -> RefreshTokenRecord:
    """Begin the session of a service account.

    It has no refresh token, so it ends with its one access token, or earlier with the secret.
    """
    now = clock.now()
    ends = min(_deadline(now, settings.access_token_seconds), client.secret_expires_at.replace(microsecond=0))
    record = RefreshTokenRecord(
        session_id=new_id(), user_id=client.id, client_id=client.id, jti="", generation=0, issued_at=now,
        expires_at=ends, auth_time=now, absolute_expires_at=ends, amr=(),
    )  # fmt: skip
    _add_session(connection, record, origin, client.secret_id)
    return record


def rotate(
    connection: Connection, settings: Settings, session: SessionRow, spent: RefreshTokenRow, ip: str | None
) -> RefreshTokenRecord:
    """Exchange an unspent token of a live session for its successor.

    If another request was quicker: ``Clash``, nothing changed, and a repetition gets the same successor.
    """
    now = clock.now()
    idle = min(_deadline(now, settings.refresh_token_seconds), session.absolute_expires_at)
    # Not before the access tokens that were issued with longer lifetimes: a session that is over cannot
    # be ended.
    lasts = max(idle, session.idle_expires_at)
    successor = new_id()
    if not (
        queries.touch_session(connection, session.id, spent.generation, now, lasts)
        and queries.spend_refresh_token(connection, spent.jti, now, successor)
    ):
        raise Clash(internal=f"generation {spent.generation} of session {session.id} was exchanged meanwhile")
    token = RefreshTokenRow(successor, session.id, spent.generation + 1, now, idle, None, None, ip)
    record = _record(connection, session, token)
    _add_token(connection, record, ip)
    return record


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


def forget_second_factor(connection: Connection, session_id: str) -> None:
    """Count a session as one without a second factor from now on, since it was removed."""
    queries.set_amr(connection, session_id, " ".join(PASSWORD))


def choose_roles(connection: Connection, session_id: str, chosen: Iterable[str]) -> None:
    """Make only these roles active in a session from now on, besides its activations."""
    queries.set_active_roles(connection, session_id, " ".join(sorted(chosen)))


def is_live(session: SessionRow) -> bool:
    """Whether the session is active at this moment."""
    now = clock.now()
    return session.ended_at is None and now < session.idle_expires_at and now < session.absolute_expires_at


def get_session(clearance: Clearance, session_id: str) -> SessionAnswer:
    """One session, active or ended."""
    session = SessionNotFound.require(find_session(clearance.connection, session_id))
    return describe(session)


def list_sessions(clearance: Clearance, filters: SessionFilters, page: PageRequest) -> Page[SessionAnswer]:
    """Sessions across all users, newest first, by state, user (id or name), role, address and time."""
    return _page(clearance, conditions(clearance, filters), page)


def list_own_sessions(clearance: Clearance, page: PageRequest) -> Page[OwnSessionAnswer]:
    """The caller's active sessions, with ``current`` set."""
    conditions = [sessions.c.user_id == clearance.actor.id, is_active(clock.now())]
    mine = clearance.actor.session_id
    return _page(clearance, conditions, page).map(lambda item: {**item, "current": item["id"] == mine})


def list_refresh_tokens(clearance: Clearance, session_id: str, page: PageRequest) -> Page[RefreshTokenAnswer]:
    """Every rotation of a session, in order of generation, without the tokens."""
    SessionNotFound.require(find_session(clearance.connection, session_id))
    rows = queries.list_refresh_tokens(clearance.connection, session_id, page.after, page.limit + 1)
    total = queries.count_refresh_tokens(clearance.connection, session_id) if page.count else None
    return cut(rows, page, lambda row: (row.generation,), total).map(describe_token)


def _page(
    clearance: Clearance, conditions: list[ColumnElement[bool]], page: PageRequest
) -> Page[SessionAnswer]:
    rows = queries.list_sessions(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_sessions(clearance.connection, conditions) if page.count else None
    return cut(rows, page, lambda row: (row.id,), total).map(describe)


def _deadline(now: datetime, seconds: int) -> datetime:
    """The deadline in whole seconds, like ``exp``: the list must show the end of the refresh token."""
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)


def _record(connection: Connection, session: SessionRow, token: RefreshTokenRow) -> RefreshTokenRecord:
    """The record of a token of an existing session."""
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
        roles=find_session_roles(connection, session.id, session.active_roles, clock.now()),
    )


def _add_session(
    connection: Connection, record: RefreshTokenRecord, origin: Origin, client_secret_id: str | None = None
) -> None:
    chosen = record.roles.chosen
    row = {
        "id": record.session_id, "user_id": record.user_id, "client_id": record.client_id,
        "created_at": record.auth_time, "last_seen_at": record.issued_at,
        "idle_expires_at": record.expires_at, "absolute_expires_at": record.absolute_expires_at,
        "generation": record.generation, "amr": " ".join(record.amr), "client_secret_id": client_secret_id,
        "ip": origin.ip, "user_agent": origin.user_agent,
        "active_roles": None if chosen is None else " ".join(sorted(chosen)),
    }  # fmt: skip
    queries.add_session(connection, row)


def _add_token(connection: Connection, record: RefreshTokenRecord, ip: str | None) -> None:
    row = {
        "jti": record.jti, "session_id": record.session_id, "generation": record.generation,
        "issued_at": record.issued_at, "expires_at": record.expires_at, "ip": ip,
    }  # fmt: skip
    queries.add_refresh_token(connection, row)
