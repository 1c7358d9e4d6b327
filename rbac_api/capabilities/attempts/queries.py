"""SQL for failed proofs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from rbac_api.database.engine import batched
from rbac_api.database.tables import signin_attempts as attempts


class AttemptsRow(NamedTuple):
    """How often sign-ins with a name have failed, and until when they are blocked."""

    name_digest: str
    failures: int
    last_failed_at: datetime
    blocked_until: datetime | None


_ATTEMPTS = select(*(attempts.c[name] for name in AttemptsRow._fields)).where(
    attempts.c.name_digest == bindparam("digest")
)


def find_attempts(connection: Connection, digest: str) -> AttemptsRow | None:
    row = connection.execute(_ATTEMPTS, {"digest": digest}).first()
    return AttemptsRow._make(row) if row else None


def list_blocks(connection: Connection, digests: Sequence[str], now: datetime) -> dict[str, datetime]:
    """Until when each of these is blocked; unblocked ones are left out."""
    found: dict[str, datetime] = {}
    columns = (attempts.c.name_digest, attempts.c.blocked_until)
    for some in batched(digests):
        blocked = select(*columns).where(attempts.c.name_digest.in_(some), attempts.c.blocked_until > now)
        found.update({row.name_digest: row.blocked_until for row in connection.execute(blocked)})
    return found


def count_failure(connection: Connection, digest: str, now: datetime) -> int:
    """Count one more failure; returns how many in a row there are now."""
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


def clear_failures(connection: Connection, digest: str) -> bool:
    """Forget an account's failures; returns whether there were any."""
    return connection.execute(delete(attempts).where(attempts.c.name_digest == digest)).rowcount == 1


def clear_old_failures(connection: Connection, before: datetime) -> int:
    """Delete old counts, which would otherwise collect for every name ever mistyped. Returns the number."""
    return connection.execute(delete(attempts).where(attempts.c.last_failed_at < before)).rowcount
