"""Keeps a server alive exactly as long as the test run that started it.

A test run that is killed with SIGKILL cannot clean up, and its servers would live on. So each server is the
child of a tiny process (this file, run as a program) that waits on a pipe from the test run. When the pipe
closes, for whatever reason, it ends the server and removes the server's folder.

Standard library only: it runs under `python -I -S`, without site-packages, so that it starts in milliseconds
and coverage does not measure it. `tests.servers.warm` forks it instead, and the server too.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

PATIENCE = 20.0  # seconds a server gets for each politer way of ending it


@dataclass(frozen=True)
class Order:
    """What to run, where, as whom, and how it is told to end."""

    command: list[str]
    folder: str
    farewell: int = signal.SIGTERM
    identity: dict[str, Any] = field(default_factory=dict)  # user, group, extra_groups as Popen takes them
    environment: dict[str, str] | None = None  # all of it; None: the test run's own
    warm: bool = (
        False  # the command is `python app.py`, and may be forked from a process that has imported it
    )


class Running(Protocol):
    """What is used of a server's process."""

    pid: int

    def send_signal(self, number: int) -> None:
        """Send a signal."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended."""


class Supervised:
    """A server process seen from the test run. Nobody but `end` removes its folder."""

    def __init__(self, order: Order) -> None:
        self.folder = Path(order.folder)
        with (self.folder / "log").open("ab") as log:
            self._keeper = _keeper(order, log)

    @property
    def alive(self) -> bool:
        return self._keeper.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id, which is also that of its process group; known once it has started."""
        return int((self.folder / "pid").read_text())

    @property
    def code(self) -> int | None:
        """The server's exit code, 128 and the signal's number if one ended it; None while it runs."""
        found: int | None = self._keeper.poll()
        return found

    def log(self) -> str:
        """The last lines the server wrote: the only witness when it does not come up."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def signal(self, number: int) -> None:
        """Pass a signal on to the server itself, and return when it has been sent."""
        stdin, stdout = self._pipes()
        stdin.write(f"{int(number)}\n".encode())
        stdin.flush()
        stdout.readline()

    def signal_and_wait(self, number: int) -> None:
        """Send a signal that ends the server, and return when it is gone. Its folder stays."""
        if self.alive:
            self.signal(number)
        self.wait()

    def kill_group(self) -> None:
        """End the server and all its children at once, as a power failure would. Its folder stays."""
        self.signal(-signal.SIGKILL)
        self.wait()

    def wait(self) -> None:
        """Return when the server is gone. Its folder stays."""
        self._keeper.wait(timeout=6 * PATIENCE)
        self._close()

    def end(self) -> None:
        """End the server and remove its folder; more than once does no harm."""
        self._close()
        self._keeper.wait(timeout=6 * PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _close(self) -> None:
        for pipe in self._pipes():
            pipe.close()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        return self._keeper.stdin, self._keeper.stdout


def _keeper(order: Order, log: IO[bytes]) -> Any:
    if order.warm:
        from tests.servers.warm import Forked

        return Forked(order, log)
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, json.dumps(vars(order))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
    )


def _end(child: Running, farewell: int) -> None:
    for number in (farewell, signal.SIGQUIT, signal.SIGKILL):
        child.send_signal(number)
        child.send_signal(signal.SIGCONT)  # a frozen one hears nothing else
        try:
            child.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            continue
        return


def _start(order: Order) -> Running:
    return subprocess.Popen(
        order.command,
        cwd=order.folder,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,  # both into the log; our own stdout answers the test run
        start_new_session=True,
        env=order.environment,
        **order.identity,
    )


def keep(order: Order, start: Callable[[], Running]) -> int:
    """Run the server until it ends, obeying signal numbers from the pipe. Runs in the supervisor process."""
    deserted = threading.Event()
    child = start()
    (Path(order.folder) / "pid").write_text(str(child.pid))

    def obey() -> None:
        with os.fdopen(0, "rb", closefd=False) as orders:
            for line in orders:
                _send(child, int(line))
                os.write(1, b"sent\n")
        deserted.set()
        _end(child, order.farewell)

    threading.Thread(target=obey, daemon=True).start()
    code = child.wait()
    if deserted.is_set():
        shutil.rmtree(order.folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _send(child: Running, number: int) -> None:
    """A signal to the server; a negative number to its whole group, the workers it has forked included."""
    if number < 0:
        os.killpg(child.pid, -number)
    else:
        child.send_signal(number)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test run, which then closes the pipe
    given = Order(**json.loads(sys.argv[1]))
    os._exit(
        keep(given, lambda: _start(given))
    )  # at once: the thread that reads the pipe would not let go of it
