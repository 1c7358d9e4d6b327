"""Servers, stages and the cast.  One PostgreSQL and one stage per engine and worker; every test begins with the first scene."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.builders import OpenNode, Stage, another_node, raise_curtain
from tests.routing import compile_once
from tests.servers.postgres import PostgresServer, start_postgres
from tests.servers.valkey import ValkeyServer, start_valkey

ENGINES = ("sqlite", "postgresql")
MEMORY, ENOUGH = Path("/dev/shm"), 2 * 1024**3


# What starts a server or a browser; a test that asks for one of these, or for PostgreSQL as its engine, carries the mark ``outside``.
SERVERS = {"postgres", "valkey", "store", "durable", "troupe", "start_node", "flask_command", "chromium"}
STARTS_A_PROGRAM = ("subprocess.Popen", "os.fork", "os.posix_spawn")
DAY, LATE = (
    86_400,
    15.0,
)  # seconds; no test begins so late, since what it counts by the day would be spread over two
_running: list[pytest.Item] = []


def pytest_configure(config: pytest.Config) -> None:
    """Put the tests' files into memory where there is a folder for that: SQLite is as durable as in service, and a disk would be waited
    for at every commit."""
    compile_once()
    if "not outside" in config.option.markexpr:
        sys.addaudithook(_refuse_what_is_not_marked)
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are processors: for a third of its time a worker waits for a server or a program."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and leave out what was collected when it is looked for later: the modules and the items stay
    until the end, and each look at all of them takes half a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a server, so that `make test-fast` can leave it out."""
    for item in items:
        params = getattr(getattr(item, "callspec", None), "params", {})
        if "postgresql" in params.values() or SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.outside)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test runs, and that midnight (UTC) does not pass while it does."""
    left = -time.time() % DAY
    time.sleep(left if left < LATE else 0)
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.remove(item)


def _refuse_what_is_not_marked(event: str, _arguments: tuple[Any, ...]) -> None:
    """Fail a test of `make test-fast` that starts a program."""
    if event in STARTS_A_PROGRAM and _running:
        raise AssertionError(f"{_running[-1].nodeid} starts a program: mark it with pytest.mark.outside")


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this worker's own."""
    server = start_postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey server of this worker's own."""
    server = start_valkey()
    yield server
    server.stop()


class Stages:
    """The stages of this worker, built when first asked for."""

    def __init__(self, request: pytest.FixtureRequest, folder: Path) -> None:
        self._request = request
        self._folder = folder
        self._built: dict[str, Stage] = {}
        self._made = 0

    def get(self, engine: str) -> Stage:
        if engine not in self._built:
            self._built[engine] = raise_curtain(engine, self.empty_database(engine, "stage"), self._folder)
        return self._built[engine]

    def empty_database(self, engine: str, name: str) -> str:
        """The URL of a database with nothing in it, however often the same name is asked for."""
        if engine == "sqlite":
            self._made += 1
            return f"sqlite:///{self._folder}/{name}-{self._made}.db"
        server: PostgresServer = self._request.getfixturevalue("postgres")
        return server.create_database()

    def close(self) -> None:
        for stage in self._built.values():
            stage.close()


@pytest.fixture(scope="session")
def stages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stages]:
    found = Stages(request, tmp_path_factory.mktemp("stages"))
    yield found
    found.close()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn: what touches SQL is shown on both."""
    name: str = request.param
    return name


@pytest.fixture
def stage(stages: Stages, engine: str) -> Stage:
    """An application with the cast in its database, as in the first scene."""
    found = stages.get(engine)
    found.reset()
    return found


@pytest.fixture
def node(stage: Stage) -> Iterator[OpenNode]:
    """``node(signing_algorithm="ES256")``: one more application on the stage's database, with memory and settings of its own."""
    with ExitStack() as opened:

        def open_node(**changes: Any) -> Stage:
            return opened.enter_context(another_node(stage, **changes))

        yield open_node


@pytest.fixture
def empty_url(stages: Stages, engine: str, tmp_path: Path) -> str:
    """The URL of an empty database, for tests that migrate, prepare, or start an application of their own."""
    return f"sqlite:///{tmp_path}/own.db" if engine == "sqlite" else stages.empty_database(engine, "own")
