"""Orders the writers among the threads of this process.

On SQLite it is a plain lock: the first thread to ask after a release gets it, which keeps the file busy.
SQLite's own busy wait would choose at random.

On PostgreSQL the lock itself is in the server.  A thread that waits for it there holds a pooled connection,
and enough of them would hold all.  So only a few wait in the server (enough to keep it busy) and the others
queue here, in the order in which they came.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol


class Turns(Protocol):
    """Gives turns to threads that want to write."""

    def acquire(self, *, timeout: float) -> bool:
        """Wait for a turn, at most this many seconds; return whether it came."""

    def release(self) -> None:
        """Pass the turn on."""


class Queue:
    """Gives this many turns at a time, each passed on to the thread that has waited longest."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[threading.Lock] = deque()
        self._mutex = threading.Lock()

    def acquire(self, *, timeout: float) -> bool:
        with self._mutex:
            if self._free:
                self._free -= 1
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append(ticket)
        if ticket.acquire(timeout=timeout):
            return True
        with self._mutex:
            if ticket not in self._waiting:
                return True  # it came at the very last moment
            self._waiting.remove(ticket)
            return False

    def release(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
