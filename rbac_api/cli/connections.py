"""Which connections a worker has: how many of whom, which wait for their clients since when, and whose turn it is to be served.

One rule for who makes room when there are too many: of the party with too many connections, the one that waits longest for its client,
whether for half a request, for taking an answer or for another request.  A connection whose request is being answered is left alone.
"""

from __future__ import annotations

from collections import Counter, deque

from rbac_api.cli.connection import Connection


class Connections:
    """The connections, at most ``most`` and of each party at most ``most_of_one``."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, dict[Connection, None]] = {}  # of each party, the longest first
        self.size = 0

    def enter(self, conn: Connection) -> None:
        """One more."""
        self._counts[conn.party] += 1
        self.size += 1

    def leave(self, conn: Connection) -> None:
        """One less."""
        self.serve(conn)
        self.size -= 1
        self._counts[conn.party] -= 1
        if not self._counts[conn.party]:
            del self._counts[conn.party]

    def wait(self, conn: Connection, deadline: float) -> None:
        """From now on the event loop waits for this client, until the deadline."""
        conn.deadline = deadline
        self._waiting.setdefault(conn.party, {})[conn] = None

    def serve(self, conn: Connection) -> None:
        """The client waits for us."""
        waiting = self._waiting.get(conn.party, {})
        waiting.pop(conn, None)
        if not waiting:
            self._waiting.pop(conn.party, None)

    @property
    def waiting(self) -> list[Connection]:
        """All connections whose clients we wait for."""
        return [conn for waiting in self._waiting.values() for conn in waiting]

    def held(self) -> Counter[str]:
        """The bytes in memory for each party because clients are slow; what several are sent alike counts once."""
        found: Counter[str] = Counter()
        known: set[int] = set()
        for conn in self.waiting:
            if conn.unfinished:
                texts = {id(text): len(text) for text in conn.outbox.texts() if id(text) not in known}
                known |= texts.keys()
                found[conn.party] += conn.inbox.size + sum(texts.values())
        return found

    def in_excess(self, party: str) -> Connection | None:
        """The connection that makes room, if this party, or all together, have too many."""
        if self._counts[party] > self._most_of_one and party in self._waiting:
            return next(iter(self._waiting[party]))
        return self.longest() if self.size > self._most else None

    def longest(self, weights: Counter[str] | None = None) -> Connection | None:
        """Of the party with the greatest weight (the most connections), the one that waits longest."""
        chosen = self._counts if weights is None else weights
        party = max(self._waiting, key=lambda one: chosen[one], default=None)
        return next(iter(self._waiting[party])) if party is not None else None


class Queue:
    """The connections whose requests wait for a thread: one party after the other, so that many of one do not keep the others waiting."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[Connection]] = {}

    def put(self, conn: Connection) -> None:
        """To the end of its party's line."""
        self._lines.setdefault(conn.party, deque()).append(conn)

    def take(self) -> Connection | None:
        """The next; its party is then the last."""
        party = next(iter(self._lines), None)
        if party is None:
            return None
        line = self._lines.pop(party)
        conn = line.popleft()
        if line:
            self._lines[party] = line
        return conn
