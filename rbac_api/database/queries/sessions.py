"""Reads sessions, their refresh tokens, and which roles count in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, func, select

from rbac_api import clock
from rbac_api.database.tables import activations, refresh_tokens, roles, sessions, users
from rbac_api.decision.model import EVERYTHING, ROOT, Activation, SessionRoles


class Begun(NamedTuple):
    """How a session began: with which roles (names separated by spaces; None: all), and at which domain."""

    active_roles: str | None
    domain: str


class SessionRow(NamedTuple):
    """A session, and the name and the home of its user; ``amr`` and ``active_roles`` are names separated by
    spaces."""

    id: str
    user_id: str
    client_id: str
    created_at: datetime
    last_seen_at: datetime
    idle_expires_at: datetime
    absolute_expires_at: datetime
    generation: int
    amr: str
    active_roles: str | None
    domain: str
    client_secret_id: str | None
    ip: str | None
    user_agent: str | None
    ended_at: datetime | None
    ended_by: str | None
    end_reason: str | None
    username: str
    home: str

    @property
    def begun(self) -> Begun:
        """Which roles count in it, and where."""
        return Begun(self.active_roles, self.domain)

    def is_live(self) -> bool:
        """Return whether the session is active at this moment."""
        now = clock.now()
        return self.ended_at is None and now < self.idle_expires_at and now < self.absolute_expires_at


class RefreshTokenRow(NamedTuple):
    """The record of a refresh token, without the token."""

    jti: str
    session_id: str
    generation: int
    issued_at: datetime
    expires_at: datetime
    spent_at: datetime | None
    replaced_by: str | None
    ip: str | None


SESSION = (*(sessions.c[name] for name in SessionRow._fields[:-2]), users.c.username, users.c.home)
"""The columns of a ``SessionRow``, where sessions and users are joined."""
SESSIONS_AND_USERS = sessions.join(users, sessions.c.user_id == users.c.id)
TOKEN = tuple(refresh_tokens.c[name] for name in RefreshTokenRow._fields)
_FIND_SESSION = (
    select(*SESSION).select_from(SESSIONS_AND_USERS).where(sessions.c.id == bindparam("session_id"))
)
_FIND_TOKEN = select(*TOKEN).where(refresh_tokens.c.jti == bindparam("presented"))
_ACTIVATIONS = (
    select(roles.c.name, activations.c.valid_from, activations.c.valid_to)
    .select_from(activations.join(roles, activations.c.role_id == roles.c.id))
    .where(
        activations.c.session_id == bindparam("session_id"),
        activations.c.valid_to > bindparam("at"),
        roles.c.valid_to.is_(None),
    )
    .order_by(activations.c.id)
)


def is_active(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition under which a session counts as active; ``now`` may be a bound parameter.

    It tests the reason of an end, which is set if and only if the moment is. The moment has an index, by
    which SQLite would collect and sort all sessions that were never ended, when the newest fifty are asked
    for.
    """
    return and_(
        sessions.c.end_reason.is_(None),
        sessions.c.idle_expires_at > now,
        sessions.c.absolute_expires_at > now,
    )


def find_session(connection: Connection, session_id: str) -> SessionRow | None:
    row = connection.execute(_FIND_SESSION, {"session_id": session_id}).first()
    return SessionRow._make(row) if row else None


def get_session(connection: Connection, session_id: str) -> SessionRow:
    """A session that exists."""
    return SessionRow._make(connection.execute(_FIND_SESSION, {"session_id": session_id}).one())


def find_refresh_token(connection: Connection, jti: str) -> RefreshTokenRow | None:
    row = connection.execute(_FIND_TOKEN, {"presented": jti}).first()
    return RefreshTokenRow._make(row) if row else None


def count_active(connection: Connection, now: datetime, *conditions: ColumnElement[bool]) -> int:
    """How many sessions are active, of those that match the conditions."""
    counting = select(func.count()).select_from(sessions)
    return connection.execute(counting.where(is_active(now), *conditions)).scalar_one()


def find_session_roles(connection: Connection, session_id: str, begun: Begun, at: datetime) -> SessionRoles:
    """The roles that a session began with (its row says which and where), and its activations that are not
    over."""
    rows = connection.execute(_ACTIVATIONS, {"session_id": session_id, "at": at})
    return session_roles(begun, (Activation(*row) for row in rows))


def session_roles(begun: Begun, activated: Iterable[Activation]) -> SessionRoles:
    """The roles of a session that began in this way, with those ``activated`` later."""
    activations = tuple(activated)
    if begun.active_roles is None and not activations and begun.domain == ROOT:
        return EVERYTHING
    chosen = None if begun.active_roles is None else frozenset(begun.active_roles.split())
    return SessionRoles(chosen, activations, begun.domain)
