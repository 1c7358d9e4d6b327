"""How much work a caller may cause with policies: one at a time in each process, and so many steps.  Part of the service.

Working a policy out takes a processor for as long as it lasts, which people who sign in need, too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rbac_api.capabilities.policy.errors import PolicyBusy, PolicyTooLarge
from rbac_api.decision.difference import Step
from rbac_api.guard.enforcement.clearance import Clearance

MOST_STEPS = 50_000
MOST_PEOPLE = 100_000  # who hold a role that would change
_PLACES = threading.BoundedSemaphore(2)  # for one that is worked out, and one that waits
_TURN = threading.Lock()


@contextmanager
def one_at_a_time(clearance: Clearance) -> Iterator[None]:
    """Wait for the turn; 429 ``policy.busy`` where another waits already.  The operator has a process to herself."""
    if clearance.unbounded:
        yield
        return
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
    """422 ``policy.too_large`` for more steps than a request may cause; a permission that a new role holds counts as one."""
    require_few(clearance, sum(1 + len(step.facts.get("permissions", ())) for step in steps), MOST_STEPS)


def require_few(clearance: Clearance, number: int, most: int) -> None:
    """The same for whatever else grows."""
    if number > most and not clearance.unbounded:
        raise PolicyTooLarge()
