"""The window of a question about use: whole days in UTC, from that of ``since`` until now. Part of the
service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.use import queries
from rbac_api.capabilities.use.answers import UseWindowAnswer

DEFAULT_DAYS = 90
GRANULARITY = "day"


@dataclass(frozen=True, slots=True)
class UseWindow:
    """The days from ``first`` on; ``recorded`` is the first day of which any use is kept."""

    first: date
    until: datetime
    recorded: date | None

    @property
    def since(self) -> datetime:
        """The beginning of the first day."""
        return _beginning(self.first)

    def to_json(self) -> dict[str, object]:
        """The members that every answer about use has."""
        recorded = None if self.recorded is None else _beginning(self.recorded)
        window: UseWindowAnswer = {"since": self.since, "until": self.until, "recorded_since": recorded}
        return {"window": window, "granularity": GRANULARITY}

    def to_headers(self) -> dict[str, str]:
        """The same for an answer whose body has another form."""
        recorded = (
            "" if self.recorded is None else f", recorded since {clock.rfc3339(_beginning(self.recorded))}"
        )
        window = f"{clock.rfc3339(self.since)}/{clock.rfc3339(self.until)}"
        return {"Use-Window": window + recorded, "Use-Granularity": GRANULARITY}


def window_since(connection: Connection, since: datetime | None) -> UseWindow:
    """The window from the day of that moment on; by default the last 90 days."""
    now = clock.now()
    first = (since or now - timedelta(days=DEFAULT_DAYS)).astimezone(UTC).date()
    return UseWindow(first, now, queries.find_first_day(connection))


def _beginning(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
