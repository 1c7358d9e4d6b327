"""Reading the trail's tail: what happened since a revision, reduced to what somebody's memory must forget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from rbac_api.database.tables import trail_events
from rbac_api.trail.events import CATALOGUE, Touched

LONGEST_TAIL = 1000


@dataclass(frozen=True, slots=True)
class Touch:
    """Something whose standing changed: ``id`` is the user's or the session's; roles and keys are forgotten as a whole."""

    kind: Touched
    id: str | None


@dataclass(frozen=True, slots=True)
class Tail:
    """Everything after some revision; ``complete`` is false when it was too long, or the trail is shorter than remembered."""

    revision: int
    touches: tuple[Touch, ...]
    complete: bool


def read_tail(connection: Connection, since: int) -> Tail:
    """What happened after revision ``since``; before the first look (-1) nothing is remembered, so nothing need be read."""
    newest = connection.execute(select(func.coalesce(func.max(trail_events.c.seq), 0))).scalar_one()
    if since < 0 or newest < since or newest - since > LONGEST_TAIL:
        return Tail(newest, (), complete=False)
    columns = (trail_events.c.seq, trail_events.c.action, trail_events.c.target_id)
    rows = connection.execute(
        select(*columns).where(trail_events.c.seq > since).order_by(trail_events.c.seq)
    ).all()
    return Tail(
        rows[-1].seq if rows else newest,
        tuple(_touches((row.action, row.target_id) for row in rows)),
        complete=True,
    )


def _touches(events: Iterator[tuple[str, str | None]]) -> Iterator[Touch]:
    for action, target_id in events:
        kind = CATALOGUE[action].touches
        if kind:
            yield Touch(kind, target_id)
