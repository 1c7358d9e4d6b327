"""Detects whether another transaction committed since the last check.  It runs on every request, so it must
cost almost nothing.

SQLite: every commit changes the header of the WAL's index, in memory shared by all processes, before it is
answered (``wal_index``).  Where that cannot be read, ``PRAGMA data_version`` on a connection kept per thread
says the same.  No request can miss a commit that was answered before it.

PostgreSQL: a follower thread listens for the notification that each publishing commit sends, and holds a
*lease* that it renews with a heartbeat.  Notifications are asynchronous, so by themselves they would leave a
gap of milliseconds.  The writer closes the gap: after its commit and before it answers, it waits until every
follower has acknowledged the revision, or until the lease of one that does not answer must have expired.

The table ``followers`` says whom to wait for: a follower registers before its first lease, and leaves when it
stops in good order.  It acknowledges through its connection's ``application_name``, which every role may see
in ``pg_stat_activity``, so an acknowledgement writes nothing.

A connection that is gone is no longer listed there, but its worker may still hold a lease (it was cut off, or
has not checked yet).  So a writer waits a lease's length from the moment it misses one, and then removes it
from the table.  A worker whose lease has expired cannot know whether it is fresh, so it reads the database on
each request until it can.  A worker that is missing in the table, because a backup was restored or it was
removed by mistake, registers again.

All of this needs a connection that is a session of its own.  A follower checks that first (``sessions``);
where it is not so, behind a pooler in transaction mode, it never has a lease.
"""

from __future__ import annotations

import contextlib
import mmap
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import delete, text

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.database.postgresql import keepalive_options
from rbac_api.database.sessions import keeps_its_session
from rbac_api.database.tables import followers
from rbac_api.database.types import new_id
from rbac_api.database.wal_index import HEADER, shared_index
from rbac_api.observability.background import surviving

if TYPE_CHECKING:
    import psycopg  # loaded where it is used: a start with SQLite does not wait for it

LEASE_SECONDS = 2.0
HEARTBEAT_SECONDS = 0.5
_FOLLOWER = "rbac-follower:"
_ACKNOWLEDGED = text(
    "SELECT f.name, a.application_name FROM followers f LEFT JOIN pg_stat_activity a"
    " ON a.datname = current_database() AND a.application_name LIKE :prefix || f.name || ':%'"
)

_BEAT = (
    "SELECT coalesce(max(seq), 0), EXISTS (SELECT FROM followers WHERE name = %s),"
    " EXISTS (SELECT FROM trail_outbox) FROM trail_events"
)


class ChangeDetector(Protocol):
    """Detects changes; the guard asks it before each decision."""

    def unchanged(self) -> bool:
        """Return whether no relevant commit, by any process, came since this thread's last ``detect``."""

    def detect(self, read: Callable[[], int]) -> None:
        """Run ``read``, which updates memory and returns the revision reached, and remember where that
        was."""

    def close(self) -> None:
        """Release threads and connections."""


def open_change_detector(database: Database) -> ChangeDetector:
    """Return the change detector for the engine."""
    return WalChangeDetector(database) if database.on_sqlite else PostgresChangeDetector(database)


class WalChangeDetector:
    """Compares the header of the WAL's index; until there is one, or for good without one, it uses a
    ``SqliteChangeDetector``."""

    def __init__(self, database: Database) -> None:
        self._path = database.engine.url.database or ""
        # It also holds open the connection without which the index could be removed.
        self._slow = SqliteChangeDetector(database)
        self._index: mmap.mmap | None = None
        self._seen = b""

    def unchanged(self) -> bool:
        index = self._index
        return self._slow.unchanged() if index is None else index[:HEADER] == self._seen

    def detect(self, read: Callable[[], int]) -> None:
        index = self._index
        if index is None:
            self._slow.detect(read)
            self._index = shared_index(self._path)
            return
        header, copy = index[:HEADER], index[HEADER : 2 * HEADER]  # before reading, as below
        read()
        # They differ while a commit is being written: then the next request reads again.
        self._seen = header if header == copy else b""

    def close(self) -> None:
        self._index = None
        self._slow.close()


class SqliteChangeDetector:
    """Compares ``PRAGMA data_version`` per thread."""

    def __init__(self, database: Database) -> None:
        self._path = database.engine.url.database or ""
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []

    def unchanged(self) -> bool:
        return getattr(self._own, "seen", None) == self._version()

    def detect(self, read: Callable[[], int]) -> None:
        version = self._version()  # before reading: a commit in between is then noticed next time
        read()
        self._own.seen = version

    def close(self) -> None:
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._own = threading.local()

    def _version(self) -> int:
        try:
            cursor = getattr(self._own, "cursor", None) or self._open()
            version: int = cursor.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as fault:
            raise DatabaseDown(internal=f"data_version: {fault}") from fault
        return version

    def _open(self) -> sqlite3.Cursor:
        connection = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._opened.append(connection)
        self._own.cursor = connection.cursor()
        return self._own.cursor  # type: ignore[no-any-return]


