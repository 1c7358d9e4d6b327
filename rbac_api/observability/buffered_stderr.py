"""The log's busiest lines on their way out: one by one while it is quiet, many at a time under load.

A write per request is a system call, and after it a wait for the interpreter's lock: under load that cost more than the guard, and the
standard library's ``QueueListener`` writes each line by itself (decision 61).  So a
line is written at once if none was in the last moment; else it waits for the next one that comes after that moment, or for a thread
that looks after what is left.  In the worst case (``kill -9``) the lines of that moment are lost; the trail never is.
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from rbac_api import clock

MOMENT = 0.01  # seconds
PATIENCE = 0.1  # how long what is left may wait; rarely so long, since under load the next line comes sooner
PIECE = 4096  # bytes that go whole into a pipe that several workers share (POSIX, PIPE_BUF)
T = TypeVar("T")


class Lines(Generic[T]):
    """Lines for standard error, each rendered with its line feed when it is written, and shorter than ``PIECE``."""

    def __init__(self, render: Callable[[T], bytes]) -> None:
        self._render = render
        self._waiting: deque[T] = deque()
        self._writing = threading.Lock()
        self._next = 0.0
        self._left = threading.Event()
        self._keeper: threading.Thread | None = None

    def put(self, line: T) -> None:
        """Write the line, now or in a moment."""
        self._waiting.append(line)
        if clock.monotonic() >= self._next:
            self.write()
        elif not self._left.is_set():
            self._keep()

    def write(self) -> None:
        """Write all that waits."""
        with self._writing:
            self._next = clock.monotonic() + MOMENT
            stream = sys.stderr.buffer
            raw = getattr(stream, "raw", stream)  # whole pieces: nothing to buffer, nothing to flush
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            for piece in _pieces(map(self._render, waiting)):
                raw.write(piece)

    def _keep(self) -> None:
        self._left.set()
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._look_after, name="rbac-log", daemon=True)
            self._keeper.start()
            atexit.register(self.write)

    def _look_after(self) -> None:
        while True:
            self._left.wait()
            time.sleep(PATIENCE)
            self._left.clear()
            self.write()


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    piece = b""
    for line in lines:
        if len(piece) + len(line) > PIECE:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
