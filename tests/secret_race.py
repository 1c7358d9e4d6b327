"""Eight processes that all want the instance secret of one new data folder; a program of its own, so that it may fork (test_settings.py).

    python -m tests.secret_race FOLDER ROUNDS

prints, for our way and the naive one, in each round, how many different secrets the eight ended up with.  They meet at the worst of
moments: when each has seen that there is none yet, and before any puts its own in place.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rbac_api.settings import Settings, complete

PROCESSES = 8
Meet = Callable[[], Any]


def ours(folder: Path, meet: Meet) -> str:
    link = os.link

    def link_together(source: Any, target: Any) -> None:
        meet()
        link(source, target)

    os.link = link_together  # type: ignore[assignment]
    try:
        return complete(Settings(data_dir=str(folder))).secret_key
    finally:
        os.link = link


def naive(folder: Path, meet: Meet) -> str:
    """The vulnerable twin: looks, then writes, then believes what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "secret_key"
    missing = not place.exists()
    meet()
    if missing:
        secret = secrets.token_urlsafe(48)
        place.write_text(secret)
        return secret
    return place.read_text()


def race(folder: Path, rounds: int, way: Callable[[Path, Meet], str]) -> list[int]:
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    runners = [
        context.Process(target=_run, args=(folder, rounds, way, barrier, answers)) for _ in range(PROCESSES)
    ]
    for runner in runners:
        runner.start()
    found = [answers.get(timeout=120) for _ in range(PROCESSES * rounds)]
    for runner in runners:
        runner.join()
    return [len({secret for number, secret in found if number == turn}) for turn in range(rounds)]


def _run(folder: Path, rounds: int, way: Callable[[Path, Meet], str], barrier: Any, answers: Any) -> None:
    for number in range(rounds):
        answers.put((number, way(folder / str(number), lambda: barrier.wait(120))))


if __name__ == "__main__":
    ways = {
        way.__name__: race(Path(sys.argv[1]) / way.__name__, int(sys.argv[2]), way) for way in (ours, naive)
    }
    print(json.dumps(ways))  # noqa: T201
