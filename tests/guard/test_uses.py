"""Uses of permissions are counted by subject and day: exactly, in bounded memory, and added by every node."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, text
from time_machine import Traveller

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown
from rbac_api.guard.state import queries_uses, uses
from rbac_api.guard.state.uses import UseRecorder
from rbac_api.observability.metrics import USES_DROPPED
from tests.builders import OpenNode, Stage
from tests.capabilities.erasure.lives import erase
from tests.capabilities.evaluation.asking import MANY, ONE, app_on, question
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.patience import PATIENCE, eventually

NOBODY = "00000000-0000-7000-8000-000000000000"
MIDNIGHT = 20_800 * uses.DAY


def recorder(stage: Stage) -> UseRecorder:
    found: UseRecorder = stage.guard.runtime.uses
    return found


def written(stage: Stage) -> dict[tuple[str, str], int]:
    """How often each user is recorded to have used each permission."""
    recorder(stage).flush()
    rows = stage.query(
        "SELECT username, permission, sum(times) FROM permission_uses JOIN users ON users.id = user_id"
        " GROUP BY username, permission"
    )
    return {(username, permission): int(times) for username, permission, times in rows}


def days(stage: Stage) -> dict[tuple[str, bool], int]:
    recorder(stage).flush()
    rows = stage.query("SELECT day, second_factor, times FROM permission_uses ORDER BY day")
    return {(str(day), bool(second_factor)): times for day, second_factor, times in rows}


def total(stage: Stage) -> int:
    return int(stage.query("SELECT coalesce(sum(times), 0) FROM permission_uses")[0][0])


@contextmanager
def inserts(stage: Stage) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "permission_uses" in statement:
            found.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)


def test_an_allowed_decision_is_a_use_and_a_refusal_is_none(stage: Stage) -> None:
    bob, dave = stage.as_(BOB), stage.as_(DAVE)
    for _ in range(3):
        assert bob.get("/v1/users").status_code == 200
    assert bob.post("/v1/roles", json={"name": "clerk"}).status_code == 201  # decided again under the lock
    assert bob.get("/v1/roles/unknown").status_code == 404  # allowed, whatever the view answers
    assert dave.get("/v1/users").status_code == 403
    assert dave.get("/v1/me").status_code == 200  # requires no permission

    assert written(stage) == {
        ("bob", "users:read"): 3,
        ("bob", "roles:create"): 1,
        ("bob", "roles:read"): 1,
    }


def test_an_evaluation_that_allows_is_a_use_of_its_subject_and_of_its_asker(stage: Stage) -> None:
    app = app_on(stage)
    recorder(stage).forget()
    assert app.post(ONE, json=question("bob", "invoices:approve")).json == {"decision": True}
    asked = [
        question("bob", "invoices:approve"), question("dave", "invoices:approve"), question("eve", "invoices:read"),
        question("bob", "invoices:burn"), question("bob", "x" * 300 + ":y"),
    ]  # fmt: skip
    answers = app.post(MANY, json={"evaluations": asked}).json["evaluations"]

    assert [answer["decision"] for answer in answers] == [True, False, False, False, False]
    assert written(stage) == {("till", "access:evaluate"): 2, ("bob", "invoices:approve"): 2}


def test_a_question_that_no_answer_came_to_is_no_use(stage: Stage) -> None:
    app = app_on(stage)
    recorder(stage).forget()
    asked = [question("dave", "invoices:read"), question("bob", "invoices:read")]
    app.post(MANY, json={"evaluations": asked, "options": {"evaluations_semantic": "deny_on_first_deny"}})

    assert written(stage) == {("till", "access:evaluate"): 1}


def test_a_question_without_second_factor_is_counted_as_such(stage: Stage) -> None:
    app = app_on(stage)
    recorder(stage).forget()
    body = question("bob", "invoices:read")
    app.post(ONE, json=body)
    app.post(ONE, json={**body, "context": {"second_factor": False}})

    rows = stage_rows(stage)
    assert rows == [("access:evaluate", False, 2), ("invoices:read", False, 1), ("invoices:read", True, 1)]


def stage_rows(stage: Stage) -> list[tuple[str, bool, int]]:
    recorder(stage).flush()
    rows = stage.query(
        "SELECT permission, second_factor, times FROM permission_uses ORDER BY permission, second_factor"
    )
    return [(permission, bool(factor), times) for permission, factor, times in rows]


def test_what_a_client_does_with_its_secret_alone_is_a_use(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "inspector", "permissions": ["tokens:introspect"]})
    robot = make_robot(stage, "inspector")
    recorder(stage).forget()
    for form in ({"token": "x"}, {"token": "y"}):
        assert stage.caller().post("/oauth/introspect", data=form, headers=robot.basic).status_code == 200

    assert written(stage) == {(robot.name, "tokens:introspect"): 2}


def test_uses_before_and_after_midnight_are_of_two_days_however_the_clock_leaps(
    stage: Stage, time_machine: Traveller
) -> None:
    bob = stage.user_id(BOB)
    for moment in (MIDNIGHT - 0.001, MIDNIGHT, MIDNIGHT + 1, MIDNIGHT - 1, MIDNIGHT + uses.DAY):
        time_machine.move_to(moment, tick=False)
        recorder(stage).count(bob, "users:read", False)

    found = days(stage)
    assert list(found.values()) == [2, 2, 1]
    assert [day for day, _ in found] == ["2026-12-12", "2026-12-13", "2026-12-14"]
    time_machine.move_to(MIDNIGHT + 0.5, tick=False)
    recorder(stage).count(bob, "users:read", False)
    assert list(days(stage).values()) == [2, 3, 1]
    (last,) = stage.query("SELECT last_used FROM permission_uses WHERE times = 3")
    assert "00:00:01" in str(last[0])  # the later of the two, though it was written first


def test_threads_that_count_at_once_lose_nothing_while_another_writes(stage: Stage) -> None:
    """A thread that is about to count is waited for until the next time but one: twenty turns of all threads here, a minute in service."""
    bob, found = stage.user_id(BOB), recorder(stage)

    def work() -> None:
        for number in range(60_000):
            found.count(bob, f"thing:{number % 7}", False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.flush()
        time.sleep(0.1)
    found.flush()

    assert total(stage) == 240_000


def added_by_two_nodes(stage: Stage, node: OpenNode) -> int:
    """What stands in the table after two nodes have counted fifty times each for the same, and written at once, three times."""
    bob, other = stage.user_id(BOB), node()
    for _ in range(3):
        meet = threading.Barrier(2, timeout=PATIENCE)

        def write(one: UseRecorder, meet: threading.Barrier = meet) -> None:
            for permission in (f"thing:{number % 25}" for number in range(50)):
                one.count(bob, permission, False)
            meet.wait()
            one.flush()

        writers = [threading.Thread(target=write, args=(recorder(each),)) for each in (stage, other)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    return total(stage)


def test_two_nodes_add_to_the_same_count(stage: Stage, node: OpenNode) -> None:
    assert added_by_two_nodes(stage, node) == 300


def test_a_node_that_overwrites_loses_what_the_other_counted(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding = str(queries_uses._ADD[stage.engine])
    careless = adding.replace("known.times + excluded.times", "excluded.times")
    careless = careless.replace("times + excluded.times", "excluded.times")
    monkeypatch.setitem(queries_uses._ADD, stage.engine, text(careless))

    assert added_by_two_nodes(stage, node) < 300


def test_everything_is_written_in_one_statement(stage: Stage) -> None:
    bob = stage.user_id(BOB)
    for number in range(3_000):
        recorder(stage).count(bob, f"thing:{number}", False)
    with inserts(stage) as found:
        recorder(stage).flush()
        recorder(stage).flush()  # nothing more to write

    assert len(found) == 1
    assert total(stage) == 3_000


def test_a_use_of_an_unknown_or_deleted_user_is_not_written(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    recorder(stage).count(NOBODY, "users:read", False)
    recorder(stage).count(dave, "users:read", False)
    assert alice.delete_now(f"/v1/users/{dave}").status_code == 204

    found = written(stage)
    assert {name for name, _ in found} == {"alice"}
    assert total(stage) == sum(found.values())


def test_on_postgresql_it_is_written_while_another_holds_the_write_lock(stage: Stage) -> None:
    recorder(stage).count(stage.user_id(BOB), "users:read", False)
    writer = threading.Thread(target=recorder(stage).flush)
    with stage.database.writing():
        writer.start()
        writer.join(0.3 if stage.engine == "sqlite" else PATIENCE)
        assert writer.is_alive() == (stage.engine == "sqlite")  # there is one writer at a time there
    writer.join()

    assert total(stage) == 1


def test_a_flood_of_subjects_and_permissions_takes_bounded_memory_and_is_reported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "MAX_TALLIES", 100)
    bob, before = stage.user_id(BOB), USES_DROPPED._value.get()
    for number in range(1_000):
        recorder(stage).count(bob, f"thing:{number}", False)
        recorder(stage).count(bob, "thing:0", False)  # known already: it still counts

    assert len(recorder(stage)._tallies) == 100
    recorder(stage).flush()
    assert USES_DROPPED._value.get() - before == 900
    assert total(stage) == 1_100


def test_an_outage_loses_nothing_and_grows_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uses, "MAX_TALLIES", 100)
    bob, before = stage.user_id(BOB), USES_DROPPED._value.get()

    @contextmanager
    def down() -> Iterator[Any]:
        raise DatabaseDown
        yield

    with monkeypatch.context() as outage:
        outage.setattr(stage.database, "writing", down)
        outage.setattr(stage.database, "autocommit", down)
        for minute in range(3):
            for number in range(80):
                recorder(stage).count(bob, f"thing:{number + minute * 10}", False)
            recorder(stage).flush()
        assert len(recorder(stage)._unwritten) == 100

    recorder(stage).flush()
    assert total(stage) == 240
    assert USES_DROPPED._value.get() == before
    assert stage.query("SELECT count(*) FROM permission_uses") == [(100,)]


def test_beyond_what_an_outage_may_keep_uses_are_dropped_and_reported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "MAX_TALLIES", 10)
    bob, before = stage.user_id(BOB), USES_DROPPED._value.get()
    recorder(stage)._unwritten = {(bob, f"old:{number}", False, 1): (1, 1.0) for number in range(10)}
    recorder(stage).count(bob, "thing:1", False)
    recorder(stage).flush()

    assert USES_DROPPED._value.get() - before == 1
    assert total(stage) == 10


def test_a_node_writes_every_minute_and_when_it_stops(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uses, "EVERY_SECONDS", 0.01)
    other = node()
    other.as_(CAROL).get("/v1/users")
    assert eventually(lambda: total(stage) == 1)

    monkeypatch.setattr(uses, "EVERY_SECONDS", 3600)
    last = node()
    last.as_(CAROL).get("/v1/users")
    last.close()
    assert total(stage) == 2


def test_an_erasure_deletes_the_uses_of_the_user_and_of_no_other(stage: Stage) -> None:
    alice, bob, carol = stage.as_(ALICE), stage.user_id(BOB), stage.user_id(CAROL)
    for user_id in (bob, bob, carol):
        recorder(stage).count(user_id, "users:read", False)
    recorder(stage).count(bob, "roles:read", False)
    recorder(stage).flush()
    assert alice.delete_now(f"/v1/users/{bob}").status_code == 204
    assert erase(alice, bob).status_code == 204

    assert [one for one in written(stage) if one[0] != "alice"] == [("carol", "users:read")]
    assert stage.query("SELECT count(*) FROM permission_uses WHERE user_id = ?", bob) == [(0,)]


def test_the_days_are_those_of_utc(stage: Stage) -> None:
    recorder(stage).count(stage.user_id(BOB), "users:read", False)

    assert [day for day, _ in days(stage)] == [clock.now().date().isoformat()]
