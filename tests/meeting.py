"""Two threads that come to the same lock at the worst of moments: each has looked before it, and neither has passed it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import MethodType
from typing import Any

from tests.patience import PATIENCE, eventually, inside


def met(count: int) -> Callable[[], object]:
    """A place that nobody leaves before so many have come."""
    return threading.Barrier(count, timeout=PATIENCE).wait


def all_before_any(work: Callable[..., Any], count: int) -> Callable[..., Any]:
    """The same work, which so many have done before any of them goes on."""
    meet = met(count)

    def meeting(*given: Any, **named: Any) -> Any:
        found = work(*given, **named)
        meet()
        return found

    return meeting


def begun_by_two(call: Callable[[], object], *, at: threading.Lock, within: Any) -> list[threading.Thread]:
    """Let two threads call, keep both waiting ``at`` the lock until each is ``within`` that method; the threads they have begun."""
    assert isinstance(within, MethodType)
    function, before = within.__func__, set(threading.enumerate())
    callers = [threading.Thread(target=call) for _ in range(2)]
    with at:
        for caller in callers:
            caller.start()
        assert eventually(lambda: all(inside(caller, function) for caller in callers), 0.001)
        time.sleep(0.01)  # from its first line to the lock
    for caller in callers:
        caller.join()
    return [thread for thread in threading.enumerate() if thread not in before]
