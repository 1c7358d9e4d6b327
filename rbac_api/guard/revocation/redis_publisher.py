"""Copies the denylist to Redis, for gateways, proxies and services that read no feed.

It is written and never read for a decision: SQL holds the truth, so no fault of the store can make a revoked
token valid again *here*.  A thread does all the communication.  A unit that revoked something waits for it
after its commit, but no longer than ``PUBLISH_TIMEOUT``, and not at all once the store is known not to
answer.

    rbac:revoked:<sid|jti|kid>   its kind, until the last token it concerns has expired
    rbac:av:<user id>            the least ``av`` that the user's tokens must have
    rbac:revocations             the cursor up to which all this is there

The thread polls once a second, and after each commit.  If the cursor is missing (the store was flushed, or
restarted empty), or is not of this database, or is not even a text, everything is published again.  That also
happens once a minute, in case single keys were lost.
"""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database, batched
from rbac_api.guard.revocation import queries
from rbac_api.guard.revocation.denylist import CURSOR, cursor_of, seq_of
from rbac_api.observability.background import report_failure
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import DENYLIST_DEGRADED
from rbac_api.settings import Settings
from rbac_api.web.server.shared_store import client_options, store_faults

PREFIX, MARK = "rbac:", "rbac:revocations"
PUBLISH_TIMEOUT = 0.25  # seconds for which a request waits
POLL_SECONDS = 1.0
POLLS_PER_FULL_COPY = 60
BATCH = 1000


class RedisPublisher:
    """Publishes for one process; without ``RBAC_REDIS_URL`` it does nothing."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._url = settings.redis_url
        self._database = database
        self._changed = threading.Condition()
        self._asked = self._done = 0  # polls that were asked for, and the latest that succeeded
        self._degraded = False
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._polls = 0
        if self._url:
            database.on_publication(self._published)

    def start(self) -> None:
        """Start the thread, if it is not running.  Not before the first request: a worker's process is forked
        after this was made."""
        if self._url and self._thread is None:
            self._begin()

    def close(self) -> None:
        """Stop the thread."""
        self._database.off_publication(self._published)
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        with self._changed:
            if not (self._stopping or (self._thread is not None and self._thread.is_alive())):
                self._thread = threading.Thread(target=self._follow, name="rbac-publisher", daemon=True)
                self._thread.start()

    def _published(self, _seq: int) -> None:
        """Wake the thread after a commit and wait a moment for it, unless the store is known not to
        answer."""
        self._begin()
        with self._changed:
            self._asked += 1
            mine = self._asked
            self._changed.notify_all()
            if not self._degraded:
                self._changed.wait_for(lambda: self._done >= mine or self._degraded, timeout=PUBLISH_TIMEOUT)

    def _follow(self) -> None:
        from redis import Redis  # not above: see ``shared_store``

        client = Redis.from_url(self._url, decode_responses=False, **client_options())
        with client:
            while not self._stopping:
                asked = self._asked
                fault = self._look(client)
                with self._changed:
                    self._say(fault)
                    self._done = max(self._done, asked) if fault is None else self._done
                    self._changed.notify_all()
                    self._changed.wait_for(self._wanted, timeout=POLL_SECONDS)

    def _wanted(self) -> bool:
        """Return whether to poll before the second is over; a store that does not answer is not asked more
        often."""
        return self._stopping or (self._asked > self._done and not self._degraded)

    def _look(self, client: Any) -> Exception | None:
        faults: tuple[type[Exception], ...] = (*store_faults(), DatabaseDown)
        try:
            self._publish(client)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the store is behind, and the thread goes on
            if not isinstance(fault, faults):
                report_failure("publisher", fault)
            with suppress(*faults):
                client.connection_pool.disconnect()
            return fault
        return None

    def _publish(self, client: Any) -> None:
        self._polls += 1
        with self._database.reading() as connection:
            newest = queries.find_newest_revocation(connection)
            if newest is None:
                return
            after = _reached(client, connection) if self._polls % POLLS_PER_FULL_COPY else 0
            if newest.seq == after:
                return
            rows = queries.list_live_revocations(connection, after, clock.now())
        for some in batched(rows, BATCH):
            _send(client, some)
        client.set(MARK, cursor_of(newest))

    def _say(self, fault: Exception | None) -> None:
        before, self._degraded = self._degraded, fault is not None
        DENYLIST_DEGRADED.set(self._degraded)
        if self._degraded and not before:
            detail = (
                "RBAC_REDIS_URL does not accept the revoked tokens; this service refuses them all the same,"
                " and keeps trying"
            )
            log.warning("denylist.degraded", detail=detail, reason=type(fault).__name__)
        elif before and not self._degraded:
            log.warning(
                "denylist.restored", detail="all revoked tokens are published to RBAC_REDIS_URL again"
            )


def _reached(client: Any, connection: Connection) -> int:
    """Return the number up to which everything is there; 0 if that is unknown."""
    from redis import ResponseError

    try:
        mark = bytes(client.get(MARK) or b"").decode("ascii", "replace")
    except ResponseError:
        return 0  # the key has another type; publishing overwrites it
    if not re.fullmatch(CURSOR, mark):
        return 0
    row = queries.find_revocation(connection, seq_of(mark))
    return row.seq if row is not None and cursor_of(row) == mark else 0


def _send(client: Any, rows: list[queries.RevocationRow]) -> None:
    """Write each row for as long as it counts, in one round trip; it replaces any value under its key."""
    now = clock.now()
    with client.pipeline(transaction=False) as pipe:
        for row in rows:
            left = int((row.expires_at - now).total_seconds() * 1000)
            if left > 0 and row.kind == "av":
                pipe.set(f"{PREFIX}av:{row.value}", row.minimum, px=left)
            elif left > 0:
                pipe.set(f"{PREFIX}revoked:{row.value}", row.kind, px=left)
        pipe.execute()
