"""SQL for signing keys."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from rbac_api.database.tables import signing_keys


class SigningKeyRow(NamedTuple):
    """A key stored in SQL; ``signs_from`` is None for one that signed from the moment it was made."""

    kid: str
    algorithm: str
    public_jwk: str
    private_sealed: str
    created_at: datetime
    retired_at: datetime | None
    withdrawn_at: datetime | None
    signs_from: datetime | None


_KEY = tuple(signing_keys.c[name] for name in SigningKeyRow._fields)


def add_key(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(signing_keys).values(values))


def find_key(connection: Connection, kid: str) -> SigningKeyRow | None:
    row = connection.execute(select(*_KEY).where(signing_keys.c.kid == kid)).first()
    return SigningKeyRow._make(row) if row else None


def list_keys(connection: Connection) -> list[SigningKeyRow]:
    """Keys, newest first."""
    order = (signing_keys.c.created_at.desc(), signing_keys.c.kid.desc())
    return [SigningKeyRow._make(row) for row in connection.execute(select(*_KEY).order_by(*order))]


def retire_waiting_keys(connection: Connection, algorithm: str, now: datetime) -> None:
    """Keys of this algorithm that wait to sign never will."""
    waiting = (signing_keys.c.algorithm == algorithm, signing_keys.c.signs_from > now)
    connection.execute(
        update(signing_keys).where(*waiting, signing_keys.c.retired_at.is_(None)).values(retired_at=now)
    )


def withdraw_key(connection: Connection, kid: str, now: datetime) -> bool:
    """Withdraw the key and erase its private part; False if that was so already."""
    mine = (signing_keys.c.kid == kid, signing_keys.c.withdrawn_at.is_(None))
    withdrawing = update(signing_keys).where(*mine).values(withdrawn_at=now, private_sealed="")
    return connection.execute(withdrawing).rowcount == 1
