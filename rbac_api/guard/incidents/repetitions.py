"""Counts occurrences that repeat: of each kind one a minute is written, and the number of the others a minute
later.

A caller who repeats a request must not make the service write for each repetition.  The first occurrence is
written at once, in the request.  Those within ``QUIET_SECONDS`` of it are counted in this process.  Their
number is written with the next one after that, or by a thread if none follows, and when the process stops.
Only a process that is killed loses the count of its last minute.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from rbac_api import clock
from rbac_api.errors import Unavailable
from rbac_api.observability.background import report_failure, surviving
from rbac_api.observability.logs import log

QUIET_SECONDS = 60.0
SWEEP_SECONDS = 5.0
MAX_REMEMBERED = 10_000
Key = tuple[str, ...]
Write = Callable[[int], bool]
"""Writes a number of occurrences in a transaction of its own; returns whether it could, else they stay
counted.
"""


@dataclass(slots=True)
class _Counter:
    until: float  # the end of its quiet time
    note: str | None  # that of the occurrence that was written; None: it could not be written
    times: int = 0  # counted since then, and not written yet
    write: Write | None = None


class Repetitions:
    """Counts for one application.  Bounded: the oldest key makes room first, and its number is still
    written."""

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._counted: dict[Key, _Counter] = {}
        self._ousted: list[tuple[Key, _Counter]] = []
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, key: Key, write: Write, note: str = "") -> tuple[int, str]:
        """Count an occurrence; return how many the caller has to write now (0 while it is quiet), and the
        note of the one written last.

        ``write`` is how to write repetitions later.
        """
        now = clock.monotonic()
        with self._counting:
            kept = self._counted.get(key)
            if kept is not None and now < kept.until:
                kept.times, kept.write = kept.times + 1, write
                self._begin()
                return 0, kept.note or ""
            self._make_room()
            self._counted.pop(key, None)
            self._counted[key] = _Counter(now + QUIET_SECONDS, note)
        return 1 + (kept.times if kept else 0), note

    def is_quiet(self, key: Key) -> bool:
        """Return whether the next occurrence would only be counted."""
        kept = self._counted.get(key)
        return kept is not None and clock.monotonic() < kept.until

    def once(self, key: Key, now: Write, later: Write, note: str = "") -> str:
        """Write this occurrence ``now``, or count it and write the number ``later``; return the note of the
        one written last."""
        times, latest = self.count(key, later, note)
        if times:
            try:
                now(times)
            except Unavailable:
                self.give_back(key, times, later)
                raise
        return latest

    def give_back(self, key: Key, times: int, write: Write) -> None:
        """Count again what could not be written; the next occurrence is written at once.

        No answer may name its note: nothing stands under it.
        """
        with self._counting:
            kept = self._counted.setdefault(key, _Counter(0, None))
            kept.until, kept.times, kept.write = clock.monotonic(), kept.times + times, write
            kept.note = None
            self._begin()

    def flush(self, *, everything: bool = False) -> None:
        """Write the repetitions whose minute is over, and forget what did not repeat."""
        now = clock.monotonic()
        with self._counting:
            over = [(key, kept) for key, kept in self._counted.items() if everything or kept.until <= now]
            for key, kept in over:
                del self._counted[key]
                if kept.times and kept.note is not None:  # written now: quiet for another minute
                    self._counted[key] = _Counter(now + QUIET_SECONDS, kept.note)
            over, self._ousted = self._ousted + over, []
        there = True
        for key, kept in over:
            if kept.write:  # after one failure the others do not wait for the database too
                there = there and self._write(key, kept.times, kept.write)
                if not there:
                    self.give_back(key, kept.times, kept.write)

    def forget(self) -> None:
        """Forget what was counted."""
        with self._counting:
            self._counted.clear()
            self._ousted.clear()

    def close(self) -> None:
        """Write what is left, and stop."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        self.flush(everything=True)

    def _make_room(self) -> None:
        if len(self._counted) >= MAX_REMEMBERED:
            key = next(iter(self._counted))
            self._ousted.append((key, self._counted.pop(key)))

    def _begin(self) -> None:
        """Start the thread with the first count: a worker's process is forked after this was made."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._sweep, name="rbac-repeated", daemon=True)
            self._thread.start()

    def _sweep(self) -> None:
        while not self._closing.wait(SWEEP_SECONDS):
            with surviving("repeated"):
                self.flush()

    def _write(self, key: Key, times: int, write: Write) -> bool:
        """Write one number; return whether the database answers."""
        try:
            if not write(times):
                self.give_back(key, times, write)
        except Unavailable as fault:
            log.warning("repetitions.unwritten", kind=key[0], times=times, internal=fault.internal)
            return False
        except Exception as fault:  # noqa: BLE001 -- the others are written all the same
            report_failure("repeated", fault)
            self.give_back(key, times, write)
        return True
