"""SQL for failed proofs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CTE, Connection, Delete, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from rbac_api.database.engine import batched
from rbac_api.database.prepared import Prepared
from rbac_api.database.tables import signin_attempts as attempts
from rbac_api.trail.outbox import entering


class AttemptsRow(NamedTuple):
    """How often sign-ins with a name have failed, and until when they are blocked."""

    name_digest: str
    failures: int
    last_failed_at: datetime
    blocked_until: datetime | None


_ATTEMPTS = select(*(attempts.c[name] for name in AttemptsRow._fields)).where(
    attempts.c.name_digest == bindparam("digest")
)
_NEXT: dict[str, Any] = {name: bindparam(name) for name in ("failures", "last_failed_at", "blocked_until")}
_FIRST = (
    postgresql.insert(attempts)
    .values(name_digest=bindparam("digest"), **_NEXT)
    .on_conflict_do_nothing(index_elements=["name_digest"])
    .returning(attempts.c.name_digest)
    .cte("counted")
)
_FURTHER = (
    update(attempts)
    .where(attempts.c.name_digest == bindparam("digest"), attempts.c.failures == bindparam("seen"))
    .values(_NEXT)
    .returning(attempts.c.name_digest)
    .cte("counted")
)
_COUNT_WITHOUT_LOCK = {
    is_first: select(func.count()).select_from(counted).add_cte(entering(counted).cte("recorded"))
    for is_first, counted in ((True, _FIRST), (False, _FURTHER))
}

_BLOCKS: Prepared[tuple[str, datetime]] = Prepared(
    select(attempts.c.name_digest, attempts.c.blocked_until)
    .where(attempts.c.blocked_until > bindparam("now"))
    .limit(bindparam("most")),
    tuple,
)


def find_attempts(connection: Connection, digest: str) -> AttemptsRow | None:
    row = connection.execute(_ATTEMPTS, {"digest": digest}).first()
    return AttemptsRow._make(row) if row else None


def list_all_blocks(connection: Connection, now: datetime, most: int) -> dict[str, datetime]:
    """Until when each blocked name is blocked; one more than ``most`` if there are more."""
    return dict(_BLOCKS.all(connection, now=now, most=most + 1))


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
    kit: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    adding = kit.insert(attempts).values(name_digest=digest, failures=1, last_failed_at=now)
    counted = adding.on_conflict_do_update(
        index_elements=["name_digest"], set_={"failures": attempts.c.failures + 1, "last_failed_at": now}
    )
    return int(connection.execute(counted.returning(attempts.c.failures)).scalar_one())


def count_failure_without_lock(connection: Connection, values: dict[str, object]) -> bool:
    """Raise the count from ``seen`` (0: there is no row) to ``failures``, and add the event, in a statement
    that is a transaction of its own (PostgreSQL).

    False, and nothing is changed, if another failure was counted meanwhile, or they were cleared.
    """
    return connection.execute(_COUNT_WITHOUT_LOCK[values["seen"] == 0], values).scalar_one() == 1


def clearing(signed_in: CTE) -> Delete:
    """The statement that forgets the failures of ``failed_name`` if there is a row in ``signed_in``."""
    mine = attempts.c.name_digest == bindparam("failed_name")
    return delete(attempts).where(mine, exists(select(signed_in.c.id)))


def block(connection: Connection, digest: str, until: datetime) -> None:
    connection.execute(update(attempts).where(attempts.c.name_digest == digest).values(blocked_until=until))


def clear_failures(connection: Connection, digest: str) -> bool:
    """Forget an account's failures; returns whether there were any."""
    return connection.execute(delete(attempts).where(attempts.c.name_digest == digest)).rowcount == 1


def clear_old_failures(connection: Connection, before: datetime) -> int:
    """Delete old counts, which would otherwise collect for every name ever mistyped. Returns the number."""
    return connection.execute(delete(attempts).where(attempts.c.last_failed_at < before)).rowcount
