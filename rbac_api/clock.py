"""The one clock: nobody else asks for the time.

Times are aware datetimes in UTC.  ``monotonic`` measures spans (leases, back-off) and never goes back.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

ENDLESS = datetime.max.replace(tzinfo=UTC)
"""Later than any moment: stands for no end where ends are compared."""


def now() -> datetime:
    """The present moment, UTC, aware, to the microsecond."""
    return datetime.now(UTC)


def epoch_seconds() -> float:
    """The present moment as seconds since 1970, UTC; what ``exp`` (RFC 7519 section 4.1.4) is compared with."""
    return time.time()


def monotonic() -> float:
    """Seconds on a clock that only runs forward; for measuring spans."""
    return time.monotonic()


def rfc3339(moment: datetime) -> str:
    """``2026-11-22T17:34:00.123456Z``: RFC 3339, always UTC, always six digits, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