class PostgresChangeDetector:
    """Follows notifications under a lease; the module's docstring says why this is exact and not merely
    fast."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name = new_id()[-12:]
        self._connections = 0
        self._lease_until = 0.0
        # The latest notification and the latest that memory has caught up with.  They are compared by
        # identity and
        # not by ``seq``: two threads may bring one at once, and a restored backup counts from lower down.
        self._heard = object()
        self._applied: object = None
        self._newest = 0  # the trail's newest ``seq`` as last heard: what is acknowledged
        self._missed: dict[str, float] = {}  # followers without a connection, and when that was first noticed
        self._follower: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        database.on_publication(self._published)

    def unchanged(self) -> bool:
        if self._follower is None:
            self._start()
        return self._heard is self._applied and clock.monotonic() < self._lease_until

    def detect(self, read: Callable[[], int]) -> None:
        heard = self._heard  # before reading: what is heard meanwhile counts for the next request
        read()
        self._applied = heard

    def close(self) -> None:
        self._stopping.set()
        if self._follower is not None:
            self._follower.join(timeout=LEASE_SECONDS)
            self._follower = None
        self._database.off_publication(self._published)

    def _published(self, seq: int) -> None:
        self._heard = object()
        self._await_followers(seq)

    def _await_followers(self, seq: int) -> None:
        deadline = clock.monotonic() + LEASE_SECONDS
        pause = 0.0005
        while self._lagging(seq) and clock.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        self._strike_off([name for name, since in list(self._missed.items()) if _run_out(since)])

    def _lagging(self, seq: int) -> bool:
        try:
            with self._database.reading() as connection:
                found = connection.execute(_ACKNOWLEDGED, {"prefix": _FOLLOWER}).all()
        except DatabaseDown:
            return True  # unknown: wait for the leases to expire
        others = {name: shown for name, shown in found if not name.startswith(self._name)}
        missed = [name for name, shown in others.items() if shown is None]
        noticed = clock.monotonic()
        unsure = [name for name in missed if not _run_out(self._missed.setdefault(name, noticed))]
        return bool(unsure) or any(_acknowledged(shown) < seq for shown in others.values() if shown)

    def _strike_off(self, names: list[str]) -> None:
        if not names:
            return
        with contextlib.suppress(DatabaseDown), self._database.writing() as connection:
            connection.execute(delete(followers).where(followers.c.name.in_(names)))
        for name in names:
            self._missed.pop(name, None)

    def _start(self) -> None:
        with self._starting:
            if self._follower is None:
                self._follower = threading.Thread(target=self._follow, name="rbac-follower", daemon=True)
                self._follower.start()

    def _follow(self) -> None:
        import psycopg

        while not self._stopping.is_set():
            with surviving("follower"), contextlib.suppress(psycopg.Error, DatabaseDown, ValueError):
                self._follow_on_one_connection()
                continue
            self._lease_until = 0.0  # requests read the database meanwhile
            self._stopping.wait(HEARTBEAT_SECONDS)

    def _follow_on_one_connection(self) -> None:
        self._connections += 1
        self._newest = -1  # nothing was acknowledged on this connection yet
        name = f"{self._name}-{self._connections}"
        with self._connect(name) as connection:
            if not keeps_its_session(connection, self._database):
                self._stopping.wait(LEASE_SECONDS)  # without a lease: requests read the database
                return
            connection.execute("INSERT INTO followers (name) VALUES (%s)", (name,))
            self._listen(connection, name)
            self._lease_until = 0.0
            connection.execute("DELETE FROM followers WHERE name = %s", (name,))

    def _connect(self, name: str) -> psycopg.Connection:
        import psycopg

        arguments, options = self._database.engine.dialect.create_connect_args(self._database.engine.url)
        own = {"application_name": f"{_FOLLOWER}{name}:0", "connect_timeout": 2, "client_encoding": "UTF8"}
        own |= keepalive_options(LEASE_SECONDS)
        return psycopg.connect(*arguments, **{**options, **own}, autocommit=True)

    def _listen(self, connection: psycopg.Connection, name: str) -> None:
        connection.execute("LISTEN rbac_trail")
        while not self._stopping.is_set():
            began = clock.monotonic()
            [(newest, entered, waiting)] = connection.execute(_BEAT, (name,)).fetchall()
            if not entered:
                return  # no writer would wait for this worker
            if waiting:
                self._database.outbox_filled.set()
            self._acknowledge(connection, name, newest)
            self._lease_until = began + LEASE_SECONDS
            while (left := began + HEARTBEAT_SECONDS - clock.monotonic()) > 0:
                # a list, because the generator holds the connection's lock, which acknowledging needs
                for notification in list(connection.notifies(timeout=left, stop_after=1)):
                    self._acknowledge(connection, name, int(notification.payload))

    def _acknowledge(self, connection: psycopg.Connection, name: str, seq: int) -> None:
        """Update memory first, then acknowledge: from here on no request of this worker is answered from
        older memory."""
        if seq != self._newest:
            self._newest = seq
            self._heard = object()
            shown = f"{_FOLLOWER}{name}:{seq}"
            connection.execute("SELECT set_config('application_name', %s, false)", (shown,))


def _run_out(since: float) -> bool:
    return clock.monotonic() >= since + LEASE_SECONDS


def _acknowledged(name: str) -> int:
    digits = name.rpartition(":")[2]
    return int(digits) if digits.isdigit() else 0
