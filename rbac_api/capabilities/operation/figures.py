"""Facts about the installation for ``/metrics``, looked up when they are read. Part of the service."""

from __future__ import annotations

import platform
import threading
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.migrate import head_revision
from rbac_api.database.queries.sessions import count_active
from rbac_api.errors import ServiceError
from rbac_api.resources import release
from rbac_api.trail.feed import newest_seq
from rbac_api.trail.outbox import count_waiting

COUNT_SECONDS = 60.0  # counting sessions reads an index of all active ones, so not each scrape does it


class Facts:
    """A collector (prometheus-client) for one application. Leaves out what the database does not answer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = release()
        self._counting = threading.Lock()
        self._sessions: int | None = None
        self._counted_at = 0.0
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registration must not ask the database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The facts, as they are now."""
        build = {"version": self._version, "python": platform.python_version(), "schema": head_revision()}
        yield InfoMetricFamily("rbac_build", "What runs here.", build)
        try:
            with self._database.reading() as connection:
                revision, waiting = newest_seq(connection), count_waiting(connection)
            sessions = self._active_sessions()
        except ServiceError:
            return
        yield GaugeMetricFamily("rbac_revision", "Number of the trail's newest event.", revision)
        yield GaugeMetricFamily(
            "rbac_events_waiting", "Events that are committed and not linked into the trail yet.", waiting
        )
        yield GaugeMetricFamily("rbac_sessions_active", "Active sessions, at most a minute ago.", sessions)

    def _active_sessions(self) -> int:
        with self._counting:
            if self._sessions is None or clock.monotonic() - self._counted_at > COUNT_SECONDS:
                with self._database.reading() as connection:
                    self._sessions = count_active(connection, clock.now())
                self._counted_at = clock.monotonic()
            return self._sessions
