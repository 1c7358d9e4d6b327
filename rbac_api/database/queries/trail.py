"""Describes an event of the trail with its personal values, as reviews and exports read it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from rbac_api.database.tables import personal_values, trail_events


class EventRow(NamedTuple):
    """An event of the trail; ``before`` and ``after`` are canonical JSON.

    ``domain`` is None where that is ``root``.  ``personal`` has the digests of personal values, which are not
    in their places; ``personal_values`` has the rows of values, separated by commas (``trail/personal``).
    """

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
    personal: str | None
    domain: str | None
    prev_hash: str
    hash: str
    personal_values: str | None


_VALUES = (
    select(func.aggregate_strings(personal_values.c.entries, ","))
    .where(personal_values.c.seq == trail_events.c.seq)
    .scalar_subquery()
    .label("personal_values")
)
EVENT = (*(trail_events.c[name] for name in EventRow._fields[:-1]), _VALUES)
NEWEST = (
    select(trail_events.c.seq, trail_events.c.hash).order_by(trail_events.c.seq.desc()).limit(1).subquery()
)
"""The number and the hash of the trail's newest event, to be joined."""
