"""Measures what counting the uses of permissions costs: a count, its share of a guarded request, a write.

The guarded request is a route under the service's guard, called as WSGI in this process: no server, no
client. Requests with and without counting alternate in short turns, so that both see the same machine; the
CPU time of this thread is compared. ``python -m benchmarks.uses [--engine sqlite|postgresql]``
"""

from __future__ import annotations

import argparse
import tempfile
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, thread_time, thread_time_ns
from typing import Any
from unittest.mock import patch

from flask import Flask
from werkzeug.test import EnvironBuilder

from benchmarks.server import ROUTE, ours
from benchmarks.stage import build_stage
from rbac_api.database.types import new_id
from rbac_api.factory import close_app
from rbac_api.guard.state import uses
from rbac_api.guard.state.uses import UseRecorder
from tests.servers.postgres import start_postgres

COST = 10
REQUESTS = 200  # in a turn


def count_nanoseconds(recorder: UseRecorder, number: int) -> float:
    """Return the CPU time of one count: of five rounds over a thousand subjects and permissions the best."""
    keys = [(new_id(), f"invoices:verb-{n % 20}") for n in range(1000)]

    def work() -> None:
        for user_id, permission in keys:
            recorder.count(user_id, permission, False)

    rounds = timeit.repeat(work, repeat=5, number=number, timer=thread_time)
    return min(rounds) / number / len(keys) * 1e9


def guarded_microseconds(app: Flask, access: str, turns: int) -> tuple[float, float, float]:
    """Return the CPU time of a guarded request without and with counting, and the median of the ratios."""
    environ = EnvironBuilder(ROUTE, headers=[("Authorization", f"Bearer {access}")]).get_environ()
    without, counting = [], []
    for turn in range(turns + 1):  # the first warms up
        with patch.object(UseRecorder, "count", lambda *_: None):
            off = _cpu(app, environ)
        on = _cpu(app, environ)
        if turn:
            without.append(off)
            counting.append(on)
    ratios = [on / off for on, off in zip(counting, without, strict=True)]
    return median(without), median(counting), median(ratios)


def _cpu(app: Flask, environ: dict[str, Any]) -> float:
    began = thread_time_ns()
    for _ in range(REQUESTS):
        status: list[str] = []
        b"".join(app.wsgi_app(dict(environ), lambda line, *_, to=status: to.append(line)))
        if status != ["200 OK"]:
            raise RuntimeError(f"the request was refused: {status}")
    return (thread_time_ns() - began) / REQUESTS / 1000


def write_milliseconds(app: Flask, rows: int) -> tuple[float, float]:
    """Return how long it takes to write so many counts: new ones, and once more the same."""
    recorder: UseRecorder = app.extensions["rbac-api"].runtime.uses
    with app.extensions["rbac-api"].database.reading() as connection:
        ids = list(connection.exec_driver_sql("SELECT CAST(id AS text) FROM users").scalars())
    found = []
    for _ in range(2):
        for number in range(rows):
            recorder.count(ids[number % len(ids)], f"invoices:verb-{number // len(ids)}", False)
        found.append(_timed(recorder.flush))
    return found[0], found[1]


def _timed(work: Callable[[], object]) -> float:
    began = perf_counter()
    work()
    return (perf_counter() - began) * 1000


def run(folder: Path, url: str, turns: int, rows: int) -> None:
    """Measure, and print a line for each."""
    stage = build_stage(folder, url, 2, COST)
    app = ours(stage.settings)
    recorder: UseRecorder = app.extensions["rbac-api"].runtime.uses
    try:
        alone = UseRecorder(app.extensions["rbac-api"].database)
        print(f"one count: {count_nanoseconds(alone, 100):.0f} ns CPU")
        without, counting, ratio = guarded_microseconds(app, stage.people[1].access, turns)
        print(f"guarded request: {without:.1f} us CPU without, {counting:.1f} us with; ratio {ratio:.3f}")
        recorder.forget()
        new, again = write_milliseconds(app, rows)
        print(f"{rows} counts in one statement: {new:.0f} ms new, {again:.0f} ms added to")
    finally:
        close_app(app)


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.uses", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--rows", type=int, default=uses.MAX_TALLIES)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.engine == "sqlite":
            run(Path(folder), f"sqlite:///{folder}/bench.db", options.turns, options.rows)
            return
        server = start_postgres(durable=True)
        try:
            run(Path(folder), server.create_database(), options.turns, options.rows)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
