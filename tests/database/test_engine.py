"""Every connection keeps the promises of the room: durable, references held, UTC, private, and let go of when done."""

from __future__ import annotations

import sqlite3
import stat
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from rbac_api import clock
from rbac_api.capabilities.roles.errors import RoleNameTaken
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.database.migrate import upgrade
from rbac_api.database.postgresql import keepalive_options
from rbac_api.database.tables import assignments, roles, signin_attempts, signing_keys, users
from rbac_api.database.types import new_id
from rbac_api.settings import complete
from tests.builders import Stage, settings_for
from tests.patience import connections_held, quickest

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
NOW = datetime(2026, 11, 22, 17, 34, 0, 123456, UTC)


@pytest.fixture
def database(empty_url: str) -> Database:
    found = Database(settings_for(empty_url))
    upgrade(found)
    yield found
    found.dispose()


def test_every_pooled_connection_is_durable_and_holds_references(tmp_path: Path) -> None:
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db"))
    with ExitStack() as held:
        connections = [held.enter_context(database.reading()) for _ in range(12)]
        connections.append(held.enter_context(database.writing()))
        connections.append(held.enter_context(database.streaming()))
        for connection in connections:
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in PRAGMAS}
            assert found == PRAGMAS
    database.dispose()


def test_what_was_to_be_stored_is_not_in_the_words_of_a_failure_which_go_into_the_log(
    database: Database,
) -> None:
    key = {
        "kid": "one",
        "algorithm": "EdDSA",
        "public_jwk": "{}",
        "private_sealed": "tulip",
        "created_at": NOW,
    }

    with pytest.raises(IntegrityError) as failed, database.writing() as connection:
        for _ in range(2):
            connection.execute(insert(signing_keys), key)

    assert "signing_keys" in str(failed.value)
    assert "tulip" not in str(failed.value)


def test_migrating_leaves_the_pragmas_as_they_were(tmp_path: Path) -> None:
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db"))
    upgrade(database)

    with database.reading() as connection:
        assert {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in PRAGMAS
        } == PRAGMAS
    database.dispose()


def test_a_new_file_that_somebody_else_is_writing_is_waited_for(tmp_path: Path) -> None:
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db"))
    other = sqlite3.connect(tmp_path / "own.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(0.2, other.close)
    ending.start()

    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"

    ending.join()
    database.dispose()


def test_but_not_for_longer_than_the_timeout(tmp_path: Path) -> None:
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db", database_timeout=1))
    other = sqlite3.connect(tmp_path / "own.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def look() -> None:
        with pytest.raises(DatabaseDown, match="nothing was changed"), database.reading():
            pass

    assert 0.9 < quickest(look, 3) < 3
    other.close()
    database.dispose()


def test_a_new_database_file_is_its_owners_alone(tmp_path: Path) -> None:
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db"))
    upgrade(database)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("own.db*")}

    assert set(modes.values()) == {0o600}
    database.dispose()


_PATIENCE = text("SELECT setting FROM pg_settings WHERE name = 'lock_timeout'")  # milliseconds


def test_on_postgresql_every_connection_speaks_utc_and_waits_for_a_lock_only_so_long(
    troupe: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: moment)  # what was waited for already is taken off
    wanted = {
        "TimeZone": "UTC",
        "application_name": "rbac-api",
        "synchronous_commit": "off",
    }
    for way_in in (troupe.database.reading, troupe.database.writing, troupe.database.streaming):
        with way_in() as connection:
            found = {
                name: connection.execute(text(f"SELECT current_setting('{name}')")).scalar_one()
                for name in wanted
            }
            patience = connection.execute(_PATIENCE).scalar_one()
        assert found == wanted  # synchronous_commit is this careless test server's own
        assert int(patience) == 30_000


def test_a_connection_notices_in_seconds_that_the_other_side_is_gone() -> None:
    assert keepalive_options(5)["tcp_user_timeout"] == 5000


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_an_address_leads_to_the_same_driver(scheme: str) -> None:
    settings = complete(settings_for(f"{scheme}://somebody:p%25w@db.example/rbac"))
    database = Database(settings)

    assert database.engine.dialect.driver == "psycopg"
    assert database.engine.url.password == "p%w"


def test_a_role_without_a_person_cannot_be_stored(database: Database) -> None:
    row = {"id": new_id(), "user_id": new_id(), "role_id": new_id(), "valid_from": NOW, "assigned_at": NOW}

    with pytest.raises(IntegrityError), database.writing() as connection:
        connection.execute(insert(assignments).values(row))


def test_a_moment_comes_back_as_it_was_in_utc(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    with database.writing() as connection:
        connection.execute(insert(signin_attempts).values(name_digest="x", failures=1, last_failed_at=there))

    with database.reading() as connection:
        row = connection.execute(select(signin_attempts)).one()

    assert row.last_failed_at == NOW
    assert row.last_failed_at.utcoffset() == timedelta(0)
    assert row.blocked_until is None


def test_a_moment_without_a_zone_is_refused(database: Database) -> None:
    naive = NOW.replace(tzinfo=None)

    with pytest.raises(StatementError, match="without a time zone"), database.writing() as connection:
        connection.execute(insert(signin_attempts).values(name_digest="x", failures=1, last_failed_at=naive))


def test_ids_sort_by_creation_and_none_comes_twice() -> None:
    with ThreadPoolExecutor(8) as threads:
        batches = list(threads.map(lambda _: [new_id() for _ in range(2000)], range(8)))

    for batch in batches:
        assert [one[:18] for one in batch] == sorted(one[:18] for one in batch)
    assert len({one for batch in batches for one in batch}) == 16000
    assert {uuid.UUID(one).version for one in batches[0]} == {7}
    assert {uuid.UUID(one).variant for one in batches[0]} == {uuid.RFC_4122}


def test_an_exception_undoes_the_whole_unit_and_gives_the_connection_back(stage: Stage) -> None:
    before = stage.query("SELECT count(*) FROM signin_attempts")

    with pytest.raises(ZeroDivisionError), stage.database.writing() as connection:
        connection.execute(insert(signin_attempts).values(name_digest="x", failures=1, last_failed_at=NOW))
        raise ZeroDivisionError

    assert stage.query("SELECT count(*) FROM signin_attempts") == before
    assert connections_held(stage.database) == 0


def test_a_reader_sees_nothing_of_an_unfinished_change(stage: Stage) -> None:
    with stage.database.writing() as connection:
        connection.execute(insert(signin_attempts).values(name_digest="x", failures=1, last_failed_at=NOW))
        assert stage.query("SELECT count(*) FROM signin_attempts") == [(0,)]

    assert stage.query("SELECT count(*) FROM signin_attempts") == [(1,)]


def test_listeners_hear_of_a_commit_that_matters_and_only_then(stage: Stage) -> None:
    heard: list[int] = []
    stage.database.on_publication(heard.append)
    try:
        with stage.database.writing() as connection:
            connection.execute(select(users.c.id))
        with pytest.raises(ZeroDivisionError), stage.database.writing() as connection:
            connection.info["published"] = 7
            raise ZeroDivisionError
        assert heard == []
        with stage.database.writing() as connection:
            connection.info["published"] = 8
        assert heard == [8]
    finally:
        stage.database._listeners.remove(heard.append)


def test_two_open_edges_of_one_pair_cannot_be_stored(stage: Stage) -> None:
    row = {
        "id": new_id(),
        "name": "admin",
        "description": "",
        "system": False,
        "valid_from": NOW,
        "updated_at": NOW,
    }

    with pytest.raises(RoleNameTaken), stage.database.writing() as connection:
        connection.execute(insert(roles).values(row))
