"""Begins, rotates, ends and lists sessions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries, queries_beginning
from rbac_api.capabilities.sessions.answers import (
    OwnSessionAnswer,
    RefreshTokenAnswer,
    SessionAnswer,
    SessionFilters,
)
from rbac_api.capabilities.sessions.filters import are_all_active, conditions, signed_between
from rbac_api.capabilities.sessions.queries_beginning import beginning, freeze_sessions
from rbac_api.capabilities.sessions.queries_rotation import Presented, find_presented
from rbac_api.capabilities.sessions.retention import delete_old_sessions, erase_addresses
from rbac_api.capabilities.sessions.rotation import (
    PASSWORD,
    RefreshTokenRecord,
    add_token,
    deadline,
    exchange,
    get_presented,
    rotate_without_lock,
    successor_of,
    token_row,
    user_actor,
)
from rbac_api.capabilities.sessions.serializers import describe, describe_all, describe_token
from rbac_api.capabilities.sessions.termination import (
    Termination,
    close_all_sessions,
    close_session,
    close_sessions,
    close_user_sessions,
    end_own_session,
    end_own_sessions,
    end_session,
    find_session_at_home,
    leave_session,
    make_room,
)
from rbac_api.database.queries.sessions import SessionRow, find_session, is_active
from rbac_api.database.tables import sessions
from rbac_api.database.types import new_id
from rbac_api.decision.model import ROOT, SessionRoles
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.clients import Client
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor

__all__ = [
    "PASSWORD",
    "PROVED",
    "AuthMethod",
    "Origin",
    "Presented",
    "RefreshTokenRecord",
    "Termination",
    "begin_client_session",
    "begin_session",
    "beginning",
    "beginning_values",
    "choose_roles",
    "close_all_sessions",
    "close_session",
    "close_sessions",
    "close_user_sessions",
    "delete_old_sessions",
    "describe",
    "end_own_session",
    "end_own_sessions",
    "end_session",
    "erase_addresses",
    "exchange",
    "find_presented",
    "find_session",
    "forget_second_factor",
    "freeze_sessions",
    "get_presented",
    "get_session",
    "leave_session",
    "list_own_sessions",
    "list_refresh_tokens",
    "list_sessions",
    "make_room",
    "new_session",
    "rotate_without_lock",
    "signed_between",
    "successor_of",
    "user_actor",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AuthMethod:
    """How the user authenticated (``amr``, RFC 8176), the roles to begin with (``chosen`` ones, or all), and
    the domain to act at."""

    amr: tuple[str, ...] = PASSWORD
    chosen: frozenset[str] | None = None
    domain: str = ROOT


PROVED = AuthMethod()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in came from."""

    ip: str | None
    user_agent: str | None
    client_id: str

    @classmethod
    def of(cls, actor: Actor, client_id: str) -> Origin:
        """That of this request, by an app."""
        return cls(actor.ip, actor.safe_user_agent, client_id)


def new_session(
    settings: Settings, user_id: str, origin: Origin, proof: AuthMethod = PROVED
) -> RefreshTokenRecord:
    """The record of a new session's first refresh token, generation 1; ids are always new (no fixation). It
    is not written yet."""
    now = clock.now()
    absolute = deadline(now, settings.session_seconds)
    idle = min(deadline(now, settings.refresh_token_seconds), absolute)
    return RefreshTokenRecord(
        session_id=new_id(), user_id=user_id, client_id=origin.client_id, jti=new_id(), generation=1,
        issued_at=now, expires_at=idle, auth_time=now, absolute_expires_at=absolute, amr=proof.amr,
        roles=SessionRoles(proof.chosen, domain=proof.domain),
    )  # fmt: skip


def begin_session(
    connection: Connection,
    settings: Settings,
    user_id: str,
    origin: Origin,
    proof: AuthMethod = PROVED,
) -> RefreshTokenRecord:
    """Begin a session with its first refresh token."""
    record = new_session(settings, user_id, origin, proof)
    queries.add_session(connection, _session_row(record, origin))
    add_token(connection, record, origin.ip)
    return record


def beginning_values(record: RefreshTokenRecord, origin: Origin) -> dict[str, object]:
    """The parameters of a statement with ``beginning``."""
    return queries_beginning.parameters(_session_row(record, origin), token_row(record, origin.ip))


