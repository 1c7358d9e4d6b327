"""Ways to make the trail, or a table, impossible to write: by triggers, on both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.builders import Stage

PUT_UP = {
    "sqlite": "CREATE TRIGGER broken_{0} BEFORE {1} ON {0} WHEN {2} BEGIN SELECT RAISE(ABORT, '{3}'); END",
    "postgresql": (
        "CREATE FUNCTION broken_{0}() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN IF {2} THEN RAISE EXCEPTION '{3}' USING ERRCODE = '{4}'; END IF; RETURN NEW; END $$;"
        " CREATE TRIGGER broken_{0} BEFORE {1} ON {0} FOR EACH ROW EXECUTE FUNCTION broken_{0}()"
    ),
}
TAKE_DOWN = {
    "sqlite": "DROP TRIGGER IF EXISTS broken_{0}",
    "postgresql": "DROP FUNCTION IF EXISTS broken_{0}() CASCADE",
}
# What an event of a refusal or of a sign-in is written to first.
FIRST_WRITTEN = {"sqlite": "trail_events", "postgresql": "trail_outbox"}


@contextmanager
def broken(
    stage: Stage,
    table: str,
    event: str = "INSERT",
    *,
    when: str = "true",
    message: str = "no",
    state: str = "P0001",
) -> Iterator[None]:
    """While this lasts, the event on the table fails, always or when a condition on NEW holds, with a message and an SQLSTATE."""
    stage.execute(PUT_UP[stage.engine].format(table, event, when, message, state))
    try:
        yield
    finally:
        stage.execute(TAKE_DOWN[stage.engine].format(table))


@contextmanager
def renamed(stage: Stage, table: str) -> Iterator[None]:
    """While this lasts, the table is not there."""
    stage.execute(f"ALTER TABLE {table} RENAME TO {table}_elsewhere")
    try:
        yield
    finally:
        stage.execute(f"ALTER TABLE {table}_elsewhere RENAME TO {table}")
