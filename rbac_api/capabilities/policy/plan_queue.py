"""Limits the work that a caller may cause with policies: one at a time in each process, and a number of
steps. Part of the service.

Computing a policy occupies a processor, which sign-ins need too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rbac_api.capabilities.policy.errors import PolicyBusy, PolicyTooLarge
from rbac_api.decision.difference import Step
from rbac_api.guard.enforcement.clearance import Clearance

MAX_STEPS = 50_000
MAX_HOLDERS = 100_000  # accounts with a role that would change
_PLACES = threading.BoundedSemaphore(2)  # for one that is computed, and one that waits
_TURN = threading.Lock()


@contextmanager
def one_at_a_time(clearance: Clearance) -> Iterator[None]:
    """Wait for the turn; 429 ``policy.busy`` if another request waits already. Only requests do: the operator
    has a process of its own."""
    if not _PLACES.acquire(blocking=False):
        raise PolicyBusy()
    try:
        if not _TURN.acquire(timeout=clearance.settings.database_timeout):
            raise PolicyBusy()
        try:
            yield
        finally:
            _TURN.release()
    finally:
        _PLACES.release()


def require_bounded(clearance: Clearance, steps: Iterable[Step]) -> None:
    """422 ``policy.too_large`` for more steps than a request may cause; each permission of a new role counts
    as one."""
    require_few(clearance, sum(1 + len(step.facts.get("permissions", ())) for step in steps), MAX_STEPS)


def require_few(clearance: Clearance, number: int, most: int) -> None:
    """The same for other numbers that grow."""
    if number > most and not clearance.unbounded:
        raise PolicyTooLarge()
