"""Two threads that come to the same lock at the worst of moments: each has looked before it, and neither has passed it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import MethodType
from typing import Any

from rbac_api import clock


def begun_by_two(call: Callable[[], object], *, at: threading.Lock, inside: Any) -> list[threading.Thread]:
    """Let two threads call, keep both waiting ``at`` the lock until each is ``inside`` that method; the threads they have begun."""
    assert isinstance(inside, MethodType)
    code, before = inside.__func__.__code__, set(threading.enumerate())
    callers = [threading.Thread(target=call) for _ in range(2)]
    deadline = clock.monotonic() + 10
    with at:
        for caller in callers:
            caller.start()
        while any(_place(caller) is not code for caller in callers):
            assert clock.monotonic() < deadline
            time.sleep(0.001)
        time.sleep(0.01)  # from its first line to the lock
    for caller in callers:
        caller.join()
    return [thread for thread in threading.enumerate() if thread not in before]


def _place(thread: threading.Thread) -> Any:
    frame = sys._current_frames().get(thread.ident or 0)
    return frame and frame.f_code
