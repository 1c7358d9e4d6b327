"""Shows whether a long load leaves the service as it is: ``python -m benchmarks.endurance --minutes 30``.

Clients of two nodes on one PostgreSQL (one node on SQLite) sign in, refresh, read, and sign out, each request
at the next node. One administrator assigns and revokes a role, changes another, ends sessions, and disables
users; one auditor reads. Every half minute it prints a row: answers, answers that were not expected, memory,
files and threads of the workers, events that wait in the outbox, and the length of the audit trail. At the
end it verifies the trail, and prints a verdict. The exit code is 1 if any line of the verdict says no.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sqlalchemy import text

from benchmarks.__main__ import ENGINES, database
from benchmarks.actors import Account, Actor, Administrator, Auditor, Client, Tally
from benchmarks.processes import Running, serving
from benchmarks.stage import Stage, build_stage
from rbac_api.database.engine import Database

NODES = {"sqlite": 1, "postgresql": 2}
LIMITS = {"RBAC_TOKEN_LIMIT": "1000000 per minute", "RBAC_ACCOUNT_LIMIT": "1000000 per minute"}
TOKENS = {"RBAC_ACCESS_TOKEN_SECONDS": "120"}  # ended sessions are remembered as long
GROWTH = 1.05  # of a worker's memory, from the second quarter to the last
WAITING = 100  # more events in the outbox, from the second quarter to the last
LINKED = 10.0  # seconds until nothing waits once the load is over
ACKNOWLEDGED = {"refreshes": "token.rotated", "sign-ins": "signin.succeeded"}
MIB = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen at one moment. Memory is in KiB for each worker, by its process id."""

    seconds: float
    answers: int
    unexpected: int
    resident: dict[int, int]
    proportional: dict[int, int]
    files: int
    threads: int
    waiting: int
    events: int

    def row(self) -> str:
        """The sample as a row of a table."""
        memory = " ".join(f"{size / MIB:.1f}" for size in self.resident.values())
        cells = [f"{self.seconds / 60:.1f}", self.answers, self.unexpected, memory]
        cells += [f"{sum(self.proportional.values()) / MIB:.1f}", self.files, self.threads]
        return f"| {' | '.join(map(str, [*cells, self.waiting, self.events]))} |"


COLUMNS = (
    "minute", "answers", "unexpected", "RSS of each worker, MiB", "PSS of all, MiB", "open files", "threads",
    "outbox", "trail",
)  # fmt: skip
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the verdict."""

    what: str
    found: str
    holds: bool


def workers(nodes: Sequence[Running]) -> list[int]:
    """Return the process ids of all workers."""
    lists = [Path(f"/proc/{node.pid}/task/{node.pid}/children").read_text() for node in nodes]
    return [int(pid) for pids in lists for pid in pids.split()]


def memory(pid: int, kind: str) -> int:
    """Return the KiB of one kind that the kernel counts for a process: ``Rss`` or ``Pss``."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def entries(folder: str) -> int:
    """Return the number of entries of a folder."""
    return sum(1 for _ in Path(folder).iterdir())


def sample(nodes: Sequence[Running], known: Database, tally: Tally, began: float) -> Sample:
    """Look at the workers and the database."""
    pids = workers(nodes)
    with known.reading() as connection:
        waiting = connection.execute(text("SELECT count(*) FROM trail_outbox")).scalar_one()
        events = connection.execute(text("SELECT max(seq) FROM trail_events")).scalar_one()
    return Sample(
        time.monotonic() - began,
        tally.answers,
        len(tally.unexpected),
        {pid: memory(pid, "Rss") for pid in pids},
        {pid: memory(pid, "Pss") for pid in pids},
        sum(entries(f"/proc/{pid}/fd") for pid in pids),
        sum(entries(f"/proc/{pid}/task") for pid in pids),
        waiting,
        events,
    )


