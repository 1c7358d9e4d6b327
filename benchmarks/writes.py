"""Measures what writes: ``python -m benchmarks.writes --commit 0 10 --workers 1 2``.

Thirty-two clients refresh one session each, assign and take away a role of one user each, or sign in, with
durable commits. Beside each rate stands the floor: the least that any service must do, one statement with a
commit (and the hash, for a sign-in), in Flask on the same server with the driver alone.

``commit_delay`` with ``commit_siblings = 0`` makes the backend of PostgreSQL that flushes the log sleep
before it does, where it would wait for a slow disk or a replica; transactions that commit meanwhile share the
next flush. SQLite has no such setting.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from uuid import UUID

import psycopg

from benchmarks.load import Measured, Pace, Refreshing, Requests, Rotation, post, run
from benchmarks.processes import Running, serving
from benchmarks.server import FLOOR, FLOOR_WITH_HASH
from benchmarks.stage import PASSWORD, SignedIn, Stage, build_stage
from rbac_api.database.engine import Database
from tests.servers import start_postgres

CLIENTS = 32
SETTLING = 1.0  # seconds before counting begins
LIMITS = {"RBAC_TOKEN_LIMIT": "1000000 per minute", "RBAC_ACCOUNT_LIMIT": "1000000 per minute"}
ROLE = "auditor"  # what is assigned
Loads = Callable[[Stage, list[SignedIn]], list[Requests]]


def refreshes(_stage: Stage, people: list[SignedIn]) -> list[Requests]:
    """Each client exchanges the tokens of its own session."""
    return [Refreshing(person.refresh) for person in people]


def assignments(stage: Stage, people: list[SignedIn]) -> list[Requests]:
    """The administrator gives each user a role and takes it away."""
    database = Database(stage.settings)
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT username, id FROM users").all()
    database.dispose()
    ids = {row.username: row.id for row in rows}
    paths = [f"/v1/users/{UUID(str(ids[person.username]))}/roles/{ROLE}" for person in people]
    admin = stage.people[0].access
    return [Rotation([_bodiless("PUT", path, admin), _bodiless("DELETE", path, admin)]) for path in paths]


def sign_ins(_stage: Stage, people: list[SignedIn]) -> list[Requests]:
    """Each client signs in as its own user, and never out."""
    bodies = [{"username": person.username, "password": PASSWORD} for person in people]
    return [Rotation([post("/v1/auth/login", body)]) for body in bodies]


WRITES: dict[str, tuple[Loads, str]] = {
    "refresh": (refreshes, FLOOR),
    "assignment": (assignments, FLOOR),
    "sign-in": (sign_ins, FLOOR_WITH_HASH),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _options(arguments)
    delays = options.commit if options.engine == "postgresql" else [0]
    print("| write | workers | commit takes longer by | per second | floor | share | p50 ms | p99 ms |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="rbac-bench-") as name, _database(options.engine, name) as url:
        people = 1 + CLIENTS * len(delays) * len(options.workers) * options.rounds
        stage = build_stage(Path(name), url, people, 10)
        unused = iter(stage.people[1:])
        for workers in options.workers:
            environment = {**stage.environment, **LIMITS, "RBAC_WORKERS": str(workers)}
            with (
                serving("ours", environment, Path(name)) as ours,
                serving("floor", environment, Path(name)) as floor,
            ):
                for delay in delays:
                    _delay_commits(stage, delay)
                    _print_rows(stage, (ours, floor), (workers, delay), unused, options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.writes", description=sys.modules[__name__].__doc__
    )
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--write", choices=WRITES, nargs="+", default=list(WRITES))
    parser.add_argument("--commit", type=int, nargs="+", default=[0, 2, 10], help="milliseconds")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each round")
    return parser.parse_args(arguments)


@contextmanager
def _database(engine: str, folder: str) -> Iterator[str]:
    if engine == "sqlite":
        yield f"sqlite:///{folder}/rbac.db"
        return
    server = start_postgres(durable=True)
    try:
        yield server.create_database()
    finally:
        server.stop()


def _print_rows(
    stage: Stage,
    servers: tuple[Running, Running],
    cell: tuple[int, int],
    unused: Iterator[SignedIn],
    options: argparse.Namespace,
) -> None:
    groups = [[next(unused) for _ in range(CLIENTS)] for _ in range(options.rounds)]
    for write in options.write:
        loads, path = WRITES[write]
        bare: list[Requests] = [Rotation([post(path, {})]) for _ in range(CLIENTS)]
        rounds, floors = [], []
        for people in groups:
            floors.append(_measured(servers[1], bare, options.seconds).rate)
            rounds.append(_measured(servers[0], loads(stage, people), options.seconds))
        print(_row(write, cell, rounds, median(floors)), flush=True)


def _measured(server: Running, load: list[Requests], seconds: float) -> Measured:
    found = run(server.port, load, seconds, pace=Pace(settling=SETTLING))
    if set(found.statuses) - {200, 201, 204}:
        raise RuntimeError(f"not every request succeeded: {found.statuses}")
    return found


def _row(write: str, cell: tuple[int, int], rounds: list[Measured], floor: float) -> str:
    rate = median(one.rate for one in rounds)
    p50, p99 = (1000 * median(one.percentile(share) for one in rounds) for share in (0.5, 0.99))
    return (
        f"| {write} | {cell[0]} | {cell[1]} ms | {rate:.0f} | {floor:.0f} | {rate / floor:.2f} | {p50:.0f} |"
        f" {p99:.0f} |"
    )


def _bodiless(method: str, path: str, token: str) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    return f"{head}Content-Length: 0\r\n\r\n".encode()


def _delay_commits(stage: Stage, milliseconds: int) -> None:
    if stage.settings.on_sqlite:
        return
    with psycopg.connect(stage.settings.url, autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET commit_delay = {milliseconds * 1000}".encode())
        connection.execute("ALTER SYSTEM SET commit_siblings = 0")
        connection.execute("SELECT pg_reload_conf()")


if __name__ == "__main__":
    main()
