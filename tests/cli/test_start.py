"""`make run` once more is ready in under two seconds: measured as the work that a second start does, since a clock would tell of the
machine's other work too."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from rbac_api.cli import serve
from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from rbac_api.guard import hashing
from rbac_api.settings import Settings
from tests.builders import settings_for
from tests.capabilities.passwords.spy import Spy
from tests.servers.places import free_port

pytestmark = pytest.mark.outside

STATEMENTS = (
    130  # about a hundred are needed; with one per person of the example company it would be hundreds
)
ROOT = Path(__file__).parents[2]
_SCHEMA, _ROWS = ("CREATE", "ALTER", "DROP"), ("INSERT", "UPDATE", "DELETE")


class Work:
    """What was done at one database: all statements, those that change the schema, and how many rows were written."""

    def __init__(self, database: str | None) -> None:
        self.database = database
        self.statements = self.schema = self.rows = 0

    def note(self, connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if connection.engine.url.database == self.database:
            first = statement.split(maxsplit=1)[0]
            self.statements += 1
            self.schema += first in _SCHEMA
            self.rows += max(cursor.rowcount, 0) if first in _ROWS else 0


@pytest.fixture
def settings(empty_url: str) -> Settings:
    return settings_for(empty_url, seed_example=True)


@pytest.fixture
def work(settings: Settings) -> Iterator[Work]:
    found = Work(Database(settings).engine.url.database)
    event.listen(Engine, "after_cursor_execute", found.note)
    yield found
    event.remove(Engine, "after_cursor_execute", found.note)


def start(settings: Settings) -> int:
    """What `python app.py` does until its first worker is ready, without the processes."""
    database = Database(settings)
    prepare(settings, database)
    database.dispose()
    app = create_app(settings)
    try:
        return app.test_client().get("/readyz").status_code
    finally:
        close_app(app)


def test_a_second_start_migrates_nothing_hashes_nothing_and_writes_nothing(
    settings: Settings, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    spy = Spy(lambda: 0)
    monkeypatch.setattr(hashing, "bcrypt", spy)
    assert start(settings) == 200
    assert work.schema > 30, "the first one does all that"
    assert work.rows > 200
    assert spy.costs == [4]

    work.statements = work.schema = work.rows = 0
    assert spy.during(lambda: start(settings)) == []

    assert (work.schema, work.rows) == (0, 0)
    assert 0 < work.statements < STATEMENTS


ONCE_MORE = """
import sys
from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.factory import create_app
from rbac_api.settings import Settings, checked

settings = checked(Settings.from_environment())
prepare(settings, Database(settings))
print(create_app(settings).test_client().get("/readyz").status_code, *sorted(sys.modules.keys() & {"alembic", "psycopg", "redis"}))
"""


def test_a_second_start_on_sqlite_loads_no_library_that_it_has_no_use_for(tmp_path: Path) -> None:
    settings = {"RBAC_DATA_DIR": str(tmp_path), "RBAC_SEED_EXAMPLE": "off"}

    def start_in_a_process() -> list[str]:
        return subprocess.run(
            [sys.executable, "-c", ONCE_MORE],
            env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True,
        ).stdout.split()  # fmt: skip

    assert start_in_a_process() == ["200", "alembic"], "the first one migrates"
    assert start_in_a_process() == ["200"]


def test_where_somebody_listens_already_nothing_is_made_and_no_password_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "PAUSE", 0.001)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port, folder = taken.getsockname()[1], tmp_path / "instance"
        with pytest.raises(
            SystemExit, match=rf"cannot listen at 127\.0\.0\.1:{port}: Address already in use"
        ):
            serve.serve(create_app, Settings(port=port, data_dir=str(folder)))

    assert [file.name for file in folder.iterdir()] == ["secret_key"]
    assert capsys.readouterr().out == ""


def test_one_that_is_about_to_stop_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    monkeypatch.setattr(time, "sleep", lambda _: taken.close())

    serve.require_free_address(Settings(port=port))

    assert taken.fileno() == -1


LUCKLESS = """
from rbac_api.cli.serve import serve

def make_app(settings):
    raise RuntimeError("no such luck")

serve(make_app)
"""


def test_a_worker_that_cannot_make_its_application_says_why_and_nothing_else_goes_wrong(
    tmp_path: Path,
) -> None:
    settings = {"RBAC_DATA_DIR": str(tmp_path), "RBAC_SEED_EXAMPLE": "off", "PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-c", LUCKLESS],
        env={**os.environ, **settings}, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ended.returncode != 0
    assert "no such luck" in ended.stderr
    assert "AttributeError" not in ended.stderr
