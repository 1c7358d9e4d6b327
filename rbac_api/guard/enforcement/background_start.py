"""Begins background work with the first request.

A worker's process is forked after its application was made, and threads do not survive a fork.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress


class BackgroundStart:
    """Calls each given function once, at its own first call; costs next to nothing afterwards."""

    def __init__(self, *starts: Callable[[], None]) -> None:
        self.waiting = list(starts)

    def add(self, start: Callable[[], None]) -> None:
        """Add a function to call."""
        self.waiting.append(start)

    def __call__(self) -> None:
        while self.waiting:
            with suppress(IndexError):  # another thread took it
                self.waiting.pop()()
