"""Writes log lines to standard error: one by one while it is quiet, many at a time under load.

A write per request is a system call, followed by a wait for the interpreter's lock. Under load that cost more
than the guard; the standard library's ``QueueListener`` also writes each line separately (decision 61). So a
line is written at once if none was written in the last ``WRITE_INTERVAL``. Otherwise it waits for the first
line after that interval, or for a thread that writes what is left. In the worst case (``kill -9``) the
waiting lines are lost; the audit trail never is.
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
from rbac_api.observability.background import surviving

WRITE_INTERVAL = 0.01  # seconds
MAX_DELAY = 0.1  # the longest wait of a line, in seconds; under load the next line comes sooner
MAX_WRITE_BYTES = 4096  # a write of up to this size to a shared pipe is atomic (POSIX, PIPE_BUF)
T = TypeVar("T")


class BufferedLines(Generic[T]):
    """Buffers lines for standard error.

    ``render`` returns a line with its line feed, shorter than ``MAX_WRITE_BYTES``.
    """

    def __init__(self, render: Callable[[T], bytes]) -> None:
        self._render = render
        self._waiting: deque[T] = deque()
        self._writing = threading.Lock()
        self._next = 0.0
        self._left = threading.Event()
        self._flusher: threading.Thread | None = None

    def put(self, line: T) -> None:
        """Write the line, now or within ``MAX_DELAY`` seconds."""
        self._waiting.append(line)
        if clock.monotonic() >= self._next:
            self.write()
        elif not self._left.is_set():
            self._schedule_flush()

    def write(self) -> None:
        """Write all waiting lines."""
        with self._writing:
            self._next = clock.monotonic() + WRITE_INTERVAL
            stream = sys.stderr.buffer
            raw = getattr(stream, "raw", stream)  # whole pieces: nothing to buffer, nothing to flush
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            for piece in _pieces(map(self._render, waiting)):
                raw.write(piece)

    def _schedule_flush(self) -> None:
        self._left.set()
        if self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_later, name="rbac-log", daemon=True)
            self._flusher.start()
            atexit.register(self.write)

    def _flush_later(self) -> None:
        while True:
            self._left.wait()
            time.sleep(MAX_DELAY)
            self._left.clear()
            with surviving("log"):
                self.write()


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    piece = b""
    for line in lines:
        if len(piece) + len(line) > MAX_WRITE_BYTES:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
