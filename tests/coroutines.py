"""Run a coroutine to its end, whatever else this worker has running."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, or raise what it raises.

    A thread of its own runs it, in the caller's context. Where this worker has started the browser, Playwright
    leaves its event loop marked as running in the main thread, and `asyncio.run` starts no second one there.
    """
    with ThreadPoolExecutor(max_workers=1) as threads:
        running = threads.submit(contextvars.copy_context().run, asyncio.run, coroutine)  # noqa: TID251
        return running.result()
