"""Measures policies, imports and seeds.

Usage: ``python -m benchmarks.plans [--engine sqlite|postgresql] [--scale N]``

For each task, it prints how long it takes, and how long users who sign in meanwhile wait (p50, p99, the
longest), with the statuses of their answers. Sign-ins come one after the other. Plans and their application
run in the answering process, like requests. Imports and seeds are the commands themselves in their own
process, start included. At the same time a writer in the same process asks for the write lock fifty times a
second: its longest wait shows how long the task, and not the machine, delays others.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask

from benchmarks.stage import PASSWORD, Stage, build_stage
from rbac_api.capabilities.policy import service
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.decision.document import Document, read_document
from rbac_api.factory import close_app, create_app
from tests.servers import start_postgres

LOOK_SECONDS = 0.02
COST = 10  # of password hashes: waiting is measured, not hashing
Row = tuple[str, float, "SignIns"]


@dataclass
class SignIns:
    """The durations of sign-ins, and their statuses."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    longest_lock: float = 0.0  # the longest wait of another writer for the lock, in seconds

    def at(self, part: float) -> float:
        """Return the time within which this share was answered."""
        ordered = sorted(self.seconds) or [0.0]
        return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def roles(count: int, each: int = 10, prefix: str = "made") -> dict[str, Any]:
    """New roles with new permissions."""
    names = [f"{prefix}-{number}" for number in range(count)]
    return {
        "permissions": [
            {"name": f"{name}:p{place}", "description": "Made."} for name in names for place in range(each)
        ],
        "roles": [
            {"name": name, "permissions": [f"{name}:p{place}" for place in range(each)]} for name in names
        ],
    }


def large_list() -> dict[str, Any]:
    """Return a policy of 300 roles, 1,752 permissions and 4,795 grants; a tenth of the roles inherit."""
    permissions = [{"name": f"thing{number}:do", "description": "Made."} for number in range(1752)]
    grants: list[list[str]] = [[] for _ in range(300)]
    for number in range(4795):
        grants[number % 300].append(f"thing{number * 7 % 1752}:do")
    made: list[dict[str, Any]] = []
    for number, held in enumerate(grants):
        inherits = {"inherits": [f"role-{number - 1}"]} if number % 10 == 1 else {}
        made.append({"name": f"role-{number}", "permissions": sorted(set(held)), **inherits})
    return {"permissions": permissions, "roles": made}


def company(people: int) -> dict[str, Any]:
    """People, each with one role."""
    names = [f"person-{number}" for number in range(people)]
    return {
        "roles": [{"name": "member", "description": "Works here."}],
        "users": [{"username": name, "display_name": "A Person"} for name in names],
        "assignments": [{"user": name, "role": "member"} for name in names],
    }


def cpu_seconds() -> float:
    """Return the CPU time of this thread and of ended commands."""
    children = os.times()
    return time.thread_time() + children.children_user + children.children_system


