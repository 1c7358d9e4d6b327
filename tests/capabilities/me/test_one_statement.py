"""``GET /v1/me`` takes one statement, and a page without filters two: counted where the driver sends them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from tests.builders import Caller, Stage
from tests.cast import ALICE

SENDS = psycopg.Cursor.execute.__code__


@contextmanager
def sent(stage: Stage) -> Iterator[list[str]]:
    """The statements that reach the database from this thread, pings and transactions included."""
    found: list[str] = []

    def trace(connection: Any, *_rest: object) -> None:
        if stage.engine == "sqlite":
            connection.set_trace_callback(found.append)

    def profile(frame: FrameType, kind: str, _argument: object) -> None:
        if kind == "call" and frame.f_code is SENDS:
            found.append(str(frame.f_locals["query"]))

    event.listen(stage.database.engine, "checkout", trace)
    sys.setprofile(profile if stage.engine == "postgresql" else None)
    try:
        yield found
    finally:
        sys.setprofile(None)
        event.remove(stage.database.engine, "checkout", trace)


def statements(caller: Caller, path: str) -> list[str]:
    """Those of the answer, once nothing is new to this process."""
    for _ in range(2):
        assert caller.get(path).status_code == 200
    with sent(caller.stage) as found:
        assert caller.get(path).status_code == 200
    return found


@pytest.mark.parametrize(("path", "number"), [("/v1/me", 1), ("/v1/users", 1), ("/v1/sessions", 1)])
def test_the_busiest_reads_take_few_statements(stage: Stage, path: str, number: int) -> None:
    found = statements(stage.as_(ALICE), path)

    assert len(found) == number, found


def test_a_statement_of_sqlalchemy_would_be_counted_too(stage: Stage) -> None:
    assert len(statements(stage.as_(ALICE), f"/v1/users/{stage.user_id(ALICE)}")) >= 2
