"""Several nodes start at once, one is killed in the middle, a release meets a database of another: nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.database.migrate import HEAD, SchemaRefused, present_revision, schema_problem, upgrade
from rbac_api.factory import create_app
from rbac_api.settings import SettingsRefused
from tests.builders import settings_for
from tests.conftest import Stages
from tests.migrations.freeze import statements
from tests.migrations.population import LATEST, schema

pytestmark = pytest.mark.outside

# Migrates, and dies without a word before statement number so-and-so, or before the commit if there are not so many.
KILLED = """
import os, sys
from sqlalchemy import event
from rbac_api.database.engine import Database
from rbac_api.database.migrate import upgrade
from tests.builders import settings_for
from tests.migrations.freeze import changes_something
database, left, done = Database(settings_for(sys.argv[1])), int(sys.argv[2]), []
def note(_connection, _cursor, statement, *_rest):
    if changes_something(statement):
        if len(done) == left:
            os._exit(9)
        done.append(statement)
def note_commit(_connection):
    if done:
        os._exit(9)
event.listen(database.engine, "before_cursor_execute", note)
event.listen(database.engine, "commit", note_commit)
upgrade(database)
database.dispose()
"""
# Prepares like a node that starts, when it is told to.
NODE = """
import sys
from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from tests.builders import settings_for
settings = settings_for(sys.argv[1])
database = Database(settings)
print("ready", flush=True)
sys.stdin.readline()
done = prepare(settings, database)
database.dispose()
print("made" if done.username else "found")
"""


POINTS: dict[str, Callable[[int], int]] = {
    "before the first": lambda _: 0,
    "early": lambda number: number // 4,
    "in the middle": lambda number: number // 2,
    "before the last": lambda number: number - 1,
    "before the commit": lambda number: number,
}


@pytest.mark.parametrize("point", POINTS)
def test_a_node_killed_while_it_migrates_leaves_the_work_to_the_next(
    database: Database, empty_url: str, point: str, stages: Stages, engine: str
) -> None:
    fresh = Database(settings_for(stages.empty_database(engine, f"fresh {point}")))
    made = POINTS[point](len(statements(fresh.engine.url.render_as_string(False), HEAD)))
    done = subprocess.run([sys.executable, "-c", KILLED, empty_url, str(made)], check=False, timeout=300)
    assert done.returncode == 9

    with database.reading() as connection:
        assert present_revision(connection) is None
    assert upgrade(database) == (None, LATEST)

    assert schema(database.engine) == schema(fresh.engine)
    fresh.dispose()


def test_four_nodes_that_start_at_once_make_one_database(database: Database, empty_url: str) -> None:
    command = [sys.executable, "-c", NODE, empty_url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    nodes = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    for node in nodes:
        assert node.stdout.readline() == "ready\n"

    for node in nodes:
        node.stdin.write("go\n")
        node.stdin.flush()
    said = [node.communicate(timeout=300) for node in nodes]

    assert [node.returncode for node in nodes] == [0, 0, 0, 0], said
    assert sorted(out for out, _ in said) == ["found\n", "found\n", "found\n", "made\n"]
    with database.reading() as connection:
        events = connection.exec_driver_sql("SELECT action, count(*) FROM trail_events GROUP BY action").all()
        people = connection.exec_driver_sql("SELECT username FROM users").all()
    assert dict(map(tuple, events))["admin.created"] == dict(map(tuple, events))["key.created"] == 1
    assert people == [("operator-made",)]


def test_preparing_again_does_nothing(database: Database, empty_url: str) -> None:
    settings = settings_for(empty_url)
    assert prepare(settings, database).lines

    again = prepare(settings, database)

    assert (again.lines, again.username, again.password) == ([], None, None)


def test_this_release_does_not_touch_a_database_of_a_newer_one(
    database: Database, empty_url: str, tomorrow: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow("op.create_table('badges', sa.Column('id', sa.Integer()))")
    upgrade(database)
    monkeypatch.undo()  # back to today

    problem = (
        "the database is at revision 9001, which this code does not know: it is newer; run the newer release"
    )
    assert schema_problem(database) == problem
    with pytest.raises(SettingsRefused, match="9001"):
        create_app(settings_for(empty_url))
    with pytest.raises(SchemaRefused, match="run the newer release"):
        prepare(settings_for(empty_url), database)
    with database.reading() as connection:
        assert present_revision(connection) == "9001"


def test_this_release_does_not_serve_on_a_database_of_an_older_one(
    database: Database, empty_url: str, tomorrow: Callable[..., object]
) -> None:
    upgrade(database)
    tomorrow("op.create_table('badges', sa.Column('id', sa.Integer()))")

    assert (
        schema_problem(database)
        == f"the database is at revision {LATEST}, the code needs 9001: run `rbac-api init`"
    )
    with pytest.raises(SettingsRefused, match="run `rbac-api init`"):
        create_app(settings_for(empty_url))
    assert upgrade(database) == (LATEST, "9001")
    assert schema_problem(database) is None


def test_an_empty_database_is_not_served(empty_url: str) -> None:
    with pytest.raises(SettingsRefused, match="the database is empty: run `rbac-api init`"):
        create_app(settings_for(empty_url))


def test_a_revision_that_fails_half_way_is_undone_as_a_whole(
    database: Database, tomorrow: Callable[..., object]
) -> None:
    upgrade(database)
    before = schema(database.engine)
    tomorrow("op.create_table('badges', sa.Column('id', sa.Integer()))", "raise RuntimeError('half way')")

    with pytest.raises(RuntimeError, match="half way"):
        upgrade(database)

    assert schema(database.engine) == before
    with database.reading() as connection:
        assert present_revision(connection) == LATEST
