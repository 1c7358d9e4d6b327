"""Prepared statements return what SQLAlchemy returns, with its types, and fail as its statements do."""

from __future__ import annotations

import gc
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, insert, select, text
from sqlalchemy.exc import StatementError

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.prepared import Prepared
from rbac_api.database.tables import sessions, signin_attempts, users
from tests.builders import Stage
from tests.cast import ALICE, DAVE

_BY_NAME = Prepared(
    select(users.c.id, users.c.created_at).where(users.c.username_canonical == bindparam("name")), tuple
)


def prepared_statements() -> list[Prepared[Any]]:
    """Every prepared statement of the service."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, Prepared) and thing is not _BY_NAME]
    return sorted(found, key=lambda one: str(one.statement))


STATEMENTS = prepared_statements()


def values_for(stage: Stage, statement: Prepared[Any]) -> dict[str, object]:
    """Values under which each of these statements finds rows."""
    with stage.database.reading() as connection:
        [(session_id, user_id)] = connection.execute(select(sessions.c.id, sessions.c.user_id).limit(1)).all()
    known: dict[str, object] = {
        "after": "a" if "username_canonical >" in str(statement.statement) else "ffffffff-ffff-7fff-bfff-ffffffffffff",
        "digest": "d", "limit": 50, "most": 50, "now": clock.now() - timedelta(seconds=1),
        "session_id": session_id, "user_id": user_id,
    }  # fmt: skip
    return {name: known[name] for name in statement.statement.compile().params if name in known}


@pytest.mark.parametrize("place", range(len(STATEMENTS)))
def test_each_returns_the_rows_that_sqlalchemy_returns(stage: Stage, place: int) -> None:
    stage.as_(ALICE), stage.as_(DAVE)
    blocked = {
        "name_digest": "d",
        "failures": 9,
        "last_failed_at": clock.now(),
        "blocked_until": clock.now() + timedelta(hours=1),
    }
    with stage.database.writing() as connection:
        connection.execute(insert(signin_attempts), blocked)
    statement = STATEMENTS[place]
    values = values_for(stage, statement)

    with stage.database.reading() as connection:
        found = statement.all(connection, **values)
        usual = [statement._make(row) for row in connection.execute(statement.statement, values)]
    with stage.database.writing() as writer:
        written = statement.all(writer, **values)

    assert found
    assert found == usual == written
    assert repr(found) == repr(usual)


def test_a_value_of_the_wrong_type_is_refused_as_sqlalchemy_refuses_it(stage: Stage) -> None:
    naive = clock.now().replace(tzinfo=None)
    statement = Prepared(select(users.c.id).where(users.c.created_at > bindparam("then")), tuple)

    with (
        stage.database.reading() as connection,
        pytest.raises((ValueError, StatementError), match="time zone"),
    ):
        statement.all(connection, then=naive)


def test_without_a_row_there_is_none(stage: Stage) -> None:
    with stage.database.reading() as connection:
        assert _BY_NAME.all(connection, name="unknown") == []
        assert _BY_NAME.first(connection, name="unknown") is None


def test_a_damaged_database_is_unavailable_and_afterwards_it_is_read_again(stage: Stage) -> None:
    statement = Prepared(select(text("id")).select_from(text("was_there")), tuple)

    with pytest.raises(DatabaseDown), stage.database.reading() as connection:
        statement.all(connection)

    with stage.database.reading() as connection:
        assert _BY_NAME.first(connection, name=ALICE.username) is not None


def test_a_connection_that_is_lost_in_use_is_replaced(troupe: Stage) -> None:
    with pytest.raises(DatabaseDown), troupe.database.reading() as connection:
        lose(troupe, connection)
        _BY_NAME.all(connection, name=ALICE.username)

    with troupe.database.reading() as connection:
        assert _BY_NAME.first(connection, name=ALICE.username) is not None


def test_a_connection_that_was_lost_while_idle_is_replaced_before_it_is_used(troupe: Stage) -> None:
    with troupe.database.reading() as connection:
        lose(troupe, connection)

    for _ in range(20):
        with troupe.database.reading() as connection:
            assert _BY_NAME.first(connection, name=ALICE.username) is not None


def test_a_connection_on_which_a_notice_waits_is_used_again(troupe: Stage) -> None:
    with troupe.database.reading() as connection:
        before = backend(connection)
        connection.execute(text("LISTEN something"))
        with troupe.database.writing() as other:
            other.execute(text("NOTIFY something"))

    pids = []
    for _ in range(20):  # the pool lends the one that was returned first
        with troupe.database.reading() as connection:
            pids.append(backend(connection))
            connection.execute(text("UNLISTEN *"))

    assert before in pids


def test_a_connection_that_the_driver_has_closed_is_replaced(troupe: Stage) -> None:
    with troupe.database.reading() as connection:
        connection.connection.driver_connection.close()

    for _ in range(20):
        with troupe.database.reading() as connection:
            assert _BY_NAME.first(connection, name=ALICE.username) is not None


def test_using_a_pooled_connection_sends_nothing_to_the_server(troupe: Stage) -> None:
    asked = text("SELECT query_start, state_change FROM pg_stat_activity WHERE pid = :pid")
    with troupe.database.reading() as other:
        with troupe.database.reading() as connection:
            mine = backend(connection)
        before = other.execute(asked, {"pid": mine}).one()
        with troupe.database.reading() as again:
            assert again.connection.driver_connection is not None
        after = other.execute(asked, {"pid": mine}).one()

    assert before == after


def backend(connection: Any) -> int:
    found: int = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    return found


def lose(troupe: Stage, connection: Any) -> None:
    """End the server's side of a connection, as an administrator or a restart does."""
    gone = backend(connection)
    with troupe.database.writing() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": gone})
