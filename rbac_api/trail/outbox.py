"""Keeps events that wait to be linked into the chain: those of changes of no user's authority, which are
committed without the write lock (PostgreSQL).

One statement writes the change and, for each row that it changed, the event.  The next transaction that
records something under the write lock links what waits before its own event; ``sequencer`` does it if none
comes.  An event is linked and deleted here in the same transaction, so a crash at any point leaves it in
exactly one of the two tables.

What waits is linked in the order of ``id``.  An event that was acknowledged before another was begun has the
lower one, and so has the earlier of two events of one session, because the row of the session is locked when
it is given.  Events that touch what workers remember never wait: they are recorded under the lock.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import CTE, Connection, Insert, bindparam, delete, exists, func, insert, select

from rbac_api.database.dependent_rows import values_where
from rbac_api.database.tables import trail_outbox

_FIELDS = [column for column in trail_outbox.c if column.name != "id"]
_PREFIX = "event_"
_WAITING = select(exists().where(trail_outbox.c.id.is_not(None)))
_COUNT = select(func.count()).select_from(trail_outbox)
_FIRST = select(trail_outbox.c.id).order_by(trail_outbox.c.id).limit(bindparam("most"))
_ADD = insert(trail_outbox)
_TAKE = delete(trail_outbox).where(trail_outbox.c.id.in_(_FIRST)).returning(*trail_outbox.c)


def entering(changed: CTE) -> Insert:
    """Return the statement that adds an event for each row of ``changed``; its values are those of
    ``parameters``."""
    return insert(trail_outbox).from_select(*values_where(changed, _FIELDS, _PREFIX))


def parameters(event: dict[str, Any]) -> dict[str, object]:
    """Return the parameters of a statement with ``entering`` for a prepared event."""
    return {_PREFIX + column.name: event.get(column.name) for column in _FIELDS}


def add(connection: Connection, event: dict[str, Any]) -> None:
    """Add a prepared event that belongs to no change of a row."""
    connection.execute(_ADD, event)


def is_waiting(connection: Connection) -> bool:
    """Return whether an event waits."""
    return bool(connection.execute(_WAITING).scalar())


def count_waiting(connection: Connection) -> int:
    """Return how many events wait."""
    return connection.execute(_COUNT).scalar_one()


def take(connection: Connection, most: int) -> list[dict[str, Any]]:
    """Remove the first events, in the order in which they have to be linked, and return them."""
    rows = connection.execute(_TAKE, {"most": most}).mappings()
    return [
        {column.name: row[column.name] for column in _FIELDS}
        for row in sorted(rows, key=lambda row: row["id"])
    ]
