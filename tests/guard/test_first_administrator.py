"""The first administrator: one, however many start at once, and none once there is anybody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.database.tables import personal_values
from tests.builders import settings_for
from tests.guard import newcomers

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]


def rush(url: str, manner: str) -> list[str]:
    """The names of the administrators that eight processes made at once."""
    done = subprocess.run(
        [sys.executable, "-m", newcomers.__name__, url, manner],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert len(lines) == newcomers.PROCESSES
    return [line for line in lines if line != "-"]


def administrators(url: str) -> list[tuple[str, str]]:
    """(who, made by whom), as the trail has it."""
    database = Database(settings_for(url))
    with database.engine.connect() as connection:
        query = "SELECT seq, actor_type FROM trail_events WHERE action = 'admin.created'"
        made = connection.exec_driver_sql(query).all()
        entries = select(personal_values.c.entries).where(personal_values.c.seq == made[0].seq)
        found = [
            (json.loads(connection.execute(entries).scalar_one())["/target/name"][1], made[0].actor_type)
        ]
        assert len(made) == 1
        names = "SELECT username FROM users"
        assert [row[0] for row in connection.exec_driver_sql(names)] == [name for name, _ in found]
    database.dispose()
    return found


def test_of_eight_processes_on_an_empty_database_one_makes_the_administrator(empty_url: str) -> None:
    made = rush(empty_url, "careful")

    assert administrators(empty_url) == [(made[0], "system")]
    assert len(made) == 1


def test_a_look_before_the_lock_alone_would_make_several(empty_url: str) -> None:
    assert len(rush(empty_url, "naive")) > 1


def test_once_there_is_anybody_no_administrator_is_made(empty_url: str) -> None:
    database = Database(settings_for(empty_url))
    first = prepare(settings_for(empty_url), database)

    second = prepare(settings_for(empty_url, admin_username="intruder"), database)
    database.dispose()

    assert (first.username, second.username, second.password) == ("operator-made", None, None)
    assert administrators(empty_url) == [("operator-made", "system")]
