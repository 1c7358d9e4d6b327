"""SQL for signing in."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from rbac_api.database.tables import totp_factors, users

# What every sign-in asks, put together once.
_ACCOUNT: Select[Any] = (
    select(*users.c, totp_factors.c.confirmed_at.label("second_factor_since"))
    .select_from(users.outerjoin(totp_factors, totp_factors.c.user_id == users.c.id))
    .where(users.c.username_canonical == bindparam("name"), users.c.kind == "person")
)


def find_account(connection: Connection, name: str) -> Row[Any] | None:
    """What is needed to judge a person's sign-in, by canonical name, and since when a second factor of hers counts; a service account has
    no password and is nobody here."""
    return connection.execute(_ACCOUNT, {"name": name}).first()
