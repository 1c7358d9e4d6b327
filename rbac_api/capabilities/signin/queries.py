"""SQL for signing in."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select, true

from rbac_api.capabilities.attempts.service import clearing
from rbac_api.capabilities.sessions.service import beginning
from rbac_api.capabilities.users.service import ROW_VERSION, signing_in
from rbac_api.database.queries.sessions import is_active
from rbac_api.database.queries.trail import NEWEST
from rbac_api.database.queries.users import ACCOUNT, AccountRow
from rbac_api.database.tables import sessions, totp_factors, users
from rbac_api.decision.model import Status
from rbac_api.trail.outbox import entering


class SigninRow(NamedTuple):
    """What a sign-in of a user is checked against; ``second_factor_since``: when a second factor began to
    count."""

    id: str
    username: str
    status: Status
    password_hash: str | None
    password_temporary: bool
    home: str
    second_factor_since: datetime | None

    @property
    def named(self) -> tuple[str, str, str]:
        """Id, name and home, as the trail has them."""
        return self.id, self.username, self.home


class Current(NamedTuple):
    """An account after its password was compared: which version of the row that is, the hash, the number of
    active sessions, and the trail's newest event; all as of one moment."""

    version: str
    password_hash: str | None
    sessions: int
    end: tuple[int, str]
    account: AccountRow


# What every sign-in asks, built once.
_FIND_ACCOUNT = (
    select(*(users.c[name] for name in SigninRow._fields[:-1]), totp_factors.c.confirmed_at)
    .select_from(users.outerjoin(totp_factors, totp_factors.c.user_id == users.c.id))
    .where(users.c.username_canonical == bindparam("name"), users.c.kind == "person")
)
_SESSIONS = select(func.count()).where(sessions.c.user_id == users.c.id, is_active(bindparam("at")))
_FIND_CURRENT = (
    select(ROW_VERSION, users.c.password_hash, _SESSIONS.scalar_subquery(), *NEWEST.c, *ACCOUNT)
    .select_from(users.join(NEWEST, true()))
    .where(users.c.id == bindparam("user_id"))
)
_SIGNED_IN = signing_in()
_SIGN_IN_WITHOUT_LOCK = (
    select(func.count())
    .select_from(_SIGNED_IN)
    .add_cte(
        *beginning(_SIGNED_IN), clearing(_SIGNED_IN).cte("cleared"), entering(_SIGNED_IN).cte("recorded")
    )
)


def find_account(connection: Connection, name: str) -> SigninRow | None:
    """A user by canonical name; service accounts have no password and are not found."""
    row = connection.execute(_FIND_ACCOUNT, {"name": name}).first()
    return SigninRow._make(row) if row else None


def find_current(connection: Connection, user_id: str, at: datetime) -> Current:
    """An account that exists, as it is after its password was compared (PostgreSQL)."""
    row = connection.execute(_FIND_CURRENT, {"user_id": user_id, "at": at}).one()
    version, password_hash, active, seq, digest, *account = row
    return Current(version, password_hash, active, (seq, digest), AccountRow._make(account))


def sign_in_without_lock(connection: Connection, values: dict[str, object]) -> bool:
    """Begin a session with its first refresh token, note it in the user's row, forget earlier failures and
    add the event, in a statement that is a transaction of its own (PostgreSQL).

    False, and nothing is changed, if anything was written to the user's row since it was read, or a second
    factor was confirmed.  Waits for a transaction that is changing the row.
    """
    return connection.execute(_SIGN_IN_WITHOUT_LOCK, values).scalar_one() == 1
