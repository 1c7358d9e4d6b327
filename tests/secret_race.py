"""Eight processes that all want the instance secret of one new data folder; a program of its own, so that it may fork (test_settings.py).

    python -m tests.secret_race FOLDER ROUNDS

prints, for our way and the naive one, in each round, how many different secrets the eight ended up with.
"""

from __future__ import annotations

import json
import multiprocessing
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rbac_api.settings import Settings, complete

PROCESSES = 8


def ours(folder: Path) -> str:
    return complete(Settings(data_dir=str(folder))).secret_key


def naive(folder: Path) -> str:
    """The vulnerable twin: looks, then writes, then believes what it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / "secret_key"
    if place.exists():
        return place.read_text()
    secret = secrets.token_urlsafe(48)
    place.write_text(secret)
    return secret


def race(folder: Path, rounds: int, way: Callable[[Path], str]) -> list[int]:
    context = multiprocessing.get_context("fork")
    barrier, answers = context.Barrier(PROCESSES), context.Queue()
    runners = [
        context.Process(target=_run, args=(folder, rounds, way, barrier, answers)) for _ in range(PROCESSES)
    ]
    for runner in runners:
        runner.start()
    found = [answers.get(timeout=60) for _ in range(PROCESSES * rounds)]
    for runner in runners:
        runner.join()
    return [len({secret for number, secret in found if number == turn}) for turn in range(rounds)]


def _run(folder: Path, rounds: int, way: Callable[[Path], str], barrier: Any, answers: Any) -> None:
    for number in range(rounds):
        barrier.wait(60)
        answers.put((number, way(folder / str(number))))


if __name__ == "__main__":
    ways = {
        way.__name__: race(Path(sys.argv[1]) / way.__name__, int(sys.argv[2]), way) for way in (ours, naive)
    }
    print(json.dumps(ways))  # noqa: T201
