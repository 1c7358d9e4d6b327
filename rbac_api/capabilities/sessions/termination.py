"""Ends sessions: one, a user's, or all that match. Part of the service, in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.sessions import queries
from rbac_api.capabilities.sessions.errors import SessionNotFound
from rbac_api.capabilities.sessions.queries_beginning import freeze_sessions
from rbac_api.database.queries.sessions import SessionRow, find_session
from rbac_api.database.tables import sessions
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import revoke
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor, Target, record

LISTED = 50  # ids of sessions in one event


@dataclass(frozen=True, slots=True)
class Termination:
    """Who ends a session (None: a deadline or a detection) and why."""

    by: str | None
    reason: str


def make_room(connection: Connection, settings: Settings, actor: Actor) -> None:
    """Before a session begins: end the user's oldest active ones that would exceed ``RBAC_MAX_SESSIONS`` with
    it.

    In the same transaction, under the write lock, so that parallel sign-ins cannot exceed the limit.
    ``actor`` is the user who signs in. Not for service accounts: each of their tokens is valid until it
    expires, and ``RBAC_TOKEN_LIMIT`` refuses new ones.
    """
    surplus = queries.list_surplus(connection, actor.id or "", settings.max_sessions - 1, clock.now())
    ending = Termination(None, "session-limit")
    for session_id in (
        close_sessions(connection, settings, queries.is_one_of(surplus), ending) if surplus else ()
    ):
        facts = {"user": {"id": actor.id, "username": actor.name}, "end_reason": ending.reason}
        target = Target("session", session_id, actor.name, actor.home)
        record(connection, actor, "session.ended", target, reason=ending.reason, after=facts)


def close_sessions(
    connection: Connection, settings: Settings, condition: ColumnElement[bool], ending: Termination
) -> list[str]:
    """End the active sessions that match, and inform detached verifiers. Returns the ids of those that ended.

    Every early end of a session goes through here.
    """
    ended = queries.end_sessions(connection, condition, clock.now(), ending.by, ending.reason)
    revoke(connection, settings, "sid", ended)
    return ended


def close_session(connection: Connection, settings: Settings, session_id: str, ending: Termination) -> bool:
    """End one session; returns whether it was active."""
    return bool(close_sessions(connection, settings, sessions.c.id == session_id, ending))


def close_all_sessions(connection: Connection, settings: Settings, ending: Termination) -> list[str]:
    """End every active session; returns their ids."""
    freeze_sessions(connection)
    return close_sessions(connection, settings, queries.is_any(), ending)


def close_user_sessions(
    connection: Connection, settings: Settings, user_id: str, ending: Termination, *, but: str | None = None
) -> list[str]:
    """End a user's active sessions, except the named one; returns their ids."""
    condition = sessions.c.user_id == user_id
    return close_sessions(
        connection, settings, condition & (sessions.c.id != but) if but else condition, ending
    )


def find_session_at_home(clearance: Clearance, session_id: str) -> tuple[Clearance, SessionRow]:
    """The row, and the clearance at the home of its user; 404 for an unknown session, and for one that the
    caller may not read."""
    session = SessionNotFound.require(find_session(clearance.connection, session_id))
    return clearance.over(session.home, "sessions:read", SessionNotFound), session


def end_session(clearance: Clearance, session_id: str) -> None:
    """End a user's session. 404 unknown, or of a user whose sessions the caller may not read; 403
    ``target.stronger``; an ended one does not change."""
    here, session = find_session_at_home(clearance, session_id)
    if session.user_id != clearance.actor.id:
        here.require_outranks_user(session.user_id, session.username)
    _end(clearance.connection, clearance.settings, clearance.actor, session, "admin")


def end_own_session(clearance: Clearance, session_id: str) -> None:
    """End a session of the caller; another user's is unknown, like one that does not exist."""
    session = find_session(clearance.connection, session_id)
    if session is None or session.user_id != clearance.actor.id:
        raise SessionNotFound()
    leave_session(clearance.connection, clearance.settings, clearance.actor, session)


def end_own_sessions(clearance: Clearance, *, keep_current: bool) -> None:
    """End every active session of the caller, or all except the current one."""
    actor, kept = clearance.actor, clearance.actor.session_id if keep_current else None
    ending = Termination(actor.id, "logout")
    ended = close_user_sessions(clearance.connection, clearance.settings, actor.id or "", ending, but=kept)
    if ended:
        facts = {"sessions": ended[:LISTED], "count": len(ended), "end_reason": ending.reason}
        clearance.record("sessions.ended", Target("user", actor.id, actor.name), after=facts)


def leave_session(connection: Connection, settings: Settings, actor: Actor, session: SessionRow) -> None:
    """End a session because its user signs out; an ended one does not change."""
    _end(connection, settings, actor, session, "logout")


def _end(connection: Connection, settings: Settings, actor: Actor, session: SessionRow, reason: str) -> None:
    if close_session(connection, settings, session.id, Termination(actor.id, reason)):
        facts = {"user": {"id": session.user_id, "username": session.username}, "end_reason": reason}
        target = Target("session", session.id, session.username, session.home)
        record(connection, actor, "session.ended", target, reason=reason, after=facts)
