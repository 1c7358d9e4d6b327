"""Beginning, rotating, ending and listing sessions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.database.constraints import Clash
from rbac_api.database.tables import sessions, users
from rbac_api.database.types import new_id
from rbac_api.decision.names import canonical
from rbac_api.guard.clearance import Clearance
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Target
from rbac_api.web.fields import UUID
from rbac_api.web.pagination import Page, PageRequest, cut

_ID = re.compile(UUID, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grip:
    """A refresh token as its record has it: whose session, which generation, how long it lives."""

    session_id: str
    user_id: str
    client_id: str
    jti: str
    generation: int
    issued_at: datetime
    expires_at: datetime
    auth_time: datetime
    absolute_expires_at: datetime


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a sign-in or refresh came from."""

    ip: str | None
    user_agent: str | None
    client_id: str


def begin_session(connection: Connection, settings: Settings, user_id: str, origin: Origin) -> Grip:
    """A new session with its first refresh token, generation 1; ids are always new (no fixation)."""
    now = clock.now()
    absolute = _deadline(now, settings.session_seconds)
    idle = min(_deadline(now, settings.refresh_token_seconds), absolute)
    session_id = new_id()
    row = {
        "id": session_id, "user_id": user_id, "client_id": origin.client_id, "created_at": now, "last_seen_at": now,
        "idle_expires_at": idle, "absolute_expires_at": absolute, "generation": 1, "ip": origin.ip, "user_agent": origin.user_agent,
    }  # fmt: skip
    queries.add_session(connection, row)
    grip = Grip(session_id, user_id, origin.client_id, new_id(), 1, now, idle, now, absolute)
    _add_token(connection, grip, origin.ip)
    return grip


def rotate(
    connection: Connection, settings: Settings, session: Row[Any], spent: Row[Any], ip: str | None
) -> Grip:
    """Exchange an unspent token of a live session for its successor.

    If it is no longer so, since somebody was quicker: ``Clash``, nothing changed, and a repetition gets the same successor.
    """
    now = clock.now()
    idle = min(_deadline(now, settings.refresh_token_seconds), session.absolute_expires_at)
    successor = new_id()
    if not (
        queries.touch_session(connection, session.id, spent.generation, now, idle)
        and queries.spend_refresh_token(connection, spent.jti, now, successor)
    ):
        raise Clash(internal=f"generation {spent.generation} of session {session.id} was exchanged meanwhile")
    grip = Grip(
        session.id,
        session.user_id,
        session.client_id,
        successor,
        spent.generation + 1,
        now,
        idle,
        session.created_at,
        session.absolute_expires_at,
    )
    _add_token(connection, grip, ip)
    return grip


def same_successor(
    connection: Connection, settings: Settings, session: Row[Any], spent: Row[Any]
) -> Grip | None:
    """For the token just spent, inside the leeway counted from its first use, and while its successor is unused: that successor."""
    deadline = spent.spent_at + timedelta(seconds=settings.refresh_leeway_seconds)
    successor = queries.find_refresh_token(connection, spent.replaced_by)
    if (
        clock.now() >= deadline
        or successor is None
        or successor.spent_at
        or session.generation != spent.generation + 1
    ):
        return None
    return Grip(
        session.id, session.user_id, session.client_id, successor.jti, successor.generation, successor.issued_at, successor.expires_at,
        session.created_at, session.absolute_expires_at,
    )  # fmt: skip


def find_refresh(connection: Connection, jti: str) -> tuple[Row[Any], Row[Any]] | None:
    """A refresh token's row and its session's; None if there is none."""
    token = queries.find_refresh_token(connection, jti)
    session = queries.find_session(connection, token.session_id) if token else None
    return (token, session) if token and session else None


def is_live(session: Row[Any]) -> bool:
    """Whether the session is active at this moment."""
    now = clock.now()
    return session.ended_at is None and now < session.idle_expires_at and now < session.absolute_expires_at


def close_session(connection: Connection, session_id: str, by: str | None, reason: str) -> bool:
    """End one session if it is active; whether it was."""
    return bool(queries.end_sessions(connection, sessions.c.id == session_id, clock.now(), by, reason))


def close_user_sessions(
    connection: Connection, user_id: str, by: str | None, reason: str, *, but: str | None = None
) -> list[str]:
    """End a user's active sessions, all but one if it is named; the ids of those that ended."""
    condition = sessions.c.user_id == user_id
    return queries.end_sessions(
        connection, condition & (sessions.c.id != but) if but else condition, clock.now(), by, reason
    )


def end_session(clearance: Clearance, session_id: str, reason: str = "admin") -> None:
    """End somebody's session.  404 unknown; 403 ``target.stronger``; ending an ended one changes nothing."""
    session = queries.find_session(clearance.connection, session_id)
    if session is None:
        raise SessionNotFound()
    if session.user_id != clearance.actor.id:
        clearance.require_outranks_user(session.user_id, session.username)
    _end(clearance, session, reason)


