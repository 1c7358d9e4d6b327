"""SQL for second factors and recovery codes. Everything that is spent is spent by one conditional write."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from rbac_api.database.tables import recovery_codes, totp_factors


class FactorRow(NamedTuple):
    """A second factor; valid from ``confirmed_at`` on, and only for codes after ``last_step``."""

    user_id: str
    secret_sealed: str
    created_at: datetime
    confirmed_at: datetime | None
    last_step: int | None


_FACTOR = select(*(totp_factors.c[name] for name in FactorRow._fields)).where(
    totp_factors.c.user_id == bindparam("user_id")
)


def find_factor(connection: Connection, user_id: str) -> FactorRow | None:
    row = connection.execute(_FACTOR, {"user_id": user_id}).first()
    return FactorRow._make(row) if row else None


def add_factor(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(totp_factors).values(values))


def end_factor(connection: Connection, user_id: str) -> None:
    """Erase a user's factor and recovery codes, whatever state they are in."""
    connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    connection.execute(delete(totp_factors).where(totp_factors.c.user_id == user_id))


def confirm_factor(connection: Connection, factor: FactorRow, step: int, now: datetime) -> bool:
    """Make the factor that was read valid from now on, and spend its first code."""
    same = (totp_factors.c.user_id == factor.user_id, totp_factors.c.secret_sealed == factor.secret_sealed)
    waiting = update(totp_factors).where(*same, totp_factors.c.confirmed_at.is_(None))
    return connection.execute(waiting.values(confirmed_at=now, last_step=step)).rowcount == 1


def spend_step(connection: Connection, factor: FactorRow, step: int) -> bool:
    """Spend a time step, and all before it, if it is unspent: only one of many attempts succeeds (RFC 6238
    section 5.2)."""
    same = (totp_factors.c.user_id == factor.user_id, totp_factors.c.secret_sealed == factor.secret_sealed)
    unspent = or_(totp_factors.c.last_step.is_(None), totp_factors.c.last_step < step)
    spent = update(totp_factors).where(*same, totp_factors.c.confirmed_at.is_not(None), unspent)
    return connection.execute(spent.values(last_step=step)).rowcount == 1


def add_recovery_codes(connection: Connection, user_id: str, hashes: list[str], now: datetime) -> None:
    rows = [{"code_hash": code_hash, "user_id": user_id, "created_at": now} for code_hash in hashes]
    connection.execute(insert(recovery_codes), rows)


def spend_recovery_code(connection: Connection, user_id: str, code_hash: str, now: datetime) -> bool:
    """Spend the code if it is the user's and unspent."""
    codes = recovery_codes.c
    hers = (codes.user_id == user_id, codes.code_hash == code_hash, codes.spent_at.is_(None))
    return connection.execute(update(recovery_codes).where(*hers).values(spent_at=now)).rowcount == 1


def count_recovery_codes(connection: Connection, user_id: str) -> int:
    """How many codes are left."""
    codes = recovery_codes.c
    counting = select(func.count()).select_from(recovery_codes)
    return connection.execute(counting.where(codes.user_id == user_id, codes.spent_at.is_(None))).scalar_one()


def delete_unconfirmed_factors(connection: Connection, before: datetime, limit: int) -> int:
    """Delete factors that were started before that moment and never confirmed; returns the number."""
    waiting = (totp_factors.c.confirmed_at.is_(None), totp_factors.c.created_at < before)
    some = select(totp_factors.c.user_id).where(*waiting).limit(limit)
    return connection.execute(delete(totp_factors).where(totp_factors.c.user_id.in_(some))).rowcount
