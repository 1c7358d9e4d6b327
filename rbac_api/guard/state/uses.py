"""Counts which permissions are used, by whom and on which day, without a lock or I/O in a decision.

A use is a decision that allowed something: by ``requires`` with a permission, by an endpoint for OAuth
clients that requires one, or by an AuthZEN evaluation that answered ``true``.  A refusal is none: it shows
that the permission is missing, not that it is needed.  Nor is a second decision, under the write lock, for
the same request.

A thread adds the counts of this process to those of all, in one statement a minute.  What is not written when
a process is killed is lost.  Memory is bounded: beyond ``MAX_TALLIES`` in a minute, further subjects and
permissions are left out, and a metric says how many decisions that were.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from itertools import count

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.errors import Unavailable
from rbac_api.guard.state.queries_uses import UseRow, add_uses, encoded
from rbac_api.observability.background import surviving
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import USES_DROPPED

EVERY_SECONDS = 60.0
MAX_TALLIES = 20_000  # in a minute: some seven megabytes, and a statement of a tenth of a second on SQLite
DAY = 86400
Key = tuple[str, str, bool, int]
"""Subject, permission, second factor, and the number of the day since 1970 (UTC)."""


class _Tally:
    """One count: ``next(times)`` is atomic between threads, ``+= 1`` is not."""

    __slots__ = ("_read", "last", "times")

    def __init__(self) -> None:
        self.times = count()
        self.last = 0.0
        self._read = 0

    def read(self) -> int:
        """Return how often was counted since the last time."""
        times = next(self.times)
        before, self._read = self._read, times + 1
        return times - before


class UseRecorder:
    """The uses of one process, until a thread adds them to the table."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tallies: dict[Key, _Tally] = {}
        self._retired: dict[Key, _Tally] = {}  # read once more: a thread may have been about to count
        self._dropped = _Tally()
        self._unwritten: dict[Key, tuple[int, float]] = {}
        self._writing = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, user_id: str, permission: str, second_factor: bool) -> None:
        """Count a decision that allowed a user or service account what the permission names."""
        now = clock.epoch_seconds()
        key = user_id, permission, second_factor, int(now) // DAY
        tally = self._tallies.get(key) or self._new_tally(key)
        if tally is not None:
            tally.last = now
            next(tally.times)

    def start(self) -> None:
        """Start, not before the first request: a worker's process is forked after this object was created."""
        self._thread = threading.Thread(target=self._follow, name="rbac-uses", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write what is left, and stop."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def flush(self) -> None:
        """Add what was counted to the table; what cannot be written now stays for the next time."""
        with self._writing:
            self._gather()
            if not self._unwritten:
                return
            found = (_row(key, *counted) for key, counted in sorted(self._unwritten.items()))
            rows = encoded(found, on_sqlite=self._database.on_sqlite)  # before the lock is taken
            try:
                with self._way_in() as connection:
                    add_uses(connection, rows)
            except Unavailable as fault:
                log.warning("uses.unwritten", rows=len(self._unwritten), internal=fault.internal)
            else:
                self._unwritten.clear()

    def forget(self) -> None:
        """Forget what was counted."""
        with self._writing:
            self._tallies, self._retired, self._unwritten = {}, {}, {}

    def _way_in(self) -> AbstractContextManager[Connection]:
        """On PostgreSQL without the write lock: no change waits for this, nor this for a change."""
        return self._database.writing() if self._database.on_sqlite else self._database.autocommit()

    def _new_tally(self, key: Key) -> _Tally | None:
        tallies = self._tallies
        if len(tallies) >= MAX_TALLIES:
            next(self._dropped.times)
            return None
        return tallies.setdefault(key, _Tally())

    def _gather(self) -> None:
        """Take over what was counted since the last time."""
        before, self._retired, self._tallies = self._retired, self._tallies, {}
        dropped = self._dropped.read()
        for key, tally in (*before.items(), *self._retired.items()):
            if not (times := tally.read()):
                continue
            if key in self._unwritten or len(self._unwritten) < MAX_TALLIES:
                known, last = self._unwritten.get(key, (0, 0.0))
                self._unwritten[key] = known + times, max(last, tally.last)
            else:
                dropped += times
        if dropped:
            USES_DROPPED.inc(dropped)
            log.warning("uses.dropped", times=dropped)

    def _follow(self) -> None:
        while not self._closing.wait(EVERY_SECONDS):
            with surviving("uses"):
                self.flush()


def _row(key: Key, times: int, last: float) -> UseRow:
    user_id, permission, second_factor, day = key
    used_on = date.fromordinal(date(1970, 1, 1).toordinal() + day)
    return UseRow(user_id, permission, used_on, second_factor, times, datetime.fromtimestamp(last, UTC))
