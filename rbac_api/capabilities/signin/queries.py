"""SQL for signing in."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.tables import totp_factors, users
from rbac_api.decision.model import Status


class SigninRow(NamedTuple):
    """What a person's sign-in is judged by; ``second_factor_since``: when a second factor began to count."""

    id: str
    username: str
    status: Status
    password_hash: str | None
    password_temporary: bool
    second_factor_since: datetime | None


# What every sign-in asks, put together once.
_FIND_ACCOUNT = (
    select(*(users.c[name] for name in SigninRow._fields[:-1]), totp_factors.c.confirmed_at)
    .select_from(users.outerjoin(totp_factors, totp_factors.c.user_id == users.c.id))
    .where(users.c.username_canonical == bindparam("name"), users.c.kind == "person")
)


def find_account(connection: Connection, name: str) -> SigninRow | None:
    """A person by canonical name; a service account has no password and is nobody here."""
    row = connection.execute(_FIND_ACCOUNT, {"name": name}).first()
    return SigninRow._make(row) if row else None
