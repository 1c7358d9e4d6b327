"""The protected request as a share of a bare Flask route on the same server."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import Measured, Rotation, get, run
from benchmarks.processes import Running
from benchmarks.server import ROUTE
from benchmarks.stage import ROLE, SignedIn, Stage

CONNECTIONS = 8
WRITE_EVERY = 1.0
BARE, PROTECTED, CHANGING = (
    "bare Flask route",
    "protected route",
    "protected route, one role changed per second",
)


@dataclass(slots=True)
class Target:
    """One kind of request, and what each alternation found; CPU in seconds per answer."""

    name: str
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)

    def note(self, measured: Measured, cpu: float) -> None:
        """Keep one alternation."""
        measured.require_only(200)
        self.rates.append(measured.rate)
        self.cpu.append(cpu / len(measured.latencies))
        self.p50.append(measured.percentile(0.5))
        self.p99.append(measured.percentile(0.99))


def measure_protected(
    bare: Running, ours: Running, stage: Stage, rounds: int, seconds: float
) -> list[dict[str, float | str]]:
    """A row per target: medians, and medians of each alternation's own share of the bare route."""
    paths = {
        BARE: ROUTE,
        PROTECTED: ROUTE,
        "GET /v1/me (reads SQL)": "/v1/me",
        "GET /healthz (public)": "/healthz",
        CHANGING: ROUTE,
    }
    targets = [Target(name) for name in paths]
    for _ in range(rounds + 1):  # the first warms up and is dropped
        for target in targets:
            server = bare if target.name == BARE else ours
            with _changing(ours, stage.people[0], on=target.name == CHANGING):
                before = server.cpu_seconds()
                measured = run(server.port, _load(paths[target.name], stage.people), seconds)
                target.note(measured, server.cpu_seconds() - before)
        run(
            ours.port, _load(ROUTE, stage.people), seconds
        )  # what the changes made it forget is no matter of the next
    return [_row(target, targets[0]) for target in targets]


def _load(path: str, people: list[SignedIn]) -> list[Rotation]:
    """Every connection asks for everybody in turn, each beginning with somebody else."""
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
def _changing(server: Running, administrator: SignedIn, *, on: bool) -> Iterator[None]:
    """While the block runs, grant a role a permission and withdraw it, in turns: the change that makes workers forget the most."""
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(server, administrator, stop))
    if on:
        writer.start()
    try:
        yield
    finally:
        stop.set()
        if on:
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