def quarters(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """Return the second quarter, when caches are filled, and the last."""
    size = max(1, len(samples) // 4)
    return samples[size : 2 * size] or samples[-1:], samples[-size:]


def stays_flat(samples: Sequence[Sample]) -> list[Line]:
    """Judge what must not grow: the workers' memory and what waits; and that the workers are the same."""
    earlier, later = quarters(samples)
    same = all(one.resident.keys() == samples[0].resident.keys() for one in samples)
    lines = [Line("no worker was replaced", f"{len(samples[0].resident)} workers", same)]
    for pid in samples[-1].resident if same else ():
        before, after = (median(one.resident[pid] for one in part) for part in (earlier, later))
        found = f"{before / MIB:.1f} MiB, then {after / MIB:.1f}: {after / before - 1:+.1%}"
        lines.append(Line(f"memory grows by at most {GROWTH - 1:.0%}", found, after <= before * GROWTH))
    before, after = (median(one.waiting for one in part) for part in (earlier, later))
    most = max(one.waiting for one in samples)
    found = f"{before:g}, then {after:g} events, at most {most}"
    lines.append(Line("the outbox does not grow", found, after <= before + WAITING))
    return lines


def count_events(known: Database) -> dict[str, int]:
    """Return how many events of each acknowledged kind there are, waiting ones included."""
    both = "SELECT action FROM trail_events UNION ALL SELECT action FROM trail_outbox"
    chosen = "WHERE action = :action"
    counting = text(f"SELECT count(*) FROM ({both}) AS events {chosen}")  # noqa: S608 -- constant
    with known.reading() as connection:
        return {
            kind: connection.execute(counting, {"action": action}).scalar_one()
            for kind, action in ACKNOWLEDGED.items()
        }


def is_complete(stage: Stage, known: Database, tally: Tally, before: dict[str, int]) -> list[Line]:
    """Judge the answers and the audit trail when the load is over."""
    first = "; ".join(tally.unexpected[:3]) or "none"
    lines = [
        Line(
            "every answer was expected", f"{tally.answers} answers, unexpected: {first}", not tally.unexpected
        )
    ]
    after = count_events(known)
    for kind in ACKNOWLEDGED:
        there, answered = after[kind] - before[kind], tally.acknowledged[kind]
        found = f"{answered} answered, {there} events"
        lines.append(Line(f"each of the {kind} is in the trail once", found, there == answered > 0))
    seconds = seconds_until_linked(known)
    lines.append(Line(f"all events are linked within {LINKED:.0f} s", f"{seconds:.1f} s", seconds <= LINKED))
    command = [sys.executable, "-m", "rbac_api", "audit", "verify"]
    done = subprocess.run(
        command, env={**os.environ, **stage.environment}, capture_output=True, text=True, check=False
    )
    said = (done.stdout + done.stderr).strip().splitlines()[0]
    return [*lines, Line("the chain is intact (rbac-api audit verify)", said, done.returncode == 0)]


def seconds_until_linked(known: Database) -> float:
    """Wait until no event waits, not much longer than is right."""
    began = time.monotonic()
    while time.monotonic() - began <= LINKED:
        with known.reading() as connection:
            if not connection.execute(text("SELECT count(*) FROM trail_outbox")).scalar_one():
                break
        time.sleep(0.1)
    return time.monotonic() - began


def cast(stage: Stage, nodes: Sequence[Running], tally: Tally, rate: float) -> list[Actor]:
    """Return the clients, the last two of them an administrator and an auditor."""
    ports, accounts = [node.port for node in nodes], [Account(one.username) for one in stage.people]
    pause = len(accounts) / rate
    users: list[Actor] = [Client(one, ports, tally, pause) for one in accounts[1:-1]]
    administrator = Administrator(accounts[0], ports, tally, pause)
    administrator.others = accounts[1:-1]
    return [*users, administrator, Auditor(accounts[0], ports, tally, pause)]


def endure(stage: Stage, nodes: Sequence[Running], options: argparse.Namespace) -> list[Line]:
    """Load the nodes for the time, print a row for each sample, and judge."""
    known, tally, stop = Database(stage.settings), Tally(), threading.Event()
    before, began, samples = count_events(known), time.monotonic(), []
    threads = [
        threading.Thread(target=actor.act, args=(stop,)) for actor in cast(stage, nodes, tally, options.rate)
    ]
    for thread in threads:
        thread.start()
    try:
        while time.monotonic() - began < options.minutes * 60:
            time.sleep(options.every)
            samples.append(sample(nodes, known, tally, began))
            print(samples[-1].row(), flush=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    lines = [*stays_flat(samples), *is_complete(stage, known, tally, before)]
    known.dispose()
    return lines


def main(arguments: Sequence[str] | None = None) -> bool:
    """Load, print, and return whether every line of the verdict holds."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.endurance", description=sys.modules[__name__].__doc__
    )
    parser.add_argument("--engine", choices=ENGINES, default="postgresql")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument(
        "--rate", type=float, default=40.0, help="requests per second of all clients, at most"
    )
    parser.add_argument("--workers", type=int, default=2, help="of each node")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between samples")
    options = parser.parse_args(arguments)
    with database(options.engine) as (folder, url), ExitStack() as stack:
        stage = build_stage(folder, url, options.clients, 10)
        own = {**stage.environment, **LIMITS, **TOKENS, "RBAC_WORKERS": str(options.workers)}
        nodes = [stack.enter_context(serving("ours", own, folder)) for _ in range(NODES[options.engine])]
        print(
            f"{options.engine}: {len(nodes)} nodes, {options.clients} clients, {options.minutes:g} minutes",
            HEAD,
            sep="\n",
        )
        lines = endure(stage, nodes, options)
    print("\n| verdict | | |\n|---|---|---|")
    for line in lines:
        print(f"| {line.what} | {line.found} | {'yes' if line.holds else '**no**'} |")
    return all(line.holds for line in lines)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
