"""The trail only grows, also for who speaks SQL with the application's own connection."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, text, update
from sqlalchemy.exc import IntegrityError

from rbac_api.database.tables import trail_events
from tests.builders import Caller, Stage
from tests.cast import ALICE

COPY = "SELECT * FROM trail_events WHERE seq = 1"
COLUMNS = ", ".join(column.name for column in trail_events.c)
STATEMENTS = {
    "update": "UPDATE trail_events SET reason = 'nothing happened' WHERE seq = 1",
    "update of all": "UPDATE trail_events SET actor_name = 'mallory'",
    "renumbering": "UPDATE trail_events SET seq = seq + 1000 WHERE seq = 1",
    "delete": "DELETE FROM trail_events WHERE seq = 1",
    "delete all": "DELETE FROM trail_events",
}
ONLY_ON = {
    "sqlite": {
        "replace": f"INSERT OR REPLACE INTO trail_events {COPY}",
        "update or replace": "UPDATE OR REPLACE trail_events SET seq = 2 WHERE seq = 1",
        "upsert": f"INSERT INTO trail_events {COPY} ON CONFLICT (seq) DO UPDATE SET reason = 'x'",
        "update or ignore": "UPDATE OR IGNORE trail_events SET reason = 'x' WHERE seq = 1",
    },
    "postgresql": {
        "truncate": "TRUNCATE trail_events, decisions, policy_changes",  # which refer to it
        "truncate cascade": "TRUNCATE trail_events CASCADE",
        "upsert": f"INSERT INTO trail_events {COPY} ON CONFLICT (seq) DO UPDATE SET reason = 'x'",
        "merge": "MERGE INTO trail_events t USING (SELECT 1) s ON t.seq = 1 WHEN MATCHED THEN DELETE",
        "update through a cte": "WITH gone AS (DELETE FROM trail_events RETURNING *) SELECT * FROM gone",
    },
}


def rows(stage: Stage) -> list[tuple[object, ...]]:
    return stage.query(f"SELECT {COLUMNS} FROM trail_events ORDER BY seq")


def test_no_statement_changes_what_was_written(stage: Stage) -> None:
    before = rows(stage)

    for kind, statement in {**STATEMENTS, **ONLY_ON[stage.engine]}.items():
        with pytest.raises(IntegrityError, match="append-only"), stage.database.engine.begin() as connection:
            connection.execute(text(statement))
        assert rows(stage) == before, kind


@pytest.mark.parametrize(
    "statement",
    [
        update(trail_events).values(outcome="success"),
        delete(trail_events),
        update(trail_events).where(trail_events.c.seq == 1).values(seq=0),
    ],
    ids=["update", "delete", "renumber"],
)
def test_nor_does_the_service_through_its_own_tables(stage: Stage, statement: object) -> None:
    before = rows(stage)

    with pytest.raises(IntegrityError, match="append-only"), stage.database.writing() as connection:
        connection.execute(statement)  # type: ignore[call-overload]

    assert rows(stage) == before


def test_a_number_is_given_once(stage: Stage) -> None:
    first = dict(zip(COLUMNS.split(", "), stage.query(COPY)[0], strict=True))

    with pytest.raises(IntegrityError), stage.database.engine.begin() as connection:
        connection.execute(insert(trail_events).values(seq=1, **typed(stage, first)))


def typed(stage: Stage, row: dict[str, object]) -> dict[str, object]:
    with stage.database.reading() as connection:
        found = connection.execute(trail_events.select().where(trail_events.c.seq == row["seq"])).one()
    return {name: value for name, value in found._asdict().items() if name != "seq"}


def test_no_operation_of_the_service_writes_to_the_trail_directly(stage: Stage) -> None:
    alice: Caller = stage.as_(ALICE)

    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/v1/audit/events", "/v1/audit/events/1"):
            assert alice.call(method, path, json={}).status_code == 405
