"""What is read while the write lock is held does not grow with all roles, permissions, users or assignments: each writing operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.capabilities.policy import service
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.engine import Database
from rbac_api.decision.document import read_document
from tests.builders import Stage
from tests.cast import ALICE, DAVE
from tests.contract.test_one_event_each import DONE

MORE = 300  # roles, permissions, users and assignments, each
ROOM = 40  # rows that may come besides, such as the events of what was added


class CountingCursor:
    """A driver's cursor that counts the rows it gives away."""

    def __init__(self, cursor: Any, rows: Counter[str], statement: str) -> None:
        self._cursor, self._rows, self._statement = cursor, rows, statement

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)

    def fetchone(self) -> Any:
        row = self._cursor.fetchone()
        self._rows[self._statement] += row is not None
        return row

    def fetchmany(self, *size: int) -> Any:
        rows = self._cursor.fetchmany(*size)
        self._rows[self._statement] += len(rows)
        return rows

    def fetchall(self) -> Any:
        rows = self._cursor.fetchall()
        self._rows[self._statement] += len(rows)
        return rows


@contextmanager
def rows_read(database: Database, *, writing: bool = True) -> Iterator[Counter[str]]:
    """Rows by the statement that read them, in transactions that hold the write lock (or in those that do not)."""
    rows: Counter[str] = Counter()

    def count(
        connection: Any, cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool
    ) -> None:
        if bool(connection.get_execution_options().get("writer")) == writing:
            context.cursor = CountingCursor(cursor, rows, statement)

    event.listen(database.engine, "after_cursor_execute", count)
    try:
        yield rows
    finally:
        event.remove(database.engine, "after_cursor_execute", count)


def grow(stage: Stage) -> None:
    """Many more of everything; nothing of it has to do with the cast."""
    numbers = range(MORE)
    document = {
        "permissions": [{"name": f"thing{number}:do", "description": "Made."} for number in numbers],
        "roles": [{"name": f"made-{number}", "permissions": [f"thing{number}:do"]} for number in numbers],
        "users": [{"username": f"person-{number}"} for number in numbers],
        "assignments": [{"user": f"person-{number}", "role": f"made-{number}"} for number in numbers],
    }
    with operator_unit(stage.settings, stage.database) as clearance:
        service.load_document(clearance, read_document(document), "grown")
    stage.guard.snapshot.freshen()


def counted(stage: Stage, operation: str) -> Counter[str]:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    with rows_read(stage.database) as rows:
        answer = DONE[operation][1](stage, alice, dave)
    assert answer.status_code < 300, answer.text
    return rows


@pytest.mark.parametrize("operation", sorted(DONE))
def test_a_writing_operation_reads_under_the_lock_only_what_it_is_about(stage: Stage, operation: str) -> None:
    few = counted(stage, operation)
    stage.kept("grown", lambda: grow(stage))
    many = counted(stage, operation)

    grown = {
        statement: (few[statement], number)
        for statement, number in many.items()
        if number > few[statement] + ROOM
    }
    assert not grown


@pytest.mark.large
def test_the_count_sees_a_whole_table(stage: Stage) -> None:
    grow(stage)

    with rows_read(stage.database) as rows, stage.database.writing() as connection:
        connection.exec_driver_sql("SELECT name FROM roles").all()

    assert rows["SELECT name FROM roles"] >= MORE
