"""Measures the CPU time of reads in one process and thread: no server, no client.

``python -m benchmarks.reads [--engine sqlite|postgresql] [--beside FOLDER] [--turns 60] [--route NAME ...]``

Each route is called as WSGI, in turns with the same route in bare Flask and, with ``--beside``, with the
version of this service in another checkout. The figures are the thread's CPU time per request in the fastest
tenth of the turns; the ratios are medians of the turns beside each other.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from time import thread_time_ns
from typing import Any

from werkzeug.test import EnvironBuilder

from benchmarks.server import ROUTE, bare, ours
from benchmarks.stage import build_stage
from tests.servers import start_postgres

PATHS = {
    "protected": ROUTE,
    "me": "/v1/me",
    "users": "/v1/users?limit=50",
    "sessions": "/v1/sessions?limit=50",
}
PEOPLE, COST, MICROSECONDS_OF_A_TURN = 60, 10, 20_000


class Served:
    """The service and bare Flask in this process, with a database of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        stage = build_stage(folder, url, PEOPLE, COST)
        self._apps = {"ours": ours(stage.settings), "bare": bare(stage.settings)}
        self._bearer = f"Bearer {stage.people[0].access}"

    def measure(self, kind: str, path: str) -> float:
        """Return microseconds of CPU time per request."""
        app = self._apps[kind].wsgi_app
        environ = environ_of(path, self._bearer)
        spent, times = 0.0, 0
        while spent < MICROSECONDS_OF_A_TURN:
            began = thread_time_ns()
            for _ in range(20):
                call(app, environ)
            spent, times = spent + (thread_time_ns() - began) / 1000, times + 20
        return spent / times


def environ_of(path: str, bearer: str) -> dict[str, Any]:
    """Return what a server passes to the application for a GET request."""
    environ = EnvironBuilder(path, headers=[("Authorization", bearer)]).get_environ()
    return {**environ, "REMOTE_ADDR": "127.0.0.1", "RAW_URI": path}


def call(app: Any, environ: dict[str, Any]) -> None:
    """Make a request, which must succeed."""
    status: list[str] = []
    answer = app(dict(environ), lambda line, *_: status.append(line))
    b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    if status != ["200 OK"]:
        raise RuntimeError(f"the request was refused: {status}")


class Worker:
    """The same in a process of its own, with the code in a folder."""

    def __init__(self, code: Path, folder: str, url: str) -> None:
        paths = f"{code}:{os.environ.get('PYTHONPATH', '')}"
        with (Path(folder) / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, "--serve", folder, url],
                cwd=code,
                env={**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def measure(self, kind: str, path: str) -> float:
        """Let the process measure one turn."""
        asked, answered = self._process.stdin, self._process.stdout
        if asked is None or answered is None:
            raise RuntimeError("the process has no pipes")
        print(kind, path, file=asked, flush=True)
        return float(answered.readline())

    def close(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()


def serve(folder: str, url: str) -> None:
    """Answer each line on standard input with a measurement."""
    served = Served(Path(folder), url)
    for line in sys.stdin:
        kind, path = line.split()
        print(served.measure(kind, path), flush=True)


def run(workers: dict[str, Worker], turns: int, routes: list[str]) -> None:
    """Measure in turns, and print a row for each route."""
    print("| route | version | CPU us | of bare Flask | of the version beside |")
    print("|---|---|---|---|---|")
    for route in routes:
        takes = [("bare", next(iter(workers.values())), "bare", ROUTE)]
        takes += [(name, worker, "ours", PATHS[route]) for name, worker in workers.items()]
        found: dict[str, list[float]] = {name: [] for name, *_ in takes}
        for turn in range(turns + 2):
            for name, worker, kind, path in takes:
                taken = worker.measure(kind, path)
                if turn > 1:
                    found[name].append(taken)
            takes.reverse()
        for name, taken_in_turns in found.items():
            print(
                f"| {route} | {name} | {_fastest(taken_in_turns):.0f} | {_ratios(found, name)} |", flush=True
            )


def _fastest(taken: list[float]) -> float:
    return mean(sorted(taken)[: max(1, len(taken) // 10)])


def _ratios(found: dict[str, list[float]], name: str) -> str:
    share = median(bare / own for bare, own in zip(found["bare"], found[name], strict=True))
    if "beside" not in found or name == "bare":
        return f"{share:.2f} | "
    beside = median(own / other for own, other in zip(found[name], found["beside"], strict=True))
    return f"{share:.2f} | {beside:.2f}"


def main(arguments: list[str] | None = None) -> None:
    """Build, measure, and print."""
    if sys.argv[1:2] == ["--serve"]:
        serve(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reads", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--beside", type=Path, help="the folder of another version of this service")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--route", choices=PATHS, nargs="+", default=list(PATHS))
    options = parser.parse_args(arguments)
    codes = {"beside": options.beside.absolute()} if options.beside else {}
    codes["now"] = Path(__file__).parent.parent
    with ExitStack() as closing:
        server = start_postgres() if options.engine == "postgresql" else None
        if server:
            closing.callback(server.stop)
        workers: dict[str, Worker] = {}
        for name, code in codes.items():
            folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="rbac-bench-"))
            url = f"sqlite:///{folder}/bench.db" if server is None else server.create_database()
            workers[name] = Worker(code, folder, url)
            closing.callback(workers[name].close)
        run(workers, options.turns, options.route)


if __name__ == "__main__":
    main()
