"""Whose turn it is to write, among the threads of this process.

On SQLite a plain lock: whoever asks first after it became free has it, which keeps the file busy; its own busy wait would be a lottery.

On PostgreSQL the lock itself is in the server.  A thread that waits for it there holds a pooled connection, and enough of them would hold
all; so only a few go to wait in the server (that is enough to keep it busy) and the others queue here, in the order in which they came.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol


class Turns(Protocol):
    """What a thread asks before it writes."""

    def acquire(self, *, timeout: float) -> bool:
        """Wait for a turn, for so many seconds at most; whether it came."""

    def release(self) -> None:
        """Let the next one have it."""


class Queue:
    """So many turns at a time, handed on from each to whoever has waited longest."""

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
