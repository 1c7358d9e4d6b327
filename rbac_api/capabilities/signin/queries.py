"""SQL for signing in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, insert, select, update

from rbac_api.database.tables import signin_attempts as attempts
from rbac_api.database.tables import totp_factors, users

# What every sign-in asks, put together once.
_ACCOUNT: Select[Any] = (
    select(*users.c, totp_factors.c.confirmed_at.label("second_factor_since"))
    .select_from(users.outerjoin(totp_factors, totp_factors.c.user_id == users.c.id))
    .where(users.c.username_canonical == bindparam("name"), users.c.kind == "person")
)
_ATTEMPTS: Select[Any] = select(attempts).where(attempts.c.name_digest == bindparam("digest"))


def find_account(connection: Connection, name: str) -> Row[Any] | None:
    """What is needed to judge a person's sign-in, by canonical name, and since when a second factor of hers counts; a service account has
    no password and is nobody here."""
    return connection.execute(_ACCOUNT, {"name": name}).first()


def find_attempts(connection: Connection, digest: str) -> Row[Any] | None:
    return connection.execute(_ATTEMPTS, {"digest": digest}).first()


def count_failure(connection: Connection, digest: str, now: datetime) -> int:
    """One failure more; how many in a row there are now."""
    raised = (
        update(attempts)
        .where(attempts.c.name_digest == digest)
        .values(failures=attempts.c.failures + 1, last_failed_at=now)
    )
    failures = connection.execute(raised.returning(attempts.c.failures)).scalar()
    if failures is None:
        connection.execute(insert(attempts).values(name_digest=digest, failures=1, last_failed_at=now))
        return 1
    return int(failures)


def block(connection: Connection, digest: str, until: datetime) -> None:
    connection.execute(update(attempts).where(attempts.c.name_digest == digest).values(blocked_until=until))


def clear_failures(connection: Connection, digest: str) -> None:
    connection.execute(delete(attempts).where(attempts.c.name_digest == digest))


def clear_old_failures(connection: Connection, before: datetime) -> None:
    """Counts that nobody added to for long; they would otherwise collect for every name ever mistyped."""
    connection.execute(delete(attempts).where(attempts.c.last_failed_at < before))