def end_own_session(clearance: Clearance, session_id: str, reason: str = "logout") -> None:
    """End a session of one's own; somebody else's is as unknown as one that does not exist."""
    session = queries.find_session(clearance.connection, session_id)
    if session is None or session.user_id != clearance.actor.id:
        raise SessionNotFound()
    _end(clearance, session, reason)


def get_session(clearance: Clearance, session_id: str) -> dict[str, Any]:
    """One session, active or ended."""
    session = queries.find_session(clearance.connection, session_id)
    if session is None:
        raise SessionNotFound()
    return describe(session)


def list_sessions(clearance: Clearance, filters: dict[str, Any], page: PageRequest) -> Page:
    """Sessions across all users, newest first, by state, user (id or name), role, address and time."""
    return _page(clearance, _conditions(clearance, filters), page)


def list_own_sessions(clearance: Clearance, page: PageRequest) -> Page:
    """The caller's active sessions, ``current`` marked."""
    conditions = [sessions.c.user_id == clearance.actor.id, queries.is_active(clock.now())]
    found = _page(clearance, conditions, page)
    items = [{**item, "current": item["id"] == clearance.actor.session_id} for item in found.items]
    return Page(items, found.next_key, found.total)


def list_refresh_tokens(clearance: Clearance, session_id: str, page: PageRequest) -> Page:
    """Every rotation of a session, in order of generation; never the tokens themselves."""
    if queries.find_session(clearance.connection, session_id) is None:
        raise SessionNotFound()
    rows = queries.list_refresh_tokens(clearance.connection, session_id, page.after, page.limit + 1)
    total = queries.count_refresh_tokens(clearance.connection, session_id) if page.count else None
    found = cut(rows, page, lambda row: (row.generation,), total)
    return Page([_describe_token(row) for row in found.items], found.next_key, found.total)


def describe(row: Row[Any]) -> dict[str, Any]:
    """A session as it is shown; what a passed deadline means is worked out here."""
    ended_at, reason = row.ended_at, row.end_reason
    deadline = min(row.idle_expires_at, row.absolute_expires_at)
    if ended_at is None and deadline <= clock.now():
        ended_at, reason = deadline, "expired" if row.absolute_expires_at <= row.idle_expires_at else "idle"
    return {
        "id": row.id,
        "user": {"id": row.user_id, "username": row.username},
        "state": "active" if ended_at is None else "ended",
        "created_at": row.created_at,
        "last_seen_at": row.last_seen_at,
        "expires_at": deadline,
        "ip": row.ip,
        "user_agent": row.user_agent,
        "client_id": row.client_id,
        "ended_at": ended_at,
        "ended_by": row.ended_by,
        "end_reason": reason,
    }


def _end(clearance: Clearance, session: Row[Any], reason: str) -> None:
    if close_session(clearance.connection, session.id, clearance.actor.id, reason):
        facts = {"user": {"id": session.user_id, "username": session.username}, "end_reason": reason}
        clearance.record(
            "session.ended", Target("session", session.id, session.username), reason=reason, after=facts
        )


def _page(clearance: Clearance, conditions: list[ColumnElement[bool]], page: PageRequest) -> Page:
    rows = queries.list_sessions(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_sessions(clearance.connection, conditions) if page.count else None
    found = cut(rows, page, lambda row: (row.id,), total)
    return Page([describe(row) for row in found.items], found.next_key, found.total)


def _conditions(clearance: Clearance, filters: dict[str, Any]) -> list[ColumnElement[bool]]:
    now = clock.now()
    active = queries.is_active(now)
    listed = queries.is_listed(now - timedelta(days=clearance.settings.retention_days))
    states = {"active": active, "ended": ~active & listed, "all": listed}
    found = [states[filters.get("state", "active")]]
    if user := filters.get("user"):
        named = users.c.username_canonical == canonical(user)
        found.append(named | (sessions.c.user_id == user.lower()) if _ID.fullmatch(user) else named)
    if role := filters.get("role"):
        found.append(queries.holds_role(clearance.graph().seniors(role), now))
    if ip := filters.get("ip"):
        found.append(sessions.c.ip == ip)
    if after := filters.get("created_after"):
        found.append(sessions.c.created_at > after)
    if before := filters.get("created_before"):
        found.append(sessions.c.created_at < before)
    return found


def _deadline(now: datetime, seconds: int) -> datetime:
    """In whole seconds, as ``exp`` is: the list must say that a session ends when its refresh token does."""
    return (now + timedelta(seconds=seconds)).replace(microsecond=0)


def _add_token(connection: Connection, grip: Grip, ip: str | None) -> None:
    row = {
        "jti": grip.jti, "session_id": grip.session_id, "generation": grip.generation, "issued_at": grip.issued_at,
        "expires_at": grip.expires_at, "ip": ip,
    }  # fmt: skip
    queries.add_refresh_token(connection, row)


def _describe_token(row: Row[Any]) -> dict[str, Any]:
    return {
        "jti": row.jti,
        "generation": row.generation,
        "issued_at": row.issued_at,
        "expires_at": row.expires_at,
        "spent_at": row.spent_at,
        "replaced_by": row.replaced_by,
        "ip": row.ip,
    }
