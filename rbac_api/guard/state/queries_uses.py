"""SQL for the counts of used permissions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, delete, select, text, tuple_

from rbac_api.database.tables import permission_uses

_ADD = {
    "sqlite": text("""
INSERT INTO permission_uses (user_id, permission, day, second_factor, times, last_used)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
FROM json_each(:rows) CROSS JOIN users
WHERE users.id = json_extract(value, '$[0]') AND users.status <> 'deleted'
ON CONFLICT (user_id, permission, day, second_factor) DO UPDATE
SET times = times + excluded.times, last_used = max(last_used, excluded.last_used)"""),
    # In one order in every process: two that add the same rows wait for each other in turn, not in a circle
    "postgresql": text("""
INSERT INTO permission_uses AS known (user_id, permission, day, second_factor, times, last_used)
SELECT users.id, value ->> 1, (value ->> 2)::date, (value ->> 3)::boolean, (value ->> 4)::bigint,
       (value ->> 5)::timestamptz
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS value
JOIN users ON users.id = (value ->> 0)::uuid AND users.status <> 'deleted'
ORDER BY 1, 2, 3, 4
ON CONFLICT (user_id, permission, day, second_factor) DO UPDATE
SET times = known.times + excluded.times, last_used = greatest(known.last_used, excluded.last_used)"""),
}


class UseRow(NamedTuple):
    """A row to add: how often a subject was allowed what a permission names, on one day."""

    user_id: str
    permission: str
    day: date
    second_factor: bool
    times: int
    last_used: datetime


def encoded(rows: Iterable[UseRow], *, on_sqlite: bool) -> str:
    """Return the rows as the statement takes them, in JSON: any number of them is one parameter."""
    values = [
        (
            row.user_id.replace("-", "") if on_sqlite else row.user_id,
            row.permission,
            row.day.isoformat(),
            row.second_factor,
            row.times,
            f"{row.last_used:%Y-%m-%d %H:%M:%S.%f}" if on_sqlite else row.last_used.isoformat(),
        )
        for row in rows
    ]
    return orjson.dumps(values).decode()


def add_uses(connection: Connection, rows: str) -> None:
    """Add ``encoded`` rows to the counts of all nodes, in one statement; those of deleted users are left out,
    so that an erasure that follows a deletion is final."""
    connection.execute(_ADD[connection.dialect.name], {"rows": rows})


def delete_uses_of(connection: Connection, user_id: str) -> None:
    """Delete everything that this user is recorded to have used."""
    connection.execute(delete(permission_uses).where(permission_uses.c.user_id == user_id))


def delete_old_uses(connection: Connection, before: date, limit: int) -> int:
    """Delete some of the counts of days before that day; return how many."""
    key = tuple_(*permission_uses.primary_key)
    old = select(*permission_uses.primary_key).where(permission_uses.c.day < before).limit(limit)
    return connection.execute(delete(permission_uses).where(key.in_(old))).rowcount
