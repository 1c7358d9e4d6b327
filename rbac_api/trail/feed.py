"""Reads the trail's end, and its tail: what happened since a revision, reduced to what a worker's memory must
forget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, cast

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.engine import is_writer
from rbac_api.database.tables import trail_events
from rbac_api.trail.events import CATALOGUE, Touched

MAX_TAIL_LENGTH = 1000
GENESIS = "0" * 64  # the hash before the first event


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
    target_type: str | None
    target_id: str | None


_FIND_END = (
    select(*(trail_events.c[name] for name in EndRow._fields)).order_by(trail_events.c.seq.desc()).limit(1)
)
_LIST_SINCE = (
    select(*(trail_events.c[name] for name in LaterRow._fields))
    .where(trail_events.c.seq >= bindparam("since"))
    .order_by(trail_events.c.seq)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class Invalidation:
    """Something whose state changed: ``id`` is the user's or the session's; keys are forgotten as a whole.

    Of roles and grants it is the name of what changed, and ``part`` says what that is: ``role``,
    ``permission``, ``constraint`` or a document, whose changes have events of their own.
    """

    kind: Touched
    id: str | None
    part: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has followed the trail: an event's number, and its hash, because a restored backup
    uses numbers again."""

    seq: int
    hash: str


START = Position(-1, "")  # before the first read
_END = "trail_end"  # in ``connection.info``: the writing transaction that read it, and the value


@dataclass(frozen=True, slots=True)
class Delta:
    """Everything after some position, up to ``mark``; ``complete`` is false when it was too long, or the
    trail is a different one."""

    mark: Position
    touches: tuple[Invalidation, ...]
    complete: bool


def read_tail(connection: Connection, since: Position, end: tuple[int, str] | None = None) -> Delta:
    """Return what happened after ``since``; before the first read nothing is remembered, so nothing has to be
    read.  Nothing is read either if ``end``, where the trail ends, was read already and is no later."""
    if end == (since.seq, since.hash):
        note_end(connection, since)
        return Delta(since, (), complete=True)
    rows = [] if since == START else _list_since(connection, since.seq, MAX_TAIL_LENGTH + 2)
    known = since.seq == 0 or (bool(rows) and Position(rows[0].seq, rows[0].hash) == since)
    later = [row for row in rows if row.seq > since.seq]
    if since == START or not known or len(later) > MAX_TAIL_LENGTH:
        return Delta(find_end(connection), (), complete=False)
    mark = Position(later[-1].seq, later[-1].hash) if later else since
    note_end(connection, mark)
    return Delta(mark, tuple(_touches(later)), complete=True)


def find_end(connection: Connection) -> Position:
    """Return where the trail ends; a writing transaction, whose events alone can come next, reads it once."""
    transaction, end = connection.info.get(_END, (None, START))
    if transaction is not None and transaction is connection.get_transaction():
        return cast("Position", end)
    last = newest_event(connection)
    end = Position(last.seq, last.hash) if last else Position(0, GENESIS)
    note_end(connection, end)
    return end


def note_end(connection: Connection, end: Position) -> None:
    """Remember where the trail ends, for as long as this transaction lasts, if it is a writing one."""
    if is_writer(connection):
        connection.info[_END] = (connection.get_transaction(), end)


def newest_event(connection: Connection) -> EndRow | None:
    """Return the newest event; None in an empty trail."""
    row = connection.execute(_FIND_END).first()
    return EndRow._make(row) if row else None


def newest_seq(connection: Connection) -> int:
    """Return the number of the newest event; 0 in an empty trail."""
    end = newest_event(connection)
    return end.seq if end else 0


def _list_since(connection: Connection, seq: int, most: int) -> list[LaterRow]:
    """Return the event with this number and those after it, oldest first."""
    return [LaterRow._make(row) for row in connection.execute(_LIST_SINCE, {"since": seq, "most": most})]


def _touches(events: Iterable[LaterRow]) -> Iterator[Invalidation]:
    for event in events:
        kind = CATALOGUE[event.action].touches
        if kind:
            part = event.target_type if kind in ("roles", "grants") else None
            yield Invalidation(kind, event.target_id, part)
