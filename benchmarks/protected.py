"""Measures the protected request as a share of a bare Flask route on the same server."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import median

from benchmarks.load import Measured, Pace, Rotation, Spread, get, run
from benchmarks.processes import Running
from benchmarks.server import ROUTE
from benchmarks.stage import ROLE, SignedIn, Stage

CONNECTIONS = 8
WRITE_EVERY = 1.0
TURN = 0.5  # seconds
BARE, PROTECTED, CHANGING = (
    "bare Flask route",
    "protected route",
    "protected route, one role changed per second",
)
PATHS = {
    PROTECTED: ROUTE,
    "GET /v1/me (reads SQL)": "/v1/me",
    "GET /healthz (public)": "/healthz",
    CHANGING: ROUTE,
}


@dataclass(slots=True)
class Target:
    """One kind of request, and the results of each turn; CPU in seconds per answer."""

    name: str
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def note(self, measured: Measured, cpu: float) -> None:
        """Keep one turn."""
        measured.require_only(200)
        self.rates.append(measured.rate)
        self.cpu.append(cpu / len(measured.latencies))
        self.p50.append(measured.percentile(0.5))
        self.p99.append(measured.percentile(0.99))


def measure_protected(
    bare: Running, ours: Running, stage: Stage, rounds: int, seconds: float
) -> list[dict[str, float | str]]:
    """Return a row per target: medians over its turns, and of each turn's share of the bare turn beside it.

    A turn is half a second, and every second pair is reversed: the machine's speed changes within seconds.
    """
    length = min(TURN, seconds)
    pace = Pace(spread=Spread(stage.settings.worker_count, get(ROUTE, stage.people[0].access)))
    turns = range(round(rounds * seconds / length) + 1)  # the first warms up and is dropped
    rows: list[dict[str, float | str]] = []
    for name, path in PATHS.items():
        beside, target = Target(BARE), Target(name)
        load = _load(path, stage.people)
        take_ours = partial(_take, ours, target, load, pace)
        takes: list[Callable[[], None]] = [
            partial(_take, bare, beside, _load(ROUTE, stage.people), pace, length),
            partial(_take_changing, take_ours, ours, stage.people[0], max(length, WRITE_EVERY))
            if name == CHANGING
            else partial(take_ours, length),
        ]
        for _ in turns:
            for take in takes:
                take()
            takes.reverse()
        rows += [_row(target, beside)] if rows else [_row(beside, beside), _row(target, beside)]
    return rows


def _take(server: Running, target: Target, load: list[Rotation], pace: Pace, length: float) -> None:
    before = server.cpu_seconds()
    measured = run(server.port, load, length, pace=pace)
    target.note(measured, server.cpu_seconds() - before)


def _take_changing(
    take: Callable[[float], None], server: Running, administrator: SignedIn, length: float
) -> None:
    with _changing(server, administrator):
        take(length)


def _load(path: str, people: list[SignedIn]) -> list[Rotation]:
    """Make every connection use all users one after the other, each beginning with another user."""
    requests = [get(path, person.access) for person in people]
    starts = [lane * len(people) // CONNECTIONS for lane in range(CONNECTIONS)]
    return [Rotation(requests[start:] + requests[:start]) for start in starts]


def _row(target: Target, bare: Target) -> dict[str, float | str]:
    return {
        "target": target.name,
        "requests_per_second": median(target.rates[1:]),
        "p50_ms": median(target.p50[1:]) * 1000,
        "p99_ms": median(target.p99[1:]) * 1000,
        "cpu_us": median(target.cpu[1:]) * 1e6,
        "throughput_share": median(a / b for a, b in zip(target.rates[1:], bare.rates[1:], strict=True)),
        "cpu_share": median(b / a for a, b in zip(target.cpu[1:], bare.cpu[1:], strict=True)),
    }


@contextmanager
def _changing(server: Running, administrator: SignedIn) -> Iterator[None]:
    """While the block runs, grant and withdraw a permission: the change that clears the most caches."""
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(server, administrator, stop))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def _write(server: Running, administrator: SignedIn, stop: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {administrator.access}"}
    method = "PUT"
    while not stop.wait(WRITE_EVERY / 2):
        connection.request(method, f"/v1/roles/{ROLE}/permissions/sessions:read", headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"the change was refused: {answer.status}")
        method = "DELETE" if method == "PUT" else "PUT"
        if stop.wait(WRITE_EVERY / 2):
            break
    connection.close()
