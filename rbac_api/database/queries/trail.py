"""Describes an event of the trail, and reads its end and what came after an event."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.tables import trail_events


class EventRow(NamedTuple):
    """An event of the trail; ``before`` and ``after`` are canonical JSON."""

    seq: int
    at: datetime
    actor_type: str
    actor_id: str | None
    actor_name: str | None
    session_id: str | None
    action: str
    target_type: str | None
    target_id: str | None
    target_name: str | None
    outcome: str
    reason: str | None
    before: str | None
    after: str | None
    ip: str | None
    request_id: str | None
    prev_hash: str
    hash: str


class EndRow(NamedTuple):
    """The newest event's number, its hash and its time."""

    seq: int
    hash: str
    at: datetime


class LaterRow(NamedTuple):
    """The part of an event that says what changed."""

    seq: int
    hash: str
    action: str
    target_id: str | None


EVENT = tuple(trail_events.c[name] for name in EventRow._fields)
_FIND_END = (
    select(*(trail_events.c[name] for name in EndRow._fields)).order_by(trail_events.c.seq.desc()).limit(1)
)
_LIST_SINCE = (
    select(*(trail_events.c[name] for name in LaterRow._fields))
    .where(trail_events.c.seq >= bindparam("since"))
    .order_by(trail_events.c.seq)
    .limit(bindparam("most"))
)


def find_end(connection: Connection) -> EndRow | None:
    """The newest event; None in an empty trail."""
    row = connection.execute(_FIND_END).first()
    return EndRow._make(row) if row else None


def list_since(connection: Connection, seq: int, most: int) -> list[LaterRow]:
    """The event with this number and those after it, oldest first."""
    return [LaterRow._make(row) for row in connection.execute(_LIST_SINCE, {"since": seq, "most": most})]


def newest_seq(connection: Connection) -> int:
    """The number of the newest event; 0 in an empty trail."""
    end = find_end(connection)
    return end.seq if end else 0