def begin_client_session(
    connection: Connection, settings: Settings, client: Client, origin: Origin, domain: str = ROOT
) -> RefreshTokenRecord:
    """Begin the session of a service account at a domain.

    It has no refresh token, so it ends with its one access token, or earlier with the secret.
    """
    now = clock.now()
    ends = min(deadline(now, settings.access_token_seconds), client.secret_expires_at.replace(microsecond=0))
    record = RefreshTokenRecord(
        session_id=new_id(), user_id=client.id, client_id=client.id, jti="", generation=0, issued_at=now,
        expires_at=ends, auth_time=now, absolute_expires_at=ends, amr=(), roles=SessionRoles(domain=domain),
    )  # fmt: skip
    queries.add_session(connection, _session_row(record, origin, client.secret_id))
    return record


def forget_second_factor(connection: Connection, session_id: str) -> None:
    """Count a session as one without a second factor from now on, since it was removed."""
    queries.set_amr(connection, session_id, " ".join(PASSWORD))


def choose_roles(connection: Connection, session_id: str, chosen: Iterable[str]) -> None:
    """Make only these roles active in a session from now on, besides its activations."""
    queries.set_active_roles(connection, session_id, " ".join(sorted(chosen)))


def get_session(clearance: Clearance, session_id: str) -> SessionAnswer:
    """One session, active or ended; 404 for one that is unknown, or whose user is at home where the caller
    may not read sessions."""
    session = find_session_at_home(clearance, session_id)[1]
    return describe_all(clearance, clearance.connection, [session])[0]


def list_sessions(
    clearance: Clearance, filters: SessionFilters, page: PageRequest, at: datetime | None = None
) -> Page[SessionAnswer]:
    """Sessions across all users, newest first, by state, user (id or name), role, address and time; now, or
    as they were at that moment."""
    plain = not (at or page.count) and are_all_active(filters)
    if not plain or clearance.domains_granting() != (ROOT,):
        return _page(clearance, conditions(clearance, filters, at), page, at)
    rows = queries.list_active_sessions(clearance.connection, page.after, page.limit + 1, clock.now())
    return _described(clearance, cut(rows, page, lambda row: (row.id,), None))


def list_own_sessions(clearance: Clearance, page: PageRequest) -> Page[OwnSessionAnswer]:
    """The caller's active sessions, with ``current`` set."""
    conditions = [sessions.c.user_id == clearance.actor.id, is_active(clock.now())]
    mine = clearance.actor.session_id
    return _page(clearance, conditions, page).map(lambda item: {**item, "current": item["id"] == mine})


def list_refresh_tokens(clearance: Clearance, session_id: str, page: PageRequest) -> Page[RefreshTokenAnswer]:
    """Every rotation of a session, in order of generation, without the tokens."""
    find_session_at_home(clearance, session_id)
    rows = queries.list_refresh_tokens(clearance.connection, session_id, page.after, page.limit + 1)
    total = queries.count_refresh_tokens(clearance.connection, session_id) if page.count else None
    return cut(rows, page, lambda row: (row.generation,), total).map(describe_token)


def _page(
    clearance: Clearance,
    conditions: list[ColumnElement[bool]],
    page: PageRequest,
    at: datetime | None = None,
) -> Page[SessionAnswer]:
    rows = queries.list_sessions(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_sessions(clearance.connection, conditions) if page.count else None
    return _described(clearance, cut(rows, page, lambda row: (row.id,), total), at)


def _described(
    clearance: Clearance, page: Page[SessionRow], at: datetime | None = None
) -> Page[SessionAnswer]:
    return Page(describe_all(clearance, clearance.connection, page.items, at), page.next_key, page.total)


def _session_row(
    record: RefreshTokenRecord, origin: Origin, client_secret_id: str | None = None
) -> dict[str, object]:
    chosen = record.roles.chosen
    return {
        "id": record.session_id, "user_id": record.user_id, "client_id": record.client_id,
        "created_at": record.auth_time, "last_seen_at": record.issued_at,
        "idle_expires_at": record.expires_at, "absolute_expires_at": record.absolute_expires_at,
        "generation": record.generation, "amr": " ".join(record.amr), "client_secret_id": client_secret_id,
        "ip": origin.ip, "user_agent": origin.user_agent, "domain": record.roles.domain,
        "active_roles": None if chosen is None else " ".join(sorted(chosen)),
    }  # fmt: skip
