"""Deletes what is no longer needed, beside the requests: few rows at a time, so that no request waits long
for the write lock.

    after their end and ``RBAC_RETENTION_DAYS``: sessions, with refresh-token records and activations
    as long after the refusal, closing, end of life or withdrawal:
        decisions, closed incidents, setup tokens, client secrets
    as soon as they have no effect:
        failure counts, kept answers, unconfirmed second factors, revocations
    after ``RBAC_USE_RETENTION_DAYS``: who used which permission

The trail keeps its events about all of them. Roles, assignments and accounts stay, because the past can be
asked for; keys end with the tokens that they concern.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts.service import clear_old_failures
from rbac_api.capabilities.incidents.service import delete_old_incidents
from rbac_api.capabilities.second_factor.service import delete_unconfirmed
from rbac_api.capabilities.service_accounts.service import delete_old_secrets
from rbac_api.capabilities.sessions.service import delete_old_sessions
from rbac_api.capabilities.users.service import delete_old_setups
from rbac_api.database.engine import Database
from rbac_api.errors import Unavailable
from rbac_api.guard.enforcement.queries_idempotency import clear_old_answers
from rbac_api.guard.enforcement.queries_refusals import delete_old_decisions
from rbac_api.guard.revocation.queries import delete_old_revocations
from rbac_api.guard.state.queries_uses import delete_old_uses
from rbac_api.observability.background import report_failure, surviving
from rbac_api.observability.logs import log
from rbac_api.settings import Settings

FIRST_SECONDS, EVERY_SECONDS = 60.0, 3600.0
PAUSE_SECONDS = 0.05  # between two batches: waiting requests get the lock first
BATCH = 500
Step = Callable[[Connection, datetime, int], int]

STEPS: dict[str, Step] = {
    "sessions": delete_old_sessions,
    "decisions": delete_old_decisions,
    "incidents": delete_old_incidents,
    "password_setups": delete_old_setups,
    "client_secrets": delete_old_secrets,
    "totp_factors": lambda connection, _before, limit: delete_unconfirmed(connection, limit),
    "signin_attempts": lambda connection, _before, _limit: clear_old_failures(connection),
    "idempotency_keys": lambda connection, _before, _limit: clear_old_answers(connection, clock.now()),
    "permission_uses": lambda connection, before, limit: delete_old_uses(connection, before.date(), limit),
    "revocations": lambda connection, _before, limit: delete_old_revocations(connection, clock.now(), limit),
}


class Retention:
    """A thread, one per process, that runs a minute after its start and every hour from then on."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database = settings, database
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, not before the first request: a worker's process is forked after this object was created."""
        self._thread = threading.Thread(target=self._follow, name="rbac-retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after the current batch."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def delete_old(self) -> dict[str, int]:
        """Delete everything that is old by now; the number of rows, by table. A table that fails does not
        keep the others from it."""
        days = dict.fromkeys(STEPS, self._settings.retention_days)
        days["permission_uses"] = self._settings.use_retention_days
        now = clock.now()
        found = {name: self._try(step, now - timedelta(days=days[name])) for name, step in STEPS.items()}
        return {name: count for name, count in found.items() if count}

    def _try(self, step: Step, before: datetime) -> int:
        try:
            return self._repeat(step, before)
        except Unavailable:
            raise
        except Exception as fault:  # noqa: BLE001 -- the next table is not concerned
            report_failure("retention", fault)
            return 0

    def _repeat(self, step: Step, before: datetime) -> int:
        total = 0
        while not self._closing.is_set():
            with self._database.writing() as connection:
                count = step(connection, before, BATCH)
            total += count
            if not count:
                break
            self._closing.wait(PAUSE_SECONDS)
        return total

    def _follow(self) -> None:
        wait = FIRST_SECONDS
        while not self._closing.wait(wait):
            wait = EVERY_SECONDS
            with surviving("retention"):
                try:
                    if deleted := self.delete_old():
                        log.info("retention.deleted", **deleted)
                except Unavailable as fault:  # the next hour will do
                    log.warning("retention.failed", internal=fault.internal)
