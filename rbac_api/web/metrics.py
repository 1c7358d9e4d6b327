"""Counters for Prometheus that cost the hot path next to nothing.

Requests are tallied in a plain dictionary and folded into prometheus-client's (cross-process) values once a second at most, or when
``/metrics`` is read in this process.
"""

from __future__ import annotations

import threading
from collections import Counter as Tally
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import Counter, Gauge, Histogram

from rbac_api import clock

FOLD_SECONDS = 1.0

REQUESTS = Counter("rbac_http_requests_total", "Answers given.", ["method", "route", "status"])
SECONDS = Histogram(
    "rbac_http_request_seconds",
    "Time to answer.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
SIGNINS = Counter("rbac_signins_total", "Sign-ins by outcome.", ["outcome"])
REFRESHES = Counter("rbac_refreshes_total", "Refreshes by outcome.", ["outcome"])
REFUSALS = Counter("rbac_refusals_total", "Known actors refused, by problem code.", ["code"])
HASH_QUEUE = Gauge(
    "rbac_password_hash_queue", "Sign-ins waiting for the password hasher.", multiprocess_mode="livesum"
)
LIMITER_DEGRADED = Gauge(
    "rbac_rate_limit_degraded",
    "1 while rate limits are counted per process, since the shared store is down.",
    multiprocess_mode="max",
)


class RequestTally:
    """Answers since the last fold."""

    def __init__(self) -> None:
        self._answers: Tally[tuple[str, str, int]] = Tally()
        self._durations: list[float] = []
        self._next_fold = 0.0
        self._folding = threading.Lock()

    def note(self, key: tuple[str, str, int], seconds: float) -> None:
        """Remember one answer."""
        self._answers[key] += 1
        self._durations.append(seconds)
        if clock.monotonic() > self._next_fold:
            self.fold()

    def fold(self) -> None:
        """Add what was remembered to the real counters."""
        with self._folding:
            self._next_fold = clock.monotonic() + FOLD_SECONDS
            answers, self._answers = self._answers, Tally()
            durations, self._durations = self._durations, []
        for (method, route, status), count in answers.items():
            REQUESTS.labels(method, route, status).inc(count)
        for seconds in durations:
            SECONDS.observe(seconds)


def register_metrics(app: Flask) -> RequestTally:
    """Tally every answer of this application."""
    tally = RequestTally()

    @app.before_request
    def _() -> None:
        g.began = perf_counter()

    @app.after_request
    def _(answer: Response) -> Response:
        rule = request.url_rule
        tally.note(
            (request.method, rule.rule if rule else "-", answer.status_code),
            perf_counter() - g.get("began", perf_counter()),
        )
        return answer

    return tally
