"""Measures how slow readers delay others: ``python -m benchmarks.slow_readers --readers 45 250 1000``.

Four clients send fifty protected requests a second each, alternately alone and beside many slow connections
that request more than they read: each reads 600 bytes a second, and is opened again a second after the server
closed it. The slow connections come from their own address (127.0.0.2), or with ``--same-address`` from that
of the others. They run at a low priority, because in reality they are on another machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from benchmarks.__main__ import ENGINES, database
from benchmarks.load import Measured, Pace, Rotation, get, run
from benchmarks.processes import Running, serving
from benchmarks.server import ROUTE
from benchmarks.stage import Stage, build_stage

_FORK = multiprocessing.get_context("fork")
DOCUMENT = get("/openapi.json")
SHAPES = {
    "one large answer": DOCUMENT,
    "large answers, pipelined": DOCUMENT * 20,
    "small answers, pipelined": get("/healthz") * 20_000,
    "half a head": DOCUMENT[:-2],
    "half a body": b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{",
}
BYTES_A_SECOND = 600
AGAIN = 1.0  # seconds until a closed connection is opened again
OTHERS = 4
PAUSE, SETTLING = 0.02, 8.0  # seconds


@dataclass(slots=True)
class _Reader:
    """One connection of the crowd."""

    line: socket.socket
    unsent: memoryview
    due: float = field(default_factory=lambda: time.monotonic() + random.random() * AGAIN)  # not all at once


class Connections:
    """A number of connections that send the same requests all at once, and read very slowly."""

    def __init__(self, address: str, port: int, size: int, request: bytes) -> None:
        self._ends = (address, port)
        self._request = request
        self._writing = selectors.DefaultSelector()
        self._readers = [self._open() for _ in range(size)]

    def press(self) -> None:
        """Go on until the process is ended."""
        while True:
            for key, _ in self._writing.select(0.02):
                self._send(key.data)
            now = time.monotonic()
            for number, reader in enumerate(self._readers):
                if reader.due <= now:
                    self._readers[number] = self._read(reader, now)

    def _open(self) -> _Reader:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.bind((self._ends[0], 0))
        line.setblocking(False)
        line.connect_ex(("127.0.0.1", self._ends[1]))
        reader = _Reader(line, memoryview(self._request))
        self._writing.register(line, selectors.EVENT_WRITE, reader)
        return reader

    def _send(self, reader: _Reader) -> None:
        with suppress(OSError):
            reader.unsent = reader.unsent[reader.line.send(reader.unsent[:65536]) :]
            if reader.unsent:
                return
        self._writing.unregister(reader.line)

    def _read(self, reader: _Reader, now: float) -> _Reader:
        reader.due = now + AGAIN
        try:
            if reader.line.recv(BYTES_A_SECOND):
                return reader
        except BlockingIOError:
            return reader
        except OSError:
            pass
        with suppress(KeyError):
            self._writing.unregister(reader.line)
        reader.line.close()
        return self._open()


def _press(address: str, port: int, size: int, request: bytes) -> None:
    os.nice(15)
    Connections(address, port, size, request).press()


@contextmanager
def _pressing(address: str, port: int, size: int, request: bytes) -> Iterator[None]:
    crowd = _FORK.Process(target=_press, args=(address, port, size, request), daemon=True)
    crowd.start()
    try:
        yield
    finally:
        crowd.kill()
        crowd.join()


def _others(server: Running, stage: Stage, seconds: float) -> Measured:
    load = [Rotation([get(ROUTE, person.access)]) for person in stage.people[1 : 1 + OTHERS]]
    pace = Pace(pause=PAUSE, settling=min(SETTLING, 2 * seconds))
    return run(server.port, load, seconds, pace=pace, processes=1)


def _row(name: str, calm: Measured, attacked: Measured) -> str:
    figures = [name, str(len(attacked.latencies))]
    for measured in (calm, attacked):
        measured.require_only(200)
        figures += [f"{1000 * measured.percentile(share):.1f}" for share in (0.5, 0.99)]
    times = attacked.percentile(0.99) / calm.percentile(0.99)
    return f"| {' | '.join(figures)} | {1000 * attacked.percentile(1):.0f} | {times:.1f} |"


def _attacked(server: Running, stage: Stage, options: argparse.Namespace, size: int, shape: str) -> str:
    name = f"{size}: {shape}"
    calm = _others(server, stage, options.seconds)
    with _pressing(options.address, server.port, size, SHAPES[shape]):
        try:
            return _row(name, calm, _others(server, stage, options.seconds))
        except RuntimeError as fault:
            return f"| {name} | {fault} | | | | | | |"


def _measure(engine: str, options: argparse.Namespace) -> Iterator[str]:
    with database(engine) as (folder, url):
        stage = build_stage(folder, url, 8, 10)
        with serving("ours", stage.environment, folder) as server:
            yield f"\n### {engine}, workers: {stage.settings.worker_count}\n"
            yield (
                "| crowd | answers | p50 ms, calm | p99 ms, calm | p50 ms | p99 ms | longest ms | "
                "p99, times calm |"
            )
            yield "| --- " * 8 + "|"
            _others(server, stage, 1.0)
            for size in options.readers:
                for shape in options.shape:
                    yield _attacked(server, stage, options, size, shape)


def main(arguments: Sequence[str]) -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_readers", description=__doc__)
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=ENGINES)
    parser.add_argument("--readers", nargs="+", type=int, default=[45, 250, 1000])
    parser.add_argument("--shape", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement")
    parser.add_argument("--same-address", dest="address", action="store_const", const="127.0.0.1")
    parser.set_defaults(address="127.0.0.2")
    options = parser.parse_args(arguments)
    for engine in options.engine:
        for line in _measure(engine, options):
            print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