@contextmanager
def signing_in(app: Flask, database: Database, username: str) -> Iterator[SignIns]:
    """Sign in and take the write lock repeatedly, until the block ends."""
    found, done = SignIns(), threading.Event()

    def go() -> None:
        client = app.test_client()
        while not done.is_set():
            began = time.monotonic()
            answer = client.post("/v1/auth/login", json={"username": username, "password": PASSWORD})
            found.seconds.append(time.monotonic() - began)
            found.statuses[answer.status_code] += 1

    def ask() -> None:
        while not done.wait(LOOK_SECONDS):
            began = time.monotonic()
            with suppress(DatabaseDown), database.writing():  # the wait counts, even if it timed out
                pass
            found.longest_lock = max(found.longest_lock, time.monotonic() - began)

    threads = [threading.Thread(target=work) for work in (go, ask)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        done.set()
        for thread in threads:
            thread.join()


class Bench:
    """One application, the operator's access to its database, and an administrator's requests."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.app = stage, create_app(stage.settings)
        self.database = Database(stage.settings)
        self.rows: list[Row] = []
        self.headers = {"Authorization": f"Bearer {stage.people[0].access}"}

    def measure(self, what: str, work: Callable[[], Any]) -> Any:
        """Do it with sign-ins beside it."""
        with signing_in(
            self.app, self.app.extensions["rbac-api"].database, self.stage.people[-1].username
        ) as found:
            time.sleep(0.2)
            found.seconds.clear()
            found.longest_lock = 0.0
            began, used = time.monotonic(), cpu_seconds()
            result = work()
            took, used = time.monotonic() - began, cpu_seconds() - used
        self.rows.append((what, took, found))
        print(
            f"{what:58} {took:8.2f} s, CPU {used:6.2f}   sign-ins: p50 {found.at(0.5):5.2f}  p99 "
            f"{found.at(0.99):5.2f}"
            f"  max {found.at(1):5.2f}  {dict(found.statuses)}  lock: {found.longest_lock:5.2f}",
            flush=True,
        )
        return result

    def plan(self, document: dict[str, Any], *, prune: bool = False) -> None:
        """Do it as the operator, so that only the work itself is measured."""
        self._operate(lambda clearance, read: service.plan_policy(clearance, read, prune=prune), document)

    def apply(self, document: dict[str, Any]) -> None:
        """All of it."""
        self._operate(lambda clearance, read: service.apply_policy(clearance, read, prune=False), document)

    def seed(self, document: dict[str, Any]) -> None:
        """``flask rbac seed``."""
        file = Path(self.stage.settings.data_dir) / "seed.json"
        file.write_text(json.dumps(document))
        self._command("seed", str(file))

    def import_rows(self, rows: list[dict[str, Any]]) -> None:
        """``flask rbac assignments import``."""
        file = Path(self.stage.settings.data_dir) / "rows.csv"
        with file.open("w", newline="") as text:
            table = csv.DictWriter(text, rows[0].keys())
            table.writeheader()
            table.writerows(rows)
        self._command("assignments", "import", str(file))

    def _command(self, *arguments: str) -> None:
        own = {**os.environ, **self.stage.environment}
        command = [sys.executable, "-m", "flask", "--app", "app", "rbac", *arguments]
        subprocess.run(command, env=own, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def give(self, user_id: str, role: str) -> None:
        """``PUT /v1/users/{id}/roles/{role}``."""
        answer = self.app.test_client().put(f"/v1/users/{user_id}/roles/{role}", headers=self.headers)
        assert answer.status_code == 201, answer.json

    def user_id(self, name: str) -> str:
        """Return a user's id."""
        found = self.app.test_client().get(f"/v1/users?q={name}&limit=1", headers=self.headers)
        return str(found.get_json()["items"][0]["id"])

    def _operate(self, act: Callable[[Any, Document], Any], raw: dict[str, Any]) -> None:
        document = read_document(raw)
        with operator_unit(self.stage.settings, self.database) as clearance:
            act(clearance, document)

    def close(self) -> None:
        """Let go of everything."""
        self.database.dispose()
        close_app(self.app)


def run(bench: Bench, scale: float) -> None:
    """Everything, smaller or larger."""
    many = int(10_000 * scale)
    bench.measure("nothing", lambda: time.sleep(5))
    for count in (200, 400, 800):
        bench.measure(f"plan {count} new roles of ten permissions", partial(bench.plan, roles(count)))
    bench.measure("plan 300 roles, 1,752 permissions, 4,795 grants", lambda: bench.plan(large_list()))
    bench.measure("apply the same", lambda: bench.apply(large_list()))
    everything: dict[str, Any] = {"permissions": [], "roles": [], "constraints": []}
    bench.measure("plan to prune it all", lambda: bench.plan(everything, prune=True))
    bench.measure(f"seed {many // 2} people with a role each", lambda: bench.seed(company(many // 2)))
    bench.seed(company(many))
    names = [f"person-{number}" for number in range(many)]
    new = [{"user": name, "role": "role-1", "reason": "first"} for name in names]
    bench.measure(f"import {many} new rows", lambda: bench.import_rows(new))
    changed = [{**row, "reason": "second"} for row in new]
    bench.measure(f"import {many} changed rows", lambda: bench.import_rows(changed))
    _assigning(bench, names)


def _assigning(bench: Bench, names: list[str]) -> None:
    ids = [bench.user_id(name) for name in names[:20]]
    for count in (0, 10_000):
        if count:
            bench.apply(roles(count, each=1, prefix="more"))
            bench.give(ids[0], "role-2")
        began = time.monotonic()
        for user_id in ids[1:]:
            bench.give(user_id, "role-4" if count else "role-3")
        each = (time.monotonic() - began) / len(ids[1:])
        print(f"assign a role with {count or 300} roles: {each * 1000:.1f} ms", flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plans", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 10,000 rows")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.engine == "sqlite":
            _run(Path(folder), f"sqlite:///{folder}/bench.db", options.scale)
        else:
            server = start_postgres(durable=True)
            try:
                _run(Path(folder), server.create_database(), options.scale)
            finally:
                server.stop()


def _run(folder: Path, url: str, scale: float) -> None:
    bench = Bench(build_stage(folder, url, 2, COST))
    try:
        run(bench, scale)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
