"""SQL for the caller's own account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, exists, select

from rbac_api import clock
from rbac_api.database.prepared import Prepared
from rbac_api.database.queries.sessions import SESSION, SESSIONS_AND_USERS, SessionRow
from rbac_api.database.queries.users import LISTED, ListedUser
from rbac_api.database.tables import sessions, signin_attempts, totp_factors, users
from rbac_api.trail.recorder import Actor


class Account(NamedTuple):
    """A user with a session: until when the user cannot sign in, and whether signing in asks for a second
    factor."""

    user: ListedUser
    session: SessionRow
    locked_until: datetime | None
    second_factor: bool


def _account(row: Sequence[Any]) -> Account:
    end = len(LISTED) + len(SESSION)
    return Account(ListedUser._make(row[: len(LISTED)]), SessionRow._make(row[len(LISTED) : end]), *row[end:])


_BLOCKED = select(signin_attempts.c.blocked_until).where(
    signin_attempts.c.name_digest == bindparam("digest"), signin_attempts.c.blocked_until > bindparam("now")
)
_FACTOR = exists().where(totp_factors.c.user_id == users.c.id, totp_factors.c.confirmed_at.is_not(None))
_ACCOUNT = Prepared(
    select(*LISTED, *SESSION, _BLOCKED.scalar_subquery(), _FACTOR)
    .select_from(SESSIONS_AND_USERS)
    .where(
        sessions.c.id == bindparam("session_id"),
        users.c.id == bindparam("user_id"),
        users.c.kind == "person",
        users.c.status != "deleted",
    ),
    _account,
)


def find_account(connection: Connection, actor: Actor, digest: str) -> Account | None:
    """The account of a user and the session of this request; ``digest`` is that of the username, see
    ``attempts``."""
    mine = {"user_id": actor.id, "session_id": actor.session_id, "digest": digest}
    return _ACCOUNT.first(connection, **mine, now=clock.now())
