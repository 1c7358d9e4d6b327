"""Starts `python app.py` from a process that has imported it already: half of a start's processor time is imports.

One such process per test run waits for orders. For each it forks a supervisor, and that forks the server, which
runs the program as `python` would: with a session, a folder, an environment, arguments and streams of its own. Only
tests whose subject is not the start ask for it; and where coverage is measured, everything starts from nothing.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO

from tests.servers.supervisor import Order, Running, keep

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "from tests.servers.warm import wait_for_orders; wait_for_orders()"
STREAMS = 4  # of a supervisor: what it obeys, what it answers, its log, and where its exit code goes
LARGEST = 1 << 16


class Forked:
    """A supervisor that the template forks, with what is used of `subprocess.Popen`."""

    def __init__(self, order: Order, log: IO[bytes]) -> None:
        (obeyed, told), (answers, answered), (code, coded) = os.pipe(), os.pipe(), os.pipe()
        template().fork(order, [obeyed, answered, log.fileno(), coded])
        for theirs in (obeyed, answered, coded):
            os.close(theirs)
        self.stdin: IO[bytes] = os.fdopen(told, "wb")
        self.stdout: IO[bytes] = os.fdopen(answers, "rb")
        self._ended = os.fdopen(code, "rb")
        self._code: int | None = None

    def poll(self) -> int | None:
        """The exit code; None while it runs."""
        return self._read(0)

    def wait(self, timeout: float) -> int:
        """The exit code, once there is one."""
        found = self._read(timeout)
        if found is None:
            raise subprocess.TimeoutExpired("a forked supervisor", timeout)
        return found

    def _read(self, timeout: float) -> int | None:
        if self._code is None and select.select([self._ended], [], [], timeout)[0]:
            self._code = int(self._ended.read() or b"-9")
            self._ended.close()
        return self._code


class Template:
    """The process that has imported the product; it ends with the test run."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._alone = threading.Lock()
        folder = tempfile.mkdtemp(prefix="rbac-template-")
        # As `app.py` does before it imports: figures are shared, by files that each server has in a folder of its own.
        environment = {"PATH": os.environ["PATH"], "PROMETHEUS_MULTIPROC_DIR": folder}
        command = [sys.executable, "-W", "error", "-c", TEMPLATE]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=theirs.fileno(), stdout=subprocess.DEVNULL
        )
        theirs.close()
        atexit.register(self.end)

    def end(self) -> None:
        """End it, also where a fork of the test run still has its line."""
        self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._process.wait(timeout=60)

    def fork(self, order: Order, streams: list[int]) -> None:
        """Fork a supervisor that has these streams, and that runs this order."""
        with self._alone:
            socket.send_fds(self._line, [json.dumps(vars(order)).encode()], streams)


@cache
def template() -> Template:
    """The one of this test run."""
    return Template()


def wait_for_orders() -> None:
    """Import the product, and fork a supervisor for each order. Runs in the template."""
    for imported in ("rbac_api.cli.serve", "rbac_api.factory"):
        import_module(imported)
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # supervisors that have ended leave nothing behind
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = socket.socket(fileno=os.dup(0))
    while (received := socket.recv_fds(line, LARGEST, STREAMS))[0]:
        text, streams, _, _ = received
        if os.fork() == 0:
            line.close()
            _supervise(Order(**json.loads(text)), *streams)
        for stream in streams:
            os.close(stream)
    line.close()
    shutil.rmtree(os.environ["PROMETHEUS_MULTIPROC_DIR"], ignore_errors=True)


def _supervise(order: Order, obeyed: int, answered: int, log: int, coded: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for stream, place in ((obeyed, 0), (answered, 1), (log, 2)):
        os.dup2(stream, place)
        os.close(stream)
    code = keep(order, lambda: Server(order, coded))
    os.write(coded, str(code).encode())
    os._exit(0)


class Server(Running):
    """A server that was forked, with what the supervisor uses of `subprocess.Popen`."""

    def __init__(self, order: Order, coded: int) -> None:
        self.pid = os.fork()
        self._code: int | None = None
        if self.pid == 0:
            os.close(coded)
            _become(order)

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self._code is None:
            os.kill(self.pid, number)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code; the number of the signal that ended it, negative."""
        began = time.monotonic()
        while self._code is None:
            with suppress(ChildProcessError):  # another thread waits too, and has just been told
                ended, status = os.waitpid(self.pid, os.WNOHANG if timeout else 0)
                if ended:
                    self._code = os.waitstatus_to_exitcode(status)
            if self._code is None:
                if timeout and time.monotonic() - began > timeout:
                    raise subprocess.TimeoutExpired("a forked server", timeout)
                time.sleep(0.01)
        return self._code


def _become(order: Order) -> None:
    """Be `python PROGRAM` with the order's environment, in its folder; never returns."""
    os.setsid()
    os.chdir(order.folder)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(order.environment or {})
    tempfile.tempdir = None
    program = order.command[-1]
    sys.argv, sys.path[0] = [program], str(Path(program).parent)
    runpy.run_path(program, run_name="__main__")
    raise SystemExit
