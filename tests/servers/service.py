"""The product itself as a process: `python app.py`, on a port of its own, with the settings that a test gives it.

It lives under the supervisor like every other server, so nothing of it is left behind. `kill` is SIGKILL to all of
its processes at once; `start` brings it up again on the same port and the same data.
"""

import http.client
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.builders import SECRET
from tests.cast import PASSWORD
from tests.servers.places import free_port
from tests.servers.supervisor import Order, Supervised

APP = Path(__file__).resolve().parents[2] / "app.py"
PATIENCE = (
    60.0  # seconds until it answers; far more than it needs, for a machine that does other things as well
)
INHERITED = ("PATH", "HOME", "LANG")
MEASURED = (
    "COVERAGE_",
)  # what makes a program that the tests start take part in the measurement, at half the speed
SETTINGS = {
    "RBAC_SECRET_KEY": SECRET,
    "RBAC_ISSUER": "http://rbac.test",  # one for all nodes, whatever their ports
    "RBAC_ADMIN_PASSWORD": PASSWORD,
    "RBAC_PASSWORD_COST": "10",
    "RBAC_SIGNIN_LIMIT": "100000 per minute",
    "RBAC_SEED_EXAMPLE": "off",
    "RBAC_LOG_LEVEL": "warning",
}


class ServiceDown(RuntimeError):
    """It did not come up; the message is what it wrote."""


class Service:
    """One node: gunicorn's master and its workers."""

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *program: str,
        measured: bool = False,
        warm: bool = False,
    ) -> None:
        """With ``warm`` its start is not the subject of the test, see tests.servers.warm."""
        self.port = int(settings.get("PORT") or free_port())
        self.folder = folder
        own = {"TMPDIR": str(folder), "PORT": str(self.port), **settings}
        inherited = INHERITED + MEASURED * measured
        kept = {name: value for name, value in os.environ.items() if name.startswith(inherited)}
        command = [sys.executable, "-W", "error", *(program or (str(APP),))]
        counted = any(name.startswith(MEASURED) for name in os.environ)
        warm = warm and not counted and command[-2] == "error"  # then the last word is a file
        self._order = Order(command, str(folder), environment={**kept, **own}, warm=warm)
        self._process: Supervised | None = None
        self._began_at = 0

    def start(self, *, wait: bool = True) -> None:
        """Start it, and return when it is ready to serve."""
        log = self.folder / "log"
        self._began_at = log.stat().st_size if log.exists() else 0
        self._process = Supervised(self._order)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Return when /readyz says so."""
        deadline = time.monotonic() + PATIENCE
        while not self._ready():
            if not self.process.alive or time.monotonic() > deadline:
                raise ServiceDown(self.output())
            time.sleep(0.01)

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        """A connection that stays open from request to request."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    @property
    def process(self) -> Supervised:
        assert self._process is not None, "not started"
        return self._process

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def output(self) -> str:
        """What it has written since it was last started, on both channels."""
        return (self.folder / "log").read_bytes()[self._began_at :].decode(errors="replace")

    def wait_until_it_says(self, words: str) -> str:
        """Everything it has written, once `words` are among it."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.output() and self.process.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.output()

    def terminate(self) -> int | None:
        """Ask it to stop (SIGTERM), wait, and return its exit code."""
        self.process.signal_and_wait(signal.SIGTERM)
        return self.process.code

    def wait(self) -> int | None:
        """Wait until it ends by itself, and return its exit code."""
        self.process.wait()
        return self.process.code

    def kill(self) -> None:
        """SIGKILL to the master and all workers; returns when they are gone, port included."""
        pids = [self.process.pid, *self.workers]
        self.process.kill_group()
        await_end(*pids)

    def end(self) -> None:
        """End it, at once, and remove what it wrote; how it stops in good order has tests of its own."""
        if self._process is not None:
            if self._process.alive:
                self.kill()
            self._process.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ready(self) -> bool:
        line = self.connect(timeout=2)
        try:
            line.request("GET", "/readyz")
            answer = line.getresponse()
            return answer.status == 200 and json.loads(answer.read())["ready"] is True
        except OSError:
            return False
        finally:
            line.close()


def await_end(*pids: int) -> None:
    """Return when none of these processes runs any more."""
    while any(_runs(pid) for pid in pids):
        time.sleep(0.002)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
