"""Starts the measured server, and reads the CPU time of its workers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_START_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers at ``port``."""

    pid: int
    port: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of the workers so far: user and system, all threads."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(_ticks(int(child)) for child in children) / _TICK


@contextmanager
def serving(kind: str, environment: dict[str, str], folder: Path) -> Iterator[Running]:
    """Run ``benchmarks.server`` in its own process, with its log in a file, until the block ends."""
    port = _free_port()
    metrics = tempfile.mkdtemp(prefix="metrics-", dir=folder)
    own = {**os.environ, **environment, "PORT": str(port), "PROMETHEUS_MULTIPROC_DIR": metrics}
    with (folder / f"{kind}-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", kind], env=own, stdout=log, stderr=log
        )
        try:
            _await_answer(process, port, Path(log.name))
            yield Running(process.pid, port)
        finally:
            process.terminate()
            process.wait(timeout=_START_SECONDS)
            shutil.rmtree(metrics, ignore_errors=True)


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0 and _children(process.pid):
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()[-4000:]}")


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _ticks(pid: int) -> int:
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(after_name[11]) + int(after_name[12])  # utime and stime, proc(5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
