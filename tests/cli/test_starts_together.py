"""Nodes that start together, or while another writes: each waits for its turn, or only reads, and all of them serve."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from rbac_api.cli import serve
from rbac_api.cli.prepare import prepare
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from rbac_api.settings import Settings
from tests.builders import settings_for
from tests.conftest import Stages
from tests.patience import PATIENCE, eventually
from tests.sizes import sized

pytestmark = pytest.mark.outside

IMPATIENT = 1  # second that a request waits
ROOT = Path(__file__).parents[2]
NODE = """
import sys
from tests.builders import settings_for
from tests.cli.test_starts_together import IMPATIENT, start
print(start(settings_for(sys.argv[1], database_timeout=IMPATIENT)))
"""


def start(settings: Settings) -> int:
    """What a node does until it is ready, without the processes."""
    database = Database(settings)
    try:
        prepare(settings, database)
    finally:
        database.dispose()
    app = create_app(settings)
    try:
        return app.test_client().get("/readyz").status_code
    finally:
        close_app(app)


@contextmanager
def writing_for(settings: Settings, seconds: float = PATIENCE) -> Iterator[threading.Event]:
    """Another node holds the write lock for so long, or until the block ends; the event tells that it was so long."""
    holding, over, enough = threading.Event(), threading.Event(), threading.Event()
    database = Database(settings)

    def hold() -> None:
        with database.writing():
            holding.set()
            if not enough.wait(seconds):
                over.set()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        yield over
    finally:
        enough.set()
        thread.join()
        database.dispose()


@pytest.fixture
def settings(empty_url: str) -> Settings:
    return settings_for(empty_url, database_timeout=IMPATIENT)


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(sized(2, 20)))
def test_two_nodes_start_together_on_an_empty_database(
    stages: Stages, engine: str, turn: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp(f"turn{turn}")
    url = f"sqlite:///{folder}/own.db" if engine == "sqlite" else stages.empty_database(engine, "own")

    nodes = [
        subprocess.Popen(
            [sys.executable, "-c", NODE, url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [node.communicate(timeout=300) for node in nodes]

    assert [(node.returncode, out.strip()) for node, (out, _) in zip(nodes, said, strict=True)] == [
        (0, "200")
    ] * 2, said


def test_a_start_with_nothing_to_do_does_not_wait_for_who_writes(settings: Settings) -> None:
    assert start(settings) == 200

    with writing_for(settings) as over:
        assert start(settings) == 200
        assert not over.is_set()


def test_a_start_with_something_to_do_waits_for_who_writes(settings: Settings) -> None:
    assert start(settings) == 200
    database = Database(settings)
    with database.writing() as connection:
        connection.execute(text("UPDATE roles SET description = 'spoiled' WHERE name = 'auditor'"))
    database.dispose()

    with writing_for(settings, 3 * IMPATIENT) as over:
        assert start(settings) == 200
        assert over.is_set()


def test_a_request_still_waits_no_longer_than_the_setting_says(settings: Settings) -> None:
    assert start(settings) == 200
    database = Database(settings)

    with writing_for(settings) as over:
        with pytest.raises(DatabaseDown), database.writing():
            pass
        assert not over.is_set()
    database.dispose()


def test_a_start_that_takes_long_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "SILENCE", 0.01)
    with serve.waiting_reported():
        assert eventually(lambda: "waiting for another node" in capsys.readouterr().err)


def test_a_database_that_is_down_is_said_in_words_for_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "require_free_address", lambda _: None)

    with pytest.raises(SystemExit) as end:
        serve.serve(
            create_app, settings_for("postgresql://rbac@127.0.0.1:1/nowhere", database_timeout=IMPATIENT)
        )

    assert "rbac-api does not start." in str(end.value)
    assert "rbac-api doctor" in str(end.value)
    assert "Retry-After" not in str(end.value)
