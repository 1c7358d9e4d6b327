"""Threads of one process queue for the write lock of PostgreSQL in the order in which they came."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rbac_api.database.write_queue import Queue
from tests.patience import PATIENCE


def in_line(queue: Queue, names: str, enter: Callable[[str], None]) -> list[threading.Thread]:
    """One thread per letter, each in the queue before the next one comes."""
    threads = []
    for name in names:
        threads.append(threading.Thread(target=enter, args=(name,)))
        threads[-1].start()
        while len(queue._waiting) < len(threads):
            pass
    return threads


def test_whoever_came_first_is_served_first() -> None:
    queue, served = Queue(2), []

    def enter(name: str) -> None:
        assert queue.acquire(timeout=PATIENCE)
        served.append(name)
        queue.release()

    assert queue.acquire(timeout=0)
    assert queue.acquire(timeout=0)
    waiting = in_line(queue, "abcdef", enter)
    queue.release()
    for thread in waiting:
        thread.join()

    assert "".join(served) == "abcdef"
    queue.release()
    assert queue._free == 2


def test_who_has_waited_long_enough_leaves_and_the_next_moves_up() -> None:
    queue = Queue(1)
    assert queue.acquire(timeout=0)

    assert not queue.acquire(timeout=0.01)
    queue.release()

    assert queue.acquire(timeout=0)
    assert not queue._waiting


def test_a_turn_that_comes_at_the_last_moment_is_taken_and_not_lost() -> None:
    queue = Queue(1)
    assert queue.acquire(timeout=0)

    original, handed = queue._mutex, []

    class LateMutex:
        def __enter__(self) -> None:
            if queue._waiting and not handed:
                handed.append(True)
                queue._waiting.popleft().release()
            original.acquire()

        def __exit__(self, *_fault: object) -> None:
            original.release()

    queue._mutex = LateMutex()  # type: ignore[assignment]
    assert queue.acquire(timeout=0.01)
    assert handed
