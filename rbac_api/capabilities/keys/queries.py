"""SQL for signing keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from rbac_api.database.tables import signing_keys


def add_key(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(signing_keys).values(values))


def find_key(connection: Connection, kid: str) -> Row[Any] | None:
    return connection.execute(select(signing_keys).where(signing_keys.c.kid == kid)).first()


def list_keys(connection: Connection) -> list[Row[Any]]:
    """Newest first."""
    order = (signing_keys.c.created_at.desc(), signing_keys.c.kid.desc())
    return list(connection.execute(select(signing_keys).order_by(*order)))


def retire_keys(connection: Connection, algorithm: str, now: datetime) -> list[str]:
    """Those that sign with an algorithm sign no more; their names."""
    open_ones = (
        signing_keys.c.algorithm == algorithm,
        signing_keys.c.retired_at.is_(None),
        signing_keys.c.withdrawn_at.is_(None),
    )
    retiring = update(signing_keys).where(*open_ones).values(retired_at=now)
    return list(connection.execute(retiring.returning(signing_keys.c.kid)).scalars())


def withdraw_key(connection: Connection, kid: str, now: datetime) -> bool:
    """It verifies no more, and its private part is gone; False if that was so already."""
    mine = (signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
    withdrawing = update(signing_keys).where(*mine).values(withdrawn_at=now, private_sealed="")
    return connection.execute(withdrawing).rowcount == 1
