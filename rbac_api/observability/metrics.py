"""Counters for Prometheus that cost the hot path next to nothing.

Answers are remembered in a queue and folded into prometheus-client's (cross-process) values once a second, and when ``/metrics`` is
read in this process: so the figures of all workers together are exact to the second, and no request pays for the folding.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

FOLD_SECONDS = 1.0
Answered = tuple[str, str, int]  # method, route, status

REQUESTS = Counter("rbac_http_requests_total", "Answers given.", ["method", "route", "status"])
SECONDS = Histogram(
    "rbac_http_request_seconds",
    "Time to answer, by route.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SIGNINS = Counter("rbac_signins_total", "Sign-ins by outcome.", ["outcome"])
CLIENTS = Counter(
    "rbac_client_authentications_total", "Clients' credentials presented, by outcome.", ["outcome"]
)
REFRESHES = Counter("rbac_refreshes_total", "Refreshes by outcome.", ["outcome"])
REFUSALS = Counter("rbac_refusals_total", "Known actors refused, by problem code.", ["code"])
ALARMS = Counter(
    "rbac_alarms_total",
    "Refresh tokens that came back, dead tokens still used, accounts locked: each time.",
    ["type"],
)
INCIDENTS = Counter("rbac_incidents_total", "Incidents opened, by type.", ["type"])
HASH_QUEUE = Gauge(
    "rbac_password_hash_queue", "Sign-ins waiting for the password hasher.", multiprocess_mode="livesum"
)
LIMITER_DEGRADED = Gauge(
    "rbac_rate_limit_degraded",
    "1 while rate limits are counted per process, since the shared store is down.",
    multiprocess_mode="livemax",
)


DENYLIST_DEGRADED = Gauge(
    "rbac_denylist_degraded",
    "1 while revoked tokens cannot be published to the shared store; this service refuses them all the same.",
    multiprocess_mode="livemax",
)


CONNECTIONS = Gauge(
    "rbac_database_connections_in_use",
    "Pooled database connections that are lent to a request or a thread.",
    multiprocess_mode="livesum",
)
CLOSED = Counter(
    "rbac_connections_closed_total",
    "Connections closed amid a request or an answer because their clients kept the server waiting, by what ran out.",
    ["reason"],
)
INCIDENT_TYPES = ("refresh-reuse", "stale-use", "lockout")
_KNOWN: tuple[tuple[Counter, tuple[str, ...]], ...] = (
    (SIGNINS, ("succeeded", "failed", "locked", "incomplete")),
    (CLIENTS, ("succeeded", "failed")),
    (REFRESHES, ("rotated", "repeated", "reused", "ended")),
    (ALARMS, INCIDENT_TYPES),
    (INCIDENTS, INCIDENT_TYPES),
    (CLOSED, ("deadline", "number", "memory", "files")),
)


def start_at_zero(refusals: Iterable[str]) -> None:
    """Make every counter exist with each label value that it can have: an alert on a series that is absent never fires,
    and ``increase`` does not see a first event that makes the series.  ``refusals``: the problem codes that are recorded."""
    for counter, values in (*_KNOWN, (REFUSALS, tuple(refusals))):
        for value in values:
            counter.labels(value)


class RequestTally:
    """Answers since the last fold."""

    def __init__(self) -> None:
        self._noted: deque[tuple[Answered, float]] = deque()
        self._folding = threading.Lock()
        self._steady: threading.Thread | None = None
        self._closing = threading.Event()

    def note(self, answered: Answered, seconds: float) -> None:
        """Remember one answer.  Appending cannot lose another thread's, where counting could."""
        self._noted.append((answered, seconds))
        # Not begun before the first one: a worker's process is forked only after this was made.
        if self._steady is None:
            self._begin()

    def fold(self) -> None:
        """Add what was remembered to the real counters; all that was noted before is in them when this returns, whoever folded it."""
        with self._folding:
            noted = [self._noted.popleft() for _ in range(len(self._noted))]
            for (method, route, status), count in Tally(answered for answered, _ in noted).items():
                REQUESTS.labels(method, route, status).inc(count)
            for (method, route, _), seconds in noted:
                SECONDS.labels(method, route).observe(seconds)

    def close(self) -> None:
        """Fold what is left, and stop."""
        self._closing.set()
        if self._steady is not None:
            self._steady.join()
        self.fold()

    def _begin(self) -> None:
        with self._folding:
            if self._steady is None:
                self._steady = threading.Thread(target=self._fold_steadily, name="rbac-tally", daemon=True)
                self._steady.start()

    def _fold_steadily(self) -> None:
        while not self._closing.wait(FOLD_SECONDS):
            if self._noted:
                self.fold()
