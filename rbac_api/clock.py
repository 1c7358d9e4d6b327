"""Reads the time; no other module asks for it.

Times are aware datetimes in UTC.  ``monotonic`` measures spans (leases, back-off) and never goes back.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

ENDLESS = datetime.max.replace(tzinfo=UTC)
"""Later than any moment: used for "no end" where ends are compared."""


def now() -> datetime:
    """Return the current moment, UTC, aware, to the microsecond."""
    return datetime.now(UTC)


def epoch_seconds() -> float:
    """Return the current moment as seconds since 1970, UTC; ``exp`` is compared with it (RFC 7519 section
    4.1.4)."""
    return time.time()


def monotonic() -> float:
    """Return the seconds of a clock that only runs forward, to measure spans."""
    return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """Return ``2026-11-22T17:34:00.123456Z``: RFC 3339, always UTC and six digits, so that text order is time
    order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
