"""Measures logins as a share of raw bcrypt on all cores, and the latency of protected requests meanwhile."""

from __future__ import annotations

import multiprocessing
import os
import time
from statistics import median
from typing import Any

import bcrypt

from benchmarks.load import Measured, Pace, Requests, Rotation, begin, get, post, run
from benchmarks.processes import Running
from benchmarks.server import ROUTE
from benchmarks.stage import PASSWORD, SignedIn, Stage
from rbac_api.guard.hashing import NICENESS

CONNECTIONS = 16
ONLOOKERS = 4
PAUSE = 0.1  # four other clients with ten requests a second each: enough to measure, too few to be a load
_FORK = multiprocessing.get_context("fork")


def measure_logins(ours: Running, stage: Stage, rounds: int, seconds: float) -> dict[str, float]:
    """Return medians of both rates and of each alternation's share, and latencies of protected requests."""
    raw, logins, share = [], [], []
    calm, storm, waits = Measured(), Measured(), Measured()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(stage.settings.password_cost))
    for _ in range(rounds):
        raw.append(_raw_rate(hashed, seconds))
        calm.add(run(ours.port, _onlookers(stage.people), seconds / 2, processes=1, pace=Pace(PAUSE)))
        watching = begin(ours.port, _onlookers(stage.people), seconds * 1.5, processes=1, pace=Pace(PAUSE))
        measured = run(
            ours.port, _sign_ins(stage.people), seconds, processes=1, pace=Pace(settling=seconds / 2)
        )
        storm.add(watching())
        waits.add(measured)
        logins.append(measured.rate)
        share.append(measured.rate / raw[-1])
    for found in (calm, storm, waits):
        found.require_only(200)
    return {
        "raw_per_second": median(raw),
        "logins_per_second": median(logins),
        "share": median(share),
        "login_p50_ms": waits.percentile(0.5) * 1000,
        "login_p99_ms": waits.percentile(0.99) * 1000,
        "calm_p50_ms": calm.percentile(0.5) * 1000,
        "calm_p99_ms": calm.percentile(0.99) * 1000,
        "storm_p50_ms": storm.percentile(0.5) * 1000,
        "storm_p99_ms": storm.percentile(0.99) * 1000,
    }


def _onlookers(people: list[SignedIn]) -> list[Requests]:
    return [
        Rotation([get(ROUTE, person.access) for person in people[lane::ONLOOKERS]])
        for lane in range(ONLOOKERS)
    ]


def _sign_ins(people: list[SignedIn]) -> list[Requests]:
    bodies = [
        post("/v1/auth/login", {"username": person.username, "password": PASSWORD}) for person in people
    ]
    return [Rotation(bodies[lane::CONNECTIONS] or bodies) for lane in range(CONNECTIONS)]


def _raw_rate(hashed: bytes, seconds: float) -> float:
    """Return hashes per second with one process per core, at the same low priority as in the service."""
    pipe: Any = _FORK.SimpleQueue()
    running = [
        _FORK.Process(target=_hash_on, args=(hashed, seconds, pipe)) for _ in range(os.cpu_count() or 1)
    ]
    for process in running:
        process.start()
    rates = [pipe.get() for _ in running]
    for process in running:
        process.join()
    return float(sum(rates))


def _hash_on(hashed: bytes, seconds: float, pipe: Any) -> None:
    os.nice(NICENESS)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        bcrypt.checkpw(PASSWORD.encode(), hashed)
        count += 1
    pipe.put(count / (time.perf_counter() - began))
