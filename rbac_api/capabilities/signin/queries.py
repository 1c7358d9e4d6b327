"""SQL for signing in."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.tables import totp_factors, users
from rbac_api.decision.model import Status


class SigninRow(NamedTuple):
    """What a sign-in of a user is checked against; ``second_factor_since``: when a second factor began to
    count."""

    id: str
    username: str
    status: Status
    password_hash: str | None
    password_temporary: bool
    second_factor_since: datetime | None


# What every sign-in asks, built once.
_FIND_ACCOUNT = (
    select(*(users.c[name] for name in SigninRow._fields[:-1]), totp_factors.c.confirmed_at)
    .select_from(users.outerjoin(totp_factors, totp_factors.c.user_id == users.c.id))
    .where(users.c.username_canonical == bindparam("name"), users.c.kind == "person")
)


def find_account(connection: Connection, name: str) -> SigninRow | None:
    """A user by canonical name; service accounts have no password and are not found."""
    row = connection.execute(_FIND_ACCOUNT, {"name": name}).first()
    return SigninRow._make(row) if row else None
