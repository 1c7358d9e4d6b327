"""The chain names the first broken row, whatever was done to it, and says what a cut tail needs to be found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from rbac_api.capabilities.audit.service import trail_length, verify_trail
from rbac_api.database.queries.trail import EventRow
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.chain import Verdict, verify
from rbac_api.trail.feed import GENESIS
from rbac_api.trail.recorder import event_hash
from tests.builders import Stage

FLIP = {
    "sqlite": "UPDATE trail_events SET {0} = substr({0}, 1, 2) || '~' || substr({0}, 4) WHERE seq = 7",
    "postgresql": "UPDATE trail_events SET {0} = overlay({0} placing '~' from 3 for 1) WHERE seq = 7",
}
SWAP = (
    "UPDATE trail_events SET seq = -1 WHERE seq = 7",
    "UPDATE trail_events SET seq = 7 WHERE seq = 8",
    "UPDATE trail_events SET seq = 8 WHERE seq = -1",
)


def tamper(stage: Stage, *statements: str) -> None:
    """What somebody does who owns the database and looks away from the triggers."""
    if stage.engine == "postgresql":
        with psycopg.connect(stage.settings.database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement)
        return
    with untriggered(stage) as lite:
        for statement in statements:
            lite.execute(statement)


@contextmanager
def untriggered(stage: Stage) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(stage.database.engine.url.database or "")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    for _, text in triggers:
        connection.execute(text)
    connection.commit()
    connection.close()


def verdict(stage: Stage, **expected: str) -> Verdict:
    return verify_trail(stage.database, {int(seq[1:]): digest for seq, digest in expected.items()})


def test_a_trail_nobody_touched_is_intact(stage: Stage) -> None:
    seen: list[int] = []
    found = verify_trail(stage.database, {}, seen.append)

    assert (found.problem, found.broken_seq) == (None, None)
    assert found.seq == found.checked == trail_length(stage.database) == len(seen)
    assert found.hash == stage.query("SELECT hash FROM trail_events ORDER BY seq DESC")[0][0]


@pytest.mark.parametrize("column", ["action", "target_name", "after", "actor_name", "hash"])
def test_one_flipped_byte_is_found(stage: Stage, column: str) -> None:
    tamper(stage, FLIP[stage.engine].format(column))

    found = verdict(stage)

    assert (found.broken_seq, found.checked) == (7, 6)
    assert found.problem == "event 7 was altered: its hash does not fit its fields"


@pytest.mark.parametrize("column", ["reason", "ip", "request_id", "session_id"])
def test_a_value_where_there_was_none_is_found(stage: Stage, column: str) -> None:
    value = "01a20498-2279-743d-9646-fd9ff0e82445" if column == "session_id" else "x"
    tamper(stage, f"UPDATE trail_events SET {column} = '{value}' WHERE seq = 7")

    assert verdict(stage).broken_seq == 7


def test_a_moved_moment_is_found(stage: Stage) -> None:
    earlier = {"sqlite": "datetime(at, '-1 hour')", "postgresql": "at - interval '1 microsecond'"}
    tamper(stage, f"UPDATE trail_events SET at = {earlier[stage.engine]} WHERE seq = 7")

    assert verdict(stage).broken_seq == 7


def test_a_deleted_row_is_missed(stage: Stage) -> None:
    tamper(stage, "DELETE FROM trail_events WHERE seq = 7")

    found = verdict(stage)

    assert found.broken_seq == 8
    assert found.problem == "event 7 is missing: 8 follows 6"


def test_swapped_rows_are_found(stage: Stage) -> None:
    tamper(stage, *SWAP)

    found = verdict(stage)

    assert found.broken_seq == 7
    assert found.problem == "event 7 does not link to event 6"


def test_a_row_made_up_at_the_end_does_not_link(stage: Stage) -> None:
    copied = "at, actor_type, actor_id, actor_name, session_id, action, target_type, target_id, target_name, outcome"
    rest = "reason, before, after, ip, request_id, prev_hash, hash"
    newest = trail_length(stage.database)
    columns = f"{copied}, {rest}"
    tamper(
        stage,
        f"INSERT INTO trail_events (seq, {columns}) SELECT {newest + 1}, {columns} FROM trail_events WHERE seq = 7",
    )

    assert verdict(stage).broken_seq == newest + 1


def test_a_cut_tail_is_found_by_who_noted_an_event_outside(stage: Stage) -> None:
    newest = trail_length(stage.database)
    noted = {f"s{newest}": stage.query("SELECT hash FROM trail_events ORDER BY seq DESC")[0][0]}
    tamper(stage, f"DELETE FROM trail_events WHERE seq > {newest - 3}")

    assert verdict(stage).problem is None, "by itself a shorter chain is a good one"
    found = verdict(stage, **noted)

    assert found.broken_seq == newest
    assert (
        found.problem
        == f"event {newest} was noted outside but is not there: the tail was cut after {newest - 3}"
    )


def test_a_chain_written_anew_is_found_by_who_noted_an_event_outside(stage: Stage) -> None:
    found = verdict(stage, s7="0" * 64)

    assert found.broken_seq == 7
    assert found.problem == "event 7 is not the one that was noted outside: the chain was rewritten"


def test_the_hash_is_that_of_the_documented_text() -> None:
    event: dict[str, Any] = dict.fromkeys(EventRow._fields)
    event |= {"seq": 1, "at": "2026-11-22T17:00:00.000000Z", "action": "user.created", "prev_hash": GENESIS}

    assert canonical({"b": "é", "a": None}) == '{"a":null,"b":"é"}'
    digest = event_hash(event)
    assert verify([EventRow(**{**event, "hash": digest})]) == Verdict(1, 1, digest)
    assert replace(verify([EventRow(**{**event, "hash": "x"})]), problem=None) == Verdict(0, 0, GENESIS, 1)
