"""SQL for signing in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from rbac_api.database.tables import signin_attempts as attempts
from rbac_api.database.tables import users


def find_account(connection: Connection, name: str) -> Row[Any] | None:
    """What is needed to judge a person's sign-in, by canonical name; a service account has no password and is nobody here."""
    person = (users.c.username_canonical == name, users.c.kind == "person")
    return connection.execute(select(users).where(*person)).first()


def find_attempts(connection: Connection, digest: str) -> Row[Any] | None:
    return connection.execute(select(attempts).where(attempts.c.name_digest == digest)).first()


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
