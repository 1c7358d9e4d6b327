"""Measures refreshes while commits are slow: ``python -m benchmarks.refreshes --commit 0 10 --workers 1 2``.

Thirty-two clients refresh one session each, on PostgreSQL with durable commits. ``commit_delay`` with
``commit_siblings = 0`` makes the backend that flushes the log sleep before it does, where it would wait for a
slow disk or a replica; transactions that commit meanwhile share the next flush. Beside the rate stands that
of bare commits of one row, by as many connections.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.load import Measured, Pace, Refreshing, run
from benchmarks.processes import serving
from benchmarks.stage import SignedIn, Stage, build_stage
from tests.servers import start_postgres

CLIENTS = 32
SETTLING = 4.0  # seconds; a worker reads the roles at its first request
LIMITS = {"RBAC_TOKEN_LIMIT": "1000000 per minute", "RBAC_ACCOUNT_LIMIT": "1000000 per minute"}
_CREATE = "CREATE TABLE IF NOT EXISTS bench_commits (id INTEGER, note TEXT)"
_INSERT = "INSERT INTO bench_commits VALUES (1, 'as short as a row can be')"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    cells = [(workers, delay) for delay in options.commit for workers in options.workers]
    print("| workers | commit takes longer by | refreshes/s | p50 ms | p99 ms | bare commits/s |")
    print("|---|---|---|---|---|---|")
    server = start_postgres(durable=True)
    try:
        with tempfile.TemporaryDirectory(prefix="rbac-bench-") as folder:
            people = 1 + CLIENTS * len(cells) * options.rounds
            stage = build_stage(Path(folder), server.create_database(), people, 10)
            for number, (workers, delay) in enumerate(cells):
                _delay_commits(stage.settings.url, delay)
                mine = stage.people[1 + number * CLIENTS * options.rounds :]
                rounds = _rounds(stage, Path(folder), workers, mine, options)
                bare = _bare_commits(stage.settings.url, options.seconds)
                print(_row(workers, delay, rounds, bare), flush=True)
    finally:
        server.stop()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.refreshes", description=sys.modules[__name__].__doc__
    )
    parser.add_argument("--commit", type=int, nargs="+", default=[0, 2, 10], help="milliseconds")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each round")
    return parser.parse_args(arguments)


def _rounds(
    stage: Stage, folder: Path, workers: int, people: list[SignedIn], options: argparse.Namespace
) -> list[Measured]:
    found = []
    with serving("ours", {**stage.environment, **LIMITS, "RBAC_WORKERS": str(workers)}, folder) as ours:
        for number in range(options.rounds):
            mine = people[number * CLIENTS : (number + 1) * CLIENTS]
            load = [Refreshing(person.refresh) for person in mine]
            measured = run(ours.port, load, options.seconds, pace=Pace(settling=SETTLING))
            measured.require_only(200)
            found.append(measured)
    return found


def _row(workers: int, delay: int, rounds: list[Measured], bare: float) -> str:
    rate = median(one.rate for one in rounds)
    p50, p99 = (1000 * median(one.percentile(share) for one in rounds) for share in (0.5, 0.99))
    return f"| {workers} | {delay} ms | {rate:.0f} | {p50:.0f} | {p99:.0f} | {bare:.0f} |"


def _delay_commits(url: str, milliseconds: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET commit_delay = {milliseconds * 1000}".encode())
        connection.execute("ALTER SYSTEM SET commit_siblings = 0")
        connection.execute("SELECT pg_reload_conf()")


def _bare_commits(url: str, seconds: float) -> float:
    """Return how many rows a second as many connections commit, each row by itself."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CREATE)
    counts, ends = [], time.monotonic() + seconds

    def commit() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            count = 0
            while time.monotonic() < ends:
                connection.execute(_INSERT)
                count += 1
            counts.append(count)

    threads = [threading.Thread(target=commit) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


if __name__ == "__main__":
    main()
