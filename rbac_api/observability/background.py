"""Keeps the background threads of a process running: what their work raises is logged and counted.

A thread that ends is missed by no request. It would be missed when old rows fill the disk, or when an event
is not linked.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import structlog
from prometheus_client import Counter

THREADS = (
    "checkpoints", "follower", "log", "publisher", "repeated", "retention", "sequencer", "tally", "uses",
)  # fmt: skip
"""The threads, without the prefix ``rbac-`` of their names."""

FAILURES = Counter(
    "rbac_background_failures_total",
    "Unexpected errors in the work of a background thread, which then goes on, by thread.",
    ["thread"],
)
_log = structlog.get_logger("rbac_api")


def report_failure(thread: str, fault: Exception) -> None:
    """Log and count an unexpected error; raises nothing, even if the log cannot be written."""
    FAILURES.labels(thread).inc()
    with suppress(Exception):
        _log.error("background.failed", thread=thread, exc_info=fault)


@contextmanager
def surviving(thread: str) -> Iterator[None]:
    """Report what the body raises, and go on after it."""
    try:
        yield
    except Exception as fault:  # noqa: BLE001 -- the thread must not end by it
        report_failure(thread, fault)
