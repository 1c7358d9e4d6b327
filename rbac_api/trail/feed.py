"""Reads the trail's tail: what happened since a revision, reduced to what a worker's memory must forget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection

from rbac_api.database.queries import trail
from rbac_api.trail.chain import GENESIS
from rbac_api.trail.events import CATALOGUE, Touched

MAX_TAIL_LENGTH = 1000


@dataclass(frozen=True, slots=True)
class Invalidation:
    """Something whose state changed: ``id`` is the user's or the session's; roles and keys are forgotten as a
    whole."""

    kind: Touched
    id: str | None


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


def read_tail(connection: Connection, since: Position) -> Delta:
    """Return what happened after ``since``; before the first read nothing is remembered, so nothing has to be
    read."""
    rows = [] if since == START else trail.list_since(connection, since.seq, MAX_TAIL_LENGTH + 2)
    known = since.seq == 0 or (bool(rows) and Position(rows[0].seq, rows[0].hash) == since)
    later = [row for row in rows if row.seq > since.seq]
    if since == START or not known or len(later) > MAX_TAIL_LENGTH:
        return Delta(find_end(connection), (), complete=False)
    mark = Position(later[-1].seq, later[-1].hash) if later else since
    note_end(connection, mark)
    return Delta(mark, tuple(_touches((row.action, row.target_id) for row in later)), complete=True)


def find_end(connection: Connection) -> Position:
    """Return where the trail ends; a writing transaction, whose events alone can come next, reads it once."""
    transaction, end = connection.info.get(_END, (None, START))
    if transaction is not None and transaction is connection.get_transaction():
        return cast("Position", end)
    last = trail.find_end(connection)
    end = Position(last.seq, last.hash) if last else Position(0, GENESIS)
    note_end(connection, end)
    return end


def note_end(connection: Connection, end: Position) -> None:
    """Remember where the trail ends, for as long as this transaction lasts, if it is a writing one."""
    if connection.get_execution_options().get("writer"):
        connection.info[_END] = (connection.get_transaction(), end)


def _touches(events: Iterator[tuple[str, str | None]]) -> Iterator[Invalidation]:
    for action, target_id in events:
        kind = CATALOGUE[action].touches
        if kind:
            yield Invalidation(kind, target_id)
