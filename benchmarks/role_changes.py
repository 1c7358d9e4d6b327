"""Measures one changed role among many, and questions about the past, beside reading and compiling all roles.

Usage: ``python -m benchmarks.role_changes [--engine sqlite|postgresql] [--roles N] [--rounds N]``

The roles stand in chains of eight with two of 500 permissions each, and are a hundred days old. Two
applications in this process share the database, as two workers do. For each change it prints how long the
write lock was held, and the CPU time of the next request in the other worker; for each question about the
past, how long its answer took. Beside them stands what reading and compiling all roles costs in the same
run: what each of them had to do before roles changed in place. All are medians. The lock's time is given as
CPU time of the thread that holds it, too: on a busy machine, and with a slow disk, it is held longer.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Table, insert

from benchmarks.decisions import CHAIN
from benchmarks.stage import Stage, build_stage
from rbac_api.database.engine import Database
from rbac_api.database.tables import permissions, role_inheritance, role_permissions, roles
from rbac_api.database.types import new_id
from rbac_api.factory import close_app, create_app
from rbac_api.guard.state.queries import find_role_graph
from tests.servers import start_postgres

PERMISSIONS = 500
AGE = timedelta(days=100)
COST = 10  # of password hashes, which are not measured here
Rows = list[dict[str, Any]]


def add_roles(database: Database, count: int) -> None:
    """Write the roles and what they hold and inherit, as they have been for a hundred days."""
    since = datetime.now(UTC) - AGE
    granted = [new_id() for _ in range(PERMISSIONS)]
    ids = [new_id() for _ in range(count)]
    pairs = [(ids[n], granted[place % PERMISSIONS]) for n in range(count) for place in (n, n * 7 + 1)]
    edges = [(ids[n], ids[n + 1]) for n in range(count - 1) if n % CHAIN != CHAIN - 1]
    named = [{"id": key, "name": f"role-{n}", "updated_at": since} for n, key in enumerate(ids)]
    known = [{"id": key, "name": f"thing{n}:do", "description": "Made."} for n, key in enumerate(granted)]
    with database.writing() as connection:
        _add(connection, permissions, known, since)
        _add(connection, roles, named, since)
        _add(connection, role_permissions, [{"role_id": a, "permission_id": b} for a, b in pairs], since)
        _add(connection, role_inheritance, [{"senior_id": a, "junior_id": b} for a, b in edges], since)


def _add(connection: Connection, table: Table, rows: Rows, since: datetime) -> None:
    for row in rows:
        row.setdefault("id", new_id())
        row["valid_from"] = since
    connection.execute(insert(table), rows)


@dataclass
class Worker:
    """One application with an administrator's requests."""

    app: Flask
    headers: dict[str, str]

    def call(self, method: str, path: str, status: int) -> float:
        """Return the CPU milliseconds of this thread for a request that is answered with this status."""
        began = time.thread_time()
        answer = self.app.test_client().open(path, method=method, headers=self.headers)
        took = time.thread_time() - began
        assert answer.status_code == status, (path, answer.status_code, answer.get_data(as_text=True))
        return took * 1000


@contextmanager
def holding(database: Database) -> Iterator[list[tuple[float, float]]]:
    """Collect for how many milliseconds each writing transaction held the write lock, and how many of CPU."""
    found: list[tuple[float, float]] = []
    usual = database.writing

    @contextmanager
    def timed() -> Iterator[Connection]:
        began = None
        try:
            with usual() as connection:
                began = (time.perf_counter(), time.thread_time())
                yield connection
        finally:
            if began is not None:
                now = (time.perf_counter(), time.thread_time())
                found.append(((now[0] - began[0]) * 1000, (now[1] - began[1]) * 1000))

    database.writing = timed  # type: ignore[method-assign]
    try:
        yield found
    finally:
        database.writing = usual  # type: ignore[method-assign]


