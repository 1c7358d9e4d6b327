"""An erasure against what is written about the same user at the same time, and an erasure that is cut off."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert

from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.database.tables import personal_values, trail_outbox
from rbac_api.trail import personal
from rbac_api.trail.outbox import take
from rbac_api.trail.recorder import Actor, Target, append_events, prepared_events, record, record_events
from rbac_api.trail.recorder import Event as Recorded
from tests.builders import Caller, Stage
from tests.capabilities.erasure.lives import MARKS, Life, erase, found, lived, rows
from tests.cast import ALICE
from tests.patience import PATIENCE

Write = Callable[[Stage, Life], object]


def late(life: Life) -> tuple[Actor, Target]:
    """What a request of the user's knows that read the row before it was erased."""
    actor = Actor("user", life.id, life.name, None, "2001:db8:feed::9")
    return actor, Target("user", life.id, life.name)


def alone(stage: Stage, life: Life) -> None:
    actor, target = late(life)
    with stage.database.writing() as connection:
        record(connection, actor, "signin.failed", target, after={"user_agent": "zq7f late"})


def many(stage: Stage, life: Life) -> None:
    actor, target = late(life)
    with stage.database.writing() as connection:
        record_events(connection, actor, [Recorded("user.updated", target, None, {"email": "zq7f@x"})] * 3)


def through_the_outbox(stage: Stage, life: Life) -> None:
    """As a refresh on PostgreSQL; on SQLite no event waits, but it would be linked in the same way."""
    actor, target = late(life)
    happened = Recorded("token.rotated", target, None, None, {"ip": "2001:db8:feed::7"})
    [row] = prepared_events(actor, [happened])
    with stage.database.writing() as connection:
        connection.execute(insert(trail_outbox).values(id=1, **row))
    with stage.database.writing() as connection:
        append_events(connection, take(connection, 1))


WRITES: dict[str, Write] = {
    "one event": alone,
    "many events": many,
    "an event that waits": through_the_outbox,
}


def careless(connection: Connection, events: list[dict[str, Any]]) -> None:
    """The vulnerable twin of ``add_values``: it does not ask whether the user was erased."""
    for one in events:
        for part, values in enumerate(json.loads(one["personal_values"] or "[]")):
            connection.execute(insert(personal_values).values(seq=one["seq"], part=part, **values))


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_request_that_was_begun_before_the_erasure_stores_no_value_after_it(
    stage: Stage, write: Write
) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 1)
    assert erase(alice, life.id).status_code == 204
    before = len(stage.events())

    write(stage, life)

    assert len(stage.events()) > before
    assert found(rows(stage)) == []
    assert verify_trail(stage.database, {}).problem is None


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_without_asking_who_was_erased_it_would(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 1)
    erase(alice, life.id)
    monkeypatch.setattr("rbac_api.trail.recorder.add_values", careless)

    write(stage, life)

    assert found(rows(stage)) != []


def test_erasures_and_events_of_many_threads_leave_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    lives = [lived(stage, alice, number) for number in range(3)]
    begun = threading.Barrier(2 * len(lives))

    def erases(life: Life) -> int:
        begun.wait(PATIENCE)
        return int(erase(alice.again(), life.id).status_code)

    def goes_on(life: Life) -> int:
        begun.wait(PATIENCE)
        for _ in range(5):
            alone(stage, life)
        return 204

    with ThreadPoolExecutor(2 * len(lives)) as threads:
        done = [threads.submit(act, life) for life in lives for act in (erases, goes_on)]
        assert {each.result(PATIENCE) for each in done} == {204}

    assert found(rows(stage)) == []
    assert verify_trail(stage.database, {}).problem is None


def test_of_two_erasures_at_once_one_is_recorded(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 2)

    with ThreadPoolExecutor(2) as threads:
        answers = sorted(
            threads.map(lambda caller: erase(caller, life.id).status_code, (alice.again(), alice.again()))
        )

    assert answers == [204, 409]
    assert len(stage.events("user.erased")) == 1


def writes_of(stage: Stage, act: Callable[[], object]) -> list[str]:
    """The statements of an erasure that write."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            seen.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)
    return seen


class CutOff(RuntimeError):
    """The process ends here."""


def test_an_erasure_that_is_cut_off_at_any_statement_erases_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 4)
    everything = list(rows(stage))
    number = 0

    def cut(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal number
        if statement.lstrip().startswith(("INSERT", "UPDATE", "DELETE")):
            number -= 1
            if number == 0:
                raise CutOff

    event.listen(stage.database.engine, "after_cursor_execute", cut)
    try:
        for last in range(1, 9):
            number = last
            assert cut_off(alice, life) == 500
            assert list(rows(stage)) == everything
    finally:
        event.remove(stage.database.engine, "after_cursor_execute", cut)

    assert len(writes_of(stage, lambda: erase(alice, life.id))) >= 9
    assert found(rows(stage)) == []


def cut_off(caller: Caller, life: Life) -> int:
    path, body = f"/v1/users/{life.id}/erasure", {"reason": "ticket 4711"}
    return int(caller.client.post(path, json=body, headers=caller.headers).status_code)


def test_the_marks_are_those_of_the_lives(stage: Stage) -> None:
    life = lived(stage, stage.as_(ALICE), 0)

    assert all(any(mark in str(value).lower() for mark in MARKS) for value in (life.name, life.seen))
    assert personal.SALT_BYTES == 16
