"""Declares the metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from rbac_api.observability.background import FAILURES, THREADS

REQUESTS = Counter("rbac_http_requests_total", "Answers given.", ["method", "route", "status"])
SECONDS = Histogram(
    "rbac_http_request_seconds",
    "Time to answer, by route.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SIGNINS = Counter("rbac_signins_total", "Sign-ins by outcome.", ["outcome"])
CLIENTS = Counter(
    "rbac_client_authentications_total", "Authentications of OAuth clients, by outcome.", ["outcome"]
)
REFRESHES = Counter("rbac_refreshes_total", "Refreshes by outcome.", ["outcome"])
REFUSALS = Counter("rbac_refusals_total", "Known actors refused, by problem code.", ["code"])
ALARMS = Counter(
    "rbac_alarms_total",
    "Reused refresh tokens, ended tokens still in use, and account locks, by type.",
    ["type"],
)
INCIDENTS = Counter("rbac_incidents_total", "Incidents opened, by type.", ["type"])
CHECKPOINTS = Counter(
    "rbac_checkpoints_total",
    "Daily checkpoints of the trail that were written, posted, or failed.",
    ["outcome"],
)
HASH_QUEUE = Gauge(
    "rbac_password_hash_queue", "Sign-ins waiting for the password hasher.", multiprocess_mode="livesum"
)
LIMITER_DEGRADED = Gauge(
    "rbac_rate_limit_degraded",
    "1 while rate limits are counted per process because the shared store is down.",
    multiprocess_mode="livemax",
)


DENYLIST_DEGRADED = Gauge(
    "rbac_denylist_degraded",
    "1 while revoked tokens cannot be published to the shared store; this service still refuses them.",
    multiprocess_mode="livemax",
)


CONNECTIONS = Gauge(
    "rbac_database_connections_in_use",
    "Pooled database connections in use by a request or a thread.",
    multiprocess_mode="livesum",
)
CLOSED = Counter(
    "rbac_connections_closed_total",
    "Connections of slow clients closed during a request or an answer, by the limit that was reached.",
    ["reason"],
)
USES_DROPPED = Counter(
    "rbac_uses_dropped_total",
    "Uses of permissions that were not counted, because memory for them is bounded.",
)
INCIDENT_TYPES = ("refresh-reuse", "stale-use", "lockout")
_KNOWN: tuple[tuple[Counter, tuple[str, ...]], ...] = (
    (SIGNINS, ("succeeded", "failed", "locked", "incomplete")),
    (CLIENTS, ("succeeded", "failed")),
    (CHECKPOINTS, ("written", "posted", "failed")),
    (REFRESHES, ("rotated", "repeated", "reused", "ended")),
    (ALARMS, INCIDENT_TYPES),
    (INCIDENTS, INCIDENT_TYPES),
    (FAILURES, THREADS),
    (CLOSED, ("deadline", "number", "memory", "files")),
)


def start_at_zero(refusals: Iterable[str]) -> None:
    """Create every counter with each label value that it can have.

    An alert on an absent series never fires, and ``increase`` does not see the event that creates a series.
    ``refusals``: the problem codes that are recorded.
    """
    for counter, values in (*_KNOWN, (REFUSALS, tuple(refusals))):
        for value in values:
            counter.labels(value)
