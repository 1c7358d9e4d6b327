"""SQL for signing keys."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from rbac_api.database.tables import signing_keys


def add_key(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(signing_keys).values(values))


def find_key(connection: Connection, kid: str) -> Row[Any] | None:
    return connection.execute(select(signing_keys).where(signing_keys.c.kid == kid)).first()


def list_keys(connection: Connection) -> list[Row[Any]]:
    """Newest first."""
    order = (signing_keys.c.created_at.desc(), signing_keys.c.kid.desc())
    return list(connection.execute(select(signing_keys).order_by(*order)))


def retire_waiting_keys(connection: Connection, algorithm: str, now: datetime) -> None:
    """Those of an algorithm that wait will never sign."""
    waiting = (signing_keys.c.algorithm == algorithm, signing_keys.c.signs_from > now)
    connection.execute(
        update(signing_keys).where(*waiting, signing_keys.c.retired_at.is_(None)).values(retired_at=now)
    )


def withdraw_key(connection: Connection, kid: str, now: datetime) -> bool:
    """It verifies no more, and its private part is gone; False if that was so already."""
    mine = (signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
    withdrawing = update(signing_keys).where(*mine).values(withdrawn_at=now, private_sealed="")
    return connection.execute(withdrawing).rowcount == 1
