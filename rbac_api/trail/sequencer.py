"""Links the events that wait in the outbox, if no other writer does it first; adds one that belongs to no
change.

Each worker has a sequencer, and any of them links the events of all.  It is woken by an event of its own
worker, or by the heartbeat that found events of another one, which may have died (``database/freshness``).
"""

from __future__ import annotations

import threading
from typing import Any

from rbac_api.database.engine import Database
from rbac_api.errors import Unavailable
from rbac_api.observability.background import surviving
from rbac_api.observability.logs import log
from rbac_api.trail.outbox import add, is_waiting
from rbac_api.trail.recorder import append_events, link_waiting, unavailable_if_unwritten

GATHERING_SECONDS = 0.2  # so that one commit links many
RETRY_SECONDS = 1.0


def drain_outbox(database: Database) -> None:
    """Link what waits, so that the trail has every event that was acknowledged before."""
    if database.on_sqlite:
        return
    with database.reading() as connection:
        waiting = is_waiting(connection)
    if waiting:
        with database.writing() as connection, unavailable_if_unwritten():
            link_waiting(connection)


def record_alone(database: Database, event: dict[str, Any]) -> None:
    """Write a prepared event that belongs to no change, in a transaction of its own; on PostgreSQL without
    the write lock."""
    if database.on_sqlite:
        with database.writing() as connection:
            append_events(connection, [event])
    else:
        with database.autocommit() as connection, unavailable_if_unwritten():
            add(connection, event)
        database.outbox_filled.set()


class Sequencer:
    """A thread, one per worker, that sleeps until an event waits."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, not before the first request: a worker's process is forked after this object was created."""
        if not self._database.on_sqlite:
            self._database.outbox_filled.set()  # those of a worker that died
            self._thread = threading.Thread(target=self._follow, name="rbac-sequencer", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Link what waits, and stop."""
        self._closing.set()
        self._database.outbox_filled.set()
        if self._thread is not None:
            self._thread.join()

    def _follow(self) -> None:
        wait = GATHERING_SECONDS
        while not self._closing.is_set():
            self._database.outbox_filled.wait()
            self._closing.wait(wait)
            self._database.outbox_filled.clear()
            wait = RETRY_SECONDS
            with surviving("sequencer"):
                try:
                    drain_outbox(self._database)
                    wait = GATHERING_SECONDS
                except Unavailable as fault:
                    log.warning("trail.not_linked", internal=fault.internal)
            if wait == RETRY_SECONDS:
                self._database.outbox_filled.set()
