"""``count=true`` counts up to a bound and says so past it, on every list; no list counts further."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.formats import paging
from tests.builders import Stage
from tests.cast import ALICE
from tests.contract.operations import Operation, operations
from tests.contract.test_bounded_reads import NEEDED, scene

JUDGING = {
    "list_violations",
    "list_available_roles",
}  # compare the number of holders with the constraint's limit
COUNTING = re.compile(r"\bcount\(", re.IGNORECASE)


def counted(operation: Operation) -> bool:
    parameters = operation.described.get("parameters", [])
    return any(parameter.get("name") == "count" for parameter in parameters)


@pytest.mark.parametrize("most", [0, 1, 10_000])
def test_a_total_past_the_bound_is_the_bound_and_says_that_there_are_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    alice = stage.as_(ALICE)
    names = scene(stage, alice)
    lists = [operation for operation in operations(stage.app) if counted(operation)]
    assert {"list_users", "list_sessions", "list_events", "list_role_members"} <= {one.id for one in lists}
    monkeypatch.setattr(paging, "MAX_TOTAL", most)

    for operation in lists:
        path = operation.at(names) + (NEEDED.get(operation.id) or "?")
        answer = alice.get(f"{path}&count=true&limit=200").json
        number = len(answer["items"])  # all of them: the scene is small
        assert answer["total"] == min(number, most), operation.id
        assert answer.get("total_is_minimum", False) is (number > most), operation.id


def test_no_statement_counts_without_a_bound(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    names = scene(stage, alice)
    statements: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    for operation in operations(stage.app):
        if counted(operation) and operation.id not in JUDGING:
            alice.get(f"{operation.at(names)}{NEEDED.get(operation.id) or '?'}&count=true")
    event.remove(stage.database.engine, "before_cursor_execute", note)

    found = [one for one in statements if COUNTING.search(one)]
    assert len(found) > 5
    assert [one for one in found if "LIMIT" not in one] == []
