"""Every need of the ground: unmet, it keeps a start from serving or is warned of; the doctor names it; each has a remedy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from rbac_api import protect
from rbac_api.cli.prepare import prepare
from rbac_api.database import requirements as ground
from rbac_api.database import requirements_sqlite as ground_sqlite
from rbac_api.database.engine import Database
from rbac_api.database.requirements import DatabaseUnfit, Need, check_requirements, requirements_of
from rbac_api.factory import close_app, create_app
from rbac_api.settings import Settings, SettingsRefused
from tests.builders import Stage, settings_for
from tests.cli.conftest import Shell
from tests.database.breakage import BREAKAGES, POSTGRESQL, SQLITE, Site
from tests.servers.postgres import PostgresServer


@pytest.fixture
def site(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with ExitStack() as opened:
        yield Site(postgres, tmp_path, monkeypatch, opened)


@pytest.fixture
def unmet(site: Site, engine_and_name: tuple[str, str]) -> tuple[Need, Settings]:
    """A need, and settings for a place that lacks it."""
    settings = BREAKAGES[engine_and_name](site)
    name = engine_and_name[1].partition(":")[0]
    (need,) = [each for each in requirements_of(Database(settings)) if each.name == name]
    return need, settings


each_breakage = pytest.mark.parametrize("engine_and_name", BREAKAGES, ids=" ".join)


def test_each_need_of_either_engine_is_tried() -> None:
    for url, tried in (("sqlite:////nowhere/x.db", SQLITE), ("postgresql://nowhere/x", POSTGRESQL)):
        assert [need.name for need in requirements_of(Database(settings_for(url)))] == list(tried)


def test_where_nothing_is_wrong_every_essential_need_is_met(stage: Stage) -> None:
    assert [
        result.need.name for result in check_requirements(stage.database, essential=True) if not result.met
    ] == []
    answer = stage.caller().get("/readyz")
    assert (answer.status_code, answer.json["ready"]) == (200, True)


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    database = Database(settings)
    try:
        yield database
    finally:
        database.dispose()


def prepared(settings: Settings) -> list[str]:
    """What a start says of a database while it makes it ready."""
    with opened(settings) as database:
        return prepare(settings, database).warnings


def serving_faults(settings: Settings) -> list[str]:
    """What keeps each of the three ways to a running service from it."""
    found = []
    ways: tuple[Callable[[], object], ...] = (
        lambda: prepared(settings),
        lambda: create_app(settings),
        lambda: protect(Flask("host"), settings),
    )
    for way in ways:
        with pytest.raises((DatabaseUnfit, SettingsRefused)) as refusal:
            way()
        found.append(refusal.value.detail)
    return found


@each_breakage
def test_a_start_refuses_without_what_is_essential_and_warns_of_a_risk(unmet: tuple[Need, Settings]) -> None:
    need, settings = unmet

    if need.essential:
        for refusal in serving_faults(settings):
            assert f"{need.name}: " in refusal
            assert need.remedy in refusal
    else:
        lines = prepared(settings)
        assert [line for line in lines if line.startswith(f"{need.name}: ") and need.remedy in line]
        close_app(create_app(settings))


@each_breakage
def test_the_doctor_and_the_readiness_name_it(unmet: tuple[Need, Settings]) -> None:
    need, settings = unmet
    app = create_app(settings, check_database=False)
    try:
        report = Shell(app).json("doctor", code=1 if need.essential else report_code(app))
        answer = app.test_client().get("/readyz")
    finally:
        close_app(app)

    (finding,) = [check for check in report["checks"] if check["name"] == need.name]
    assert (finding["ok"], finding["risk"]) == (not need.essential, not need.essential)
    assert finding["remedy"] == need.remedy
    named: dict[str, Any] = {check["name"]: check for check in answer.json["checks"]}
    assert (need.name in named) is need.essential
    assert answer.status_code == (503 if need.essential else 200)


def report_code(app: Flask) -> int:
    """A risk does not decide how the doctor ends; that files made by a test are open to others may."""
    return Shell(app)("doctor", "--json").exit_code


def test_a_refused_start_writes_nothing(site: Site) -> None:
    settings = BREAKAGES["postgresql", "encoding"](site)

    serving_faults(settings)

    with opened(settings) as database, database.reading() as connection:
        tables = connection.exec_driver_sql(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        ).scalar()
    assert tables == 0


def test_a_file_system_that_cannot_be_found_out_is_no_fault(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = site.on_sqlite()
    monkeypatch.setattr(ground_sqlite, "MOUNTS", tmp_path / "nowhere")

    with opened(settings) as database:
        found = {result.need.name: result for result in check_requirements(database)}

    assert (found["file system"].met, found["file system"].detail) == (True, "unknown")


@pytest.mark.parametrize("encoding", ["LATIN1", "UTF8"])
def test_names_of_every_script_are_signed_in_with_whatever_encoding_the_environment_asks_for(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", encoding)
    stage.database.dispose()

    answer = stage.caller().post("/v1/auth/login", json={"username": "日本", "password": "whatever it is"})

    assert answer.status_code == 401


def test_defaults_of_a_database_do_not_reach_our_transactions(site: Site) -> None:
    alter = "ALTER DATABASE {} SET "
    defaults = ("default_transaction_isolation = 'serializable'", "TimeZone = 'Asia/Kathmandu'", "DateStyle = 'German'",
                "standard_conforming_strings = off", "lock_timeout = 1", "client_encoding = 'LATIN1'")  # fmt: skip
    settings = site.on_postgresql(*(alter + default for default in defaults))

    app = create_app(settings)
    statuses = [app.test_client().get(path).status_code for path in ("/readyz", "/v1/me")]
    close_app(app)

    assert statuses == [200, 401]


def test_a_search_path_in_the_address_is_kept_for_every_connection(
    site: Site, postgres: PostgresServer
) -> None:
    url = postgres.create_database()
    with opened(settings_for(url)) as database, database.unlocked() as connection:
        connection.exec_driver_sql("CREATE SCHEMA rbac")
    settings = site.ready(f"{url}?options=-csearch_path%3Drbac")

    with opened(settings) as database, database.reading() as connection:
        schemas = connection.exec_driver_sql(
            "SELECT DISTINCT schemaname FROM pg_tables WHERE tablename IN ('users', 'followers', 'alembic_version')"
        ).scalars()
        assert list(schemas) == ["rbac"]
    app = create_app(settings)
    assert app.test_client().get("/readyz").status_code == 200
    close_app(app)


def test_what_cannot_be_asked_is_not_met_but_an_outage_is_an_outage(stage: Stage) -> None:
    def ask(_database: Database, connection: Connection) -> tuple[bool, str]:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
        raise AssertionError

    need = Need("anything", "here", ask, "none", essential=True)
    with stage.database.engine.connect() as connection:
        if stage.engine == "postgresql":
            assert "nowhere" in ground._looked(need, stage.database, connection).detail
        else:  # SQLite calls both kinds operational
            with pytest.raises(OperationalError):
                ground._looked(need, stage.database, connection)


def test_who_asks_again_at_once_gets_what_was_seen(stage: Stage) -> None:
    assert ground.recent_results(stage.database) is ground.recent_results(stage.database)
