"""Lists with filters: the same people whether few or many fit, and on SQLite none looked at that need not be."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.database import filters as searching
from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.conftest import Stages

NOTHING = ("SCAN CONSTANT ROW", "SCAN (subquery-1)")  # how SQLite looks up an empty list of ids
FILTERS = (
    "/v1/users?q=b",
    "/v1/users?q=D",
    "/v1/users?q=bob%25",
    "/v1/users?q=bob",
    "/v1/users?q=bo%40ex",
    "/v1/users?role=auditor",
    "/v1/users?role=role-manager&status=active",
    "/v1/users?created_after=2020-01-01T00:00:00Z",
    "/v1/users?created_after=2100-01-01T00:00:00Z",
    "/v1/sessions?role=auditor",
    "/v1/sessions?role=auditor&state=all",
    "/v1/sessions?role=role-manager",
)


@pytest.mark.parametrize("path", FILTERS)
def test_who_fits_is_listed_whether_few_fit_or_many(
    stage: Stage, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"email": "Bo@example.com"})
    for person in (BOB, CAROL, DAVE):
        stage.as_(person)

    few = alice.get(path).json["items"]
    monkeypatch.setattr(searching, "FEW", 0)

    assert alice.get(path).json["items"] == few


def test_more_than_were_few_when_asked_are_all_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    monkeypatch.setattr(searching, "FEW", 1)
    assert len(carol.get("/v1/users?role=auditor").json["items"]) == 1

    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")

    assert [user["username"] for user in carol.get("/v1/users?role=auditor").json["items"]] == [
        "carol",
        "dave",
    ]


@pytest.mark.parametrize("path", [path for path in FILTERS if "2020" not in path])
def test_sqlite_looks_up_the_few_that_fit_and_walks_past_nobody_else(stages: Stages, path: str) -> None:
    stage = stages.get("sqlite")
    stage.reset()
    walks = [line for line in plans(stage, path) if line.startswith(("SCAN", "CORRELATED"))]
    assert [line for line in walks if line not in NOTHING] == []


def test_sqlite_finds_the_newest_sessions_without_sorting_all_that_never_ended(stages: Stages) -> None:
    stage = stages.get("sqlite")
    stage.reset()
    assert [line for line in plans(stage, "/v1/sessions") if "TEMP B-TREE" in line] == []


def plans(stage: Stage, path: str) -> list[str]:
    """How SQLite goes about the statements that read a page for this request."""
    alice, engine = stage.as_(ALICE), stage.database.engine
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    assert alice.get(path).status_code == 200
    event.remove(engine, "before_cursor_execute", note)
    pages = [one for one in asked if "ORDER BY" in one[0] and "LIMIT" in one[0] and "count(*)" not in one[0]]
    with stage.database.reading() as connection:
        found = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values) for sql, values in pages]
        return [str(row[-1]) for rows in found for row in rows]
