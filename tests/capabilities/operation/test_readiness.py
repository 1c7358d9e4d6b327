"""Health says that the process is up; readiness says whether it can serve, and if not, why."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from alembic import script

from rbac_api.factory import close_app, create_app
from tests.builders import Stage, raise_curtain, settings_for
from tests.trail.breakage import renamed


def checks(stage: Stage) -> dict[str, tuple[bool, str]]:
    """What readiness found, by name; the status must fit."""
    answer = stage.caller().get("/readyz")
    found = {check["name"]: (check["ok"], check["detail"]) for check in answer.json["checks"]}
    ready = all(ok for ok, _ in found.values())
    assert (answer.json["ready"], answer.status_code) == (ready, 200 if ready else 503)
    return found


def test_a_service_on_its_feet_is_healthy_and_ready(stage: Stage) -> None:
    healthy = stage.caller().get("/healthz")

    assert (healthy.status_code, healthy.json["status"]) == (200, "ok")
    assert checks(stage) == {
        "database": (True, "answers"),
        "schema": (True, "up to date"),
        "signing key": (True, "EdDSA"),
        "role_cycle": (True, "none"),
    }


def test_whoever_asks_has_no_migration_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "ScriptDirectory", None)  # whoever reads them finds nothing to do so with

    assert checks(stage)["schema"] == (True, "up to date")


def test_without_its_tables_it_is_healthy_but_not_ready(stage: Stage) -> None:
    with renamed(stage, "alembic_version"):
        found = checks(stage)
        assert stage.caller().get("/healthz").status_code == 200

    assert found["schema"] == (False, "the database is empty: run `rbac-api init`")
    assert checks(stage)["schema"][0]


def test_what_is_not_ready_says_so_as_every_refusal_does(stage: Stage) -> None:
    with renamed(stage, "alembic_version"):
        answer = stage.caller().get("/readyz")

    assert (answer.mimetype, answer.headers["Retry-After"]) == ("application/problem+json", "1")
    assert (answer.json["code"], answer.json["status"]) == ("service.not_ready", 503)
    assert answer.json["request_id"] == answer.headers["X-Request-ID"]
    assert answer.json["ready"] is False


def test_a_schema_of_another_release_is_named(stage: Stage) -> None:
    [(revision,)] = stage.query("SELECT version_num FROM alembic_version")
    stage.execute("UPDATE alembic_version SET version_num = '9999'")
    try:
        ok, detail = checks(stage)["schema"]
    finally:
        stage.execute(f"UPDATE alembic_version SET version_num = '{revision}'")

    assert (ok, detail.partition(",")[0]) == (False, "the database is at revision 9999")


def test_roles_that_inherit_each_other_are_named(stage: Stage) -> None:
    pair = "FROM roles s, roles j WHERE s.name = '{0}' AND j.name = '{1}'"
    edge = "INSERT INTO role_inheritance (id, senior_id, junior_id, valid_from) SELECT {0}.id, s.id, j.id, s.valid_from "
    stage.execute(
        edge.format("s") + pair.format("admin", "auditor"), edge.format("s") + pair.format("auditor", "admin")
    )

    assert checks(stage)["role_cycle"] == (False, "these roles inherit each other: admin > auditor")


def test_without_a_key_it_cannot_sign_anybody_in(stage: Stage) -> None:
    stage.execute("DELETE FROM signing_keys")

    ok, detail = checks(stage)["signing key"]

    assert (ok, "rbac-api init" in detail) == (False, True)


def test_a_database_file_that_was_taken_away_or_exchanged_is_noticed(tmp_path: Path) -> None:
    """Open connections go on with the old file as if nothing had happened, and what they write is lost with it."""
    place = tmp_path / "own.db"
    house = raise_curtain("sqlite", f"sqlite:///{place}", tmp_path)
    try:
        assert checks(house)["database"] == (True, "answers")
        place.rename(tmp_path / "elsewhere.db")
        taken = checks(house)["database"]
        shutil.copy(tmp_path / "elsewhere.db", place)
        exchanged = checks(house)["database"]
    finally:
        house.close()

    assert taken == exchanged
    assert taken == (False, "the database file was removed or replaced while in use; restart this service")


def test_a_folder_that_is_not_there_is_an_answer_too(tmp_path: Path) -> None:
    app = create_app(settings_for(f"sqlite:///{tmp_path}/none/own.db"), check_database=False)
    try:
        answer = app.test_client().get("/readyz")
    finally:
        close_app(app)

    assert answer.status_code == 503
    found = {check["name"]: check["ok"] for check in answer.json["checks"]}
    assert (found["database"], found["schema"]) == (True, False), "the folder was made, and nothing in it"
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/.well-known/jwks.json"])
def test_they_ask_for_no_credentials_and_take_no_arguments(stage: Stage, path: str) -> None:
    somebody = stage.caller()

    assert somebody.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 200
    assert somebody.get(f"{path}?verbose=1").status_code == 422
    assert somebody.client.post(path).status_code == 405