def changes(count: int, turn: int) -> dict[str, tuple[str, str, int]]:
    """Return the changes of one round: the name of each, with its method, path and status."""
    low, top = CHAIN * turn + CHAIN - 1, CHAIN * (count // CHAIN - 1 - turn)
    edge, grant = f"/v1/roles/role-{low}/inherits/role-{top}", f"/v1/roles/role-{low}/permissions/thing9:do"
    return {
        "grant a permission to the lowest of a chain": ("PUT", grant, 201),
        "withdraw it": ("DELETE", grant, 204),
        "let it inherit another chain": ("PUT", edge, 201),
        "end that": ("DELETE", edge, 204),
        "create a role": ("POST", f"made-{turn}", 201),
        "delete it": ("DELETE", f"/v1/roles/made-{turn}?force=true", 204),
    }


def questions(turn: int, user: str, begun: datetime) -> dict[str, str]:
    """Return the questions about a moment before the changes, another one in each turn."""
    at = (begun + timedelta(milliseconds=turn)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "why a user had a permission": f"/v1/users/{user}/access?permission=thing9:do&at={at}",
        "the roles of a user": f"/v1/users/{user}/roles?at={at}",
        "a role": f"/v1/roles/role-{turn}?at={at}",
        "the members of a role, inherited too": f"/v1/roles/role-7/members?effective=true&at={at}",
        "the holders of a permission": f"/v1/permissions/thing9:do/holders?at={at}",
        "the difference of a role since then": f"/v1/access/diff?from={at}&role=role-7",
        "the difference of a user since then": f"/v1/access/diff?from={at}&user={user}",
    }


class Bench:
    """Two workers on one database."""

    def __init__(self, stage: Stage, count: int) -> None:
        self.count = count
        self.database = Database(stage.settings)
        add_roles(self.database, count)
        headers = {"Authorization": f"Bearer {stage.people[0].access}"}
        self.writer, self.other = (Worker(create_app(stage.settings), headers) for _ in range(2))
        found = self.writer.app.test_client().get("/v1/me", headers=headers).json
        self.user = str((found or {})["id"])
        self.begun = datetime.now(UTC)
        time.sleep(1)  # so that every moment which is asked about is before the first change

    def whole(self) -> float:
        """Return the CPU milliseconds of reading and compiling all roles."""
        with self.database.reading() as connection:
            began = time.thread_time()
            find_role_graph(connection)
            return (time.thread_time() - began) * 1000

    def change(self, method: str, path: str, status: int) -> tuple[float, float, float]:
        """Return how long the lock was held, also in CPU time, and the CPU time of the other worker's next
        request."""
        with holding(self.writer.app.extensions["rbac-api"].database) as held:
            if method == "POST":
                self._create(path)
            else:
                self._write(method, path, status)
        return *max(held), self.other.call("GET", "/v1/roles/role-0", 200)

    def _create(self, name: str) -> None:
        client = self.writer.app.test_client()
        answer = client.post("/v1/roles", headers=self.writer.headers, json={"name": name})
        assert answer.status_code == 201, answer.json

    def _write(self, method: str, path: str, status: int) -> None:
        own = dict(self.writer.headers)
        if "force" in path:
            name = path.partition("?")[0]
            seen = self.writer.app.test_client().get(name, headers=own)
            own["If-Match"] = seen.headers["ETag"]
        answer = self.writer.app.test_client().open(path, method=method, headers=own)
        assert answer.status_code == status, answer.get_data(as_text=True)

    def close(self) -> None:
        """Let go of everything."""
        for worker in (self.writer, self.other):
            close_app(worker.app)
        self.database.dispose()


def run(bench: Bench, rounds: int) -> None:
    """Measure, and print a line for each kind of change and of question."""
    for worker in (bench.writer, bench.other):
        worker.call("GET", "/v1/roles/role-0", 200)
    whole: list[float] = []
    changed: dict[str, list[tuple[float, float, float]]] = {}
    past: dict[str, list[float]] = {}
    for turn in range(rounds):
        whole.append(bench.whole())
        for name, change in changes(bench.count, turn).items():
            changed.setdefault(name, []).append(bench.change(*change))
        for name, path in questions(turn, bench.user, bench.begun).items():
            past.setdefault(name, []).append(_timed(partial(bench.writer.call, "GET", path, 200)))
    every = statistics.median(whole)
    print(f"{bench.count} roles, {rounds} rounds; reading and compiling all of them: {every:.1f} ms CPU\n")
    print(f"{'change':46} {'lock held':>12} {'CPU':>8} {'next request':>14} {'all : next':>11}")
    for name, found in changed.items():
        lock, used, following = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"{name:46} {lock:9.1f} ms {used:8.1f} {following:11.1f} ms {every / following:11.1f}")
    print(f"\n{'question about a moment before the changes':46} {'answered in':>12} {'all : answer':>14}")
    for name, answers in past.items():
        took = statistics.median(answers)
        print(f"{name:46} {took:9.1f} ms {every / took:14.1f}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.role_changes", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--roles", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.engine == "sqlite":
            _run(Path(folder), f"sqlite:///{folder}/bench.db", options)
            return
        server = start_postgres(durable=True)
        try:
            _run(Path(folder), server.create_database(), options)
        finally:
            server.stop()


def _run(folder: Path, url: str, options: argparse.Namespace) -> None:
    bench = Bench(build_stage(folder, url, 2, COST), options.roles)
    try:
        run(bench, options.rounds)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
