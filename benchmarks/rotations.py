"""Measures refresh rotations as a share of the durable commits of the same database, one after the other."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import psycopg

from benchmarks.load import Refreshing, run
from benchmarks.processes import Running
from benchmarks.stage import SignedIn, Stage

CONNECTIONS = 8
_CREATE = "CREATE TABLE IF NOT EXISTS bench_commits (id INTEGER, note TEXT)"
_INSERT = "INSERT INTO bench_commits VALUES (1, 'as short as a row can be')"
Commit = Callable[[], None]


def measure_rotations(ours: Running, stage: Stage, rounds: int, seconds: float) -> dict[str, float]:
    """Return medians of both rates and of each alternation's share. Each session is used in one round."""
    commit, close = _committing(stage)
    sessions = stage.people[1:]  # the first is the administrator
    bare, rotated, share, cpu, p50 = [], [], [], [], []
    for number in range(rounds):
        bare.append(_rate(commit, seconds))
        before = ours.cpu_seconds()
        measured = run(ours.port, _load(sessions[number * CONNECTIONS :]), seconds)
        measured.require_only(200)
        cpu.append((ours.cpu_seconds() - before) / len(measured.latencies))
        rotated.append(measured.rate)
        share.append(measured.rate / bare[-1])
        p50.append(measured.percentile(0.5))
    close()
    return {
        "commits_per_second": median(bare),
        "rotations_per_second": median(rotated),
        "share": median(share),
        "p50_ms": median(p50) * 1000,
        "cpu_us": median(cpu) * 1e6,
    }


def _load(sessions: list[SignedIn]) -> list[Refreshing]:
    return [Refreshing(person.refresh) for person in sessions[:CONNECTIONS]]


def _rate(commit: Commit, seconds: float) -> float:
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        commit()
        count += 1
    return count / (time.perf_counter() - began)


def _committing(stage: Stage) -> tuple[Commit, Commit]:
    """Return a transaction of one row, as durable as the service's own, and a function to stop."""
    if stage.settings.on_sqlite:
        return _on_sqlite(Path(stage.settings.url.removeprefix("sqlite:///")).with_name("commits.db"))
    connection = psycopg.connect(stage.settings.url, autocommit=True)
    connection.execute(_CREATE)
    return lambda: _discard(connection.execute(_INSERT)), connection.close


def _on_sqlite(path: Path) -> tuple[Commit, Commit]:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute(_CREATE)
    return lambda: _discard(connection.execute(_INSERT)), connection.close


def _discard(_result: object) -> None:
    """Do nothing: the statement was its own transaction."""
