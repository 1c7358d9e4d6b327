"""The connections of a worker: their number per client, the waiting ones, and the queue for threads.

A client (``client_network``) is an address or an IPv6 /64. When there are too many connections, one is
closed: of the client with too many, the connection that has waited longest, for the rest of a request, for
the client to receive an answer, or for the next request. A connection whose request is being answered is
never chosen.
"""

from __future__ import annotations

from collections import Counter, deque

from rbac_api.cli.connection import Connection


class Connections:
    """The connections: at most ``most``, and at most ``most_of_one`` of each client."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._counts: Counter[str] = Counter()
        self._waiting: dict[str, dict[Connection, None]] = {}  # for each client, the longest waiting first
        self.size = 0

    def enter(self, conn: Connection) -> None:
        """Count a new connection."""
        self._counts[conn.client_network] += 1
        self.size += 1

    def leave(self, conn: Connection) -> None:
        """Forget a closed connection."""
        self.serve(conn)
        self.size -= 1
        self._counts[conn.client_network] -= 1
        if not self._counts[conn.client_network]:
            del self._counts[conn.client_network]

    def wait(self, conn: Connection, deadline: float) -> None:
        """Mark the connection as waiting for its client, until the deadline."""
        conn.deadline = deadline
        self._waiting.setdefault(conn.client_network, {})[conn] = None

    def serve(self, conn: Connection) -> None:
        """Mark the connection as waiting for the service, not for its client."""
        waiting = self._waiting.get(conn.client_network, {})
        waiting.pop(conn, None)
        if not waiting:
            self._waiting.pop(conn.client_network, None)

    @property
    def waiting(self) -> list[Connection]:
        """All connections that wait for their clients."""
        return [conn for waiting in self._waiting.values() for conn in waiting]

    def held(self) -> Counter[str]:
        """Return the buffered bytes for each client. A buffer that several connections share counts once."""
        found: Counter[str] = Counter()
        known: set[int] = set()
        for conn in self.waiting:
            if conn.unfinished:
                texts = {id(text): len(text) for text in conn.outbox.texts() if id(text) not in known}
                known |= texts.keys()
                found[conn.client_network] += conn.inbox.size + sum(texts.values())
        return found

    def in_excess(self, client_network: str) -> Connection | None:
        """Return the connection to close if this client, or all together, have too many."""
        if self._counts[client_network] > self._most_of_one and client_network in self._waiting:
            return next(iter(self._waiting[client_network]))
        return self.longest() if self.size > self._most else None

    def longest(self, weights: Counter[str] | None = None) -> Connection | None:
        """Return the longest waiting connection of the client with the greatest weight.

        Without weights, the number of its connections counts.
        """
        chosen = self._counts if weights is None else weights
        client_network = max(self._waiting, key=lambda one: chosen[one], default=None)
        return next(iter(self._waiting[client_network])) if client_network is not None else None


class Queue:
    """The connections whose requests wait for a thread.

    Clients take turns, so that many requests of one do not delay the others.
    """

    def __init__(self) -> None:
        self._lines: dict[str, deque[Connection]] = {}

    def put(self, conn: Connection) -> None:
        """Add the connection at the end of its client's queue."""
        self._lines.setdefault(conn.client_network, deque()).append(conn)

    def take(self) -> Connection | None:
        """Return the next connection, and put its client at the end of the queue."""
        client_network = next(iter(self._lines), None)
        if client_network is None:
            return None
        line = self._lines.pop(client_network)
        conn = line.popleft()
        if line:
            self._lines[client_network] = line
        return conn
