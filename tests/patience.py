"""Waiting and measuring on a machine that does other things as well.

What comes at all comes before ``PATIENCE`` is at an end, however busy the machine; so only what never comes costs it.  Whether the service
waits as long as it should is told by a clock that leaps (``Leaping``), or by the quickest of several attempts (``quickest``): whatever else
the machine does delays now one and now another of them, a fault delays them all.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from rbac_api.database.engine import Database

PATIENCE = 60.0  # seconds
ATTEMPTS = 5
_LOOK = "SELECT trail_events.seq, trail_events.hash, trail_events.action, trail_events.target_type"


def eventually(happened: Callable[[], Any], pause: float = 0.01) -> bool:
    """Whether it happened before patience was at an end."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def connections_held(database: Database) -> int:
    """The connections that are checked out once the threads of the service itself had two seconds to return theirs."""
    pool = database.engine.pool
    for _ in range(100):
        if pool.checkedout() == 0:  # type: ignore[attr-defined]
            break
        time.sleep(0.02)
    return int(pool.checkedout())  # type: ignore[attr-defined]


def without_looks(engine: str, statements: Iterable[str]) -> list[str]:
    """The statements but for the gate's: on PostgreSQL a worker whose lease a busy machine let run out looks at each request whether
    anything was committed, whoever asks.  On SQLite it does so only after a commit."""
    return [one for one in statements if engine == "sqlite" or not one.startswith(_LOOK)]


def seconds(work: Callable[[], object]) -> float:
    """How long it took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def at_best(measure: Callable[[], float], bound: float) -> float:
    """The least that was measured; measured again only if it is not within the bound."""
    best = float("inf")
    for _ in range(ATTEMPTS):
        best = min(best, measure())
        if best < bound:
            break
    return best


def quickest(work: Callable[[], object], bound: float) -> float:
    """The seconds that it took at best."""
    return at_best(lambda: seconds(work), bound)


class Leaping:
    """Stands in for ``clock.monotonic``: runs as it does, and leaps ahead when told to.  Knows how often each thread has asked."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self._asked: Counter[int] = Counter()

    def __call__(self) -> float:
        self._asked[threading.get_ident()] += 1
        return time.monotonic() + self._ahead

    def leap(self, seconds: float) -> None:
        self._ahead += seconds

    def asked(self, thread: threading.Thread) -> int:
        return self._asked[thread.ident or 0]


def inside(thread: threading.Thread, method: Any) -> bool:
    """Whether the thread is in that function just now, or in something that it called."""
    return method.__code__ in _places(thread)


def _places(thread: threading.Thread) -> Iterable[CodeType]:
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        yield frame.f_code
        frame = frame.f_back
