"""Describes an event of the trail, as reviews and exports read it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

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


EVENT = tuple(trail_events.c[name] for name in EventRow._fields)
