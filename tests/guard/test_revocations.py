"""The denylist: what is written into it, in which order, for how long, and that the guard obeys it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event

from rbac_api import clock
from rbac_api.guard.revocation import queries
from rbac_api.guard.revocation.denylist import outdate, revoke
from rbac_api.guard.state.cache import Snapshot
from rbac_api.trail.recorder import SYSTEM, Target, record
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """With nothing on the denylist: setting the scene took a few things from people."""
    stage.execute("DELETE FROM revocations")
    return stage


def denylist(stage: Stage) -> list[tuple[str, str, int | None]]:
    """(kind, value, minimum) of every row, in the order of commits."""
    return stage.query("SELECT kind, value, minimum FROM revocations ORDER BY seq")


def deny(stage: Stage, jti: str) -> None:
    """Revoke one token, as whoever may does."""
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", [jti])
        record(connection, SYSTEM, "token.revoked", Target("token", jti))


def jti(caller: Caller) -> str:
    return str(claims(caller.tokens["access_token"])["jti"])


def test_a_revoked_token_is_refused_at_once_and_its_session_goes_on(stage: Stage, node: OpenNode) -> None:
    dave, elsewhere = stage.as_(DAVE), node()
    there = elsewhere.caller()
    there.tokens = dave.tokens
    assert dave.get("/v1/me").status_code == there.get("/v1/me").status_code == 200

    deny(stage, jti(dave))

    for caller in (dave, there):
        answer = caller.get("/v1/me")
        assert (answer.status_code, answer.json["code"]) == (401, "token.revoked")
    dave.tokens = refresh(stage, dave.tokens["refresh_token"]).json
    assert dave.get("/v1/me").status_code == 200


def test_a_token_revoked_while_its_request_waits_for_the_lock_writes_nothing(stage: Stage) -> None:
    bob = stage.as_(BOB)
    assert bob.get("/v1/me").status_code == 200
    answers: list[Any] = []
    waiting = threading.Thread(
        target=lambda: answers.append(bob.post("/v1/roles", json={"name": "loot"}).status_code)
    )
    with stage.database.writing() as connection:
        waiting.start()
        waiting.join(0.3)
        revoke(connection, stage.settings, "jti", [jti(bob)])
        record(connection, SYSTEM, "token.revoked", Target("token", jti(bob)))
    waiting.join()

    assert answers == [401]
    assert stage.query("SELECT count(*) FROM roles WHERE name = 'loot'") == [(0,)]


def test_what_is_denied_is_read_once_and_then_asked_of_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave, read, reads = stage.as_(DAVE), queries.list_denied_tokens, []
    monkeypatch.setattr(queries, "list_denied_tokens", lambda *a: reads.append(a) or read(*a))

    assert [dave.get("/v1/me").status_code for _ in range(5)] == [200] * 5
    assert len(reads) == 1


def race(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> int:
    """The list is read; before the reading ends, Dave's token is revoked, and that is noticed.  What his next call is answered."""
    dave, memory, read = stage.as_(DAVE), stage.guard.snapshot, queries.list_denied_tokens
    memory.forget()
    memory.freshen()
    todo = [jti(dave)]

    def slow(*arguments: Any) -> Any:
        found = read(*arguments)
        if todo:
            deny(stage, todo.pop())
            memory.freshen()
        return found

    monkeypatch.setattr(queries, "list_denied_tokens", slow)
    memory.denied()
    return int(dave.get("/v1/me").status_code)


def test_a_list_read_before_a_revocation_is_not_remembered_after_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert race(stage, monkeypatch) == 401


def test_a_memory_that_keeps_whatever_it_read_would_let_him_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin."""

    def naive(self: Snapshot, connection: Any, read: Any, keep: Any, before: Any = None) -> Any:
        with self.database.reading() as reader:
            found = read(connection or reader)
        keep(found)
        return found

    monkeypatch.setattr(Snapshot, "_read_and_keep", naive)
    assert race(stage, monkeypatch) == 200


def log_out(_stage: Stage, dave: Caller, _alice: Caller) -> None:
    dave.post("/v1/auth/logout")


def end_all(stage: Stage, _dave: Caller, alice: Caller) -> None:
    alice.delete(f"/v1/users/{stage.user_id(DAVE)}/sessions")


def reset(stage: Stage, _dave: Caller, alice: Caller) -> None:
    alice.post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")


def disable(stage: Stage, _dave: Caller, alice: Caller) -> None:
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})


def remove(stage: Stage, _dave: Caller, alice: Caller) -> None:
    alice.delete_now(f"/v1/users/{stage.user_id(DAVE)}")


def assign(stage: Stage, _dave: Caller, alice: Caller) -> None:
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")


def choose_password(stage: Stage, _dave: Caller, _alice: Caller) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    stage.as_(DAVE).post("/v1/me/password", json=body)


@pytest.mark.parametrize(
    ("happen", "kinds"),
    [
        (log_out, {"sid"}),
        (end_all, {"sid"}),
        (reset, {"sid"}),
        (disable, {"sid", "av"}),
        (remove, {"sid", "av"}),
        (assign, {"av"}),
        (choose_password, {"sid", "av"}),
    ],
)
def test_whatever_takes_something_from_dave_is_on_the_denylist(
    stage: Stage, happen: Any, kinds: set[str]
) -> None:
    dave, alice = stage.as_(DAVE), stage.as_(ALICE)
    happen(stage, dave, alice)

    version = stage.query("SELECT authorization_version FROM users WHERE username = 'dave'")[0][0]
    told = {"sid": ("sid", dave.tokens["session_id"], None), "av": ("av", stage.user_id(DAVE), version)}
    assert set(denylist(stage)) == {told[kind] for kind in kinds}


def test_a_user_without_an_active_session_has_no_token_that_could_be_out_of_date(
    stage: Stage, node: OpenNode
) -> None:
    brief = node(refresh_token_seconds=60, access_token_seconds=60)
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    alice.put(f"/v1/users/{dave}/roles/auditor")
    stage.as_(DAVE).post("/v1/auth/logout")
    stage.execute("DELETE FROM revocations")
    alice.delete(f"/v1/users/{dave}/roles/auditor")
    begun = clock.now()
    brief.as_(DAVE)
    with time_machine.travel(clock.now() + timedelta(seconds=61 + stage.settings.clock_leeway_seconds)):
        alice.put(f"/v1/users/{dave}/roles/auditor")
        assert denylist(stage) == []
    with time_machine.travel(begun + timedelta(seconds=58 + stage.settings.clock_leeway_seconds)):
        alice.delete(f"/v1/users/{dave}/roles/auditor")
        assert [row[:2] for row in denylist(stage)] == [("av", dave)]


def test_a_role_deleted_under_its_holders_raises_each_of_them(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    for person in (BOB, DAVE):
        stage.as_(person)
        alice.put(f"/v1/users/{stage.user_id(person)}/roles/clerk")
    alice.delete_now("/v1/roles/clerk?force=true")

    found = {value: minimum for kind, value, minimum in denylist(stage) if kind == "av"}
    rows = stage.query("SELECT authorization_version FROM users WHERE username IN ('bob', 'dave')")
    assert found.keys() == {stage.user_id(BOB), stage.user_id(DAVE)}
    assert sorted(found.values()) == sorted(version for (version,) in rows)


def test_numbers_go_up_in_the_order_of_commits_and_nothing_stands_there_twice(stage: Stage) -> None:
    stage.as_(DAVE)
    dave = stage.user_id(DAVE)
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", ["one", "two", "one"])
        outdate(connection, stage.settings, {dave: 2})
    with stage.database.writing() as connection:
        outdate(connection, stage.settings, {dave: 3})
        revoke(connection, stage.settings, "sid", [])

    assert stage.query("SELECT seq, value, minimum FROM revocations ORDER BY seq") == [
        (1, "one", None),
        (2, "two", None),
        (4, dave, 3),
    ]


def test_a_row_lasts_as_long_as_a_token_and_the_newest_stays_so_that_no_number_comes_again(
    stage: Stage,
) -> None:
    lifetime = stage.settings.access_token_seconds + stage.settings.clock_leeway_seconds
    until = clock.now() + timedelta(days=1)
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "kid", ["longer"], until)
        revoke(connection, stage.settings, "jti", ["old"])
        revoke(connection, stage.settings, "kid", ["longer"])
    with time_machine.travel(clock.now() + timedelta(seconds=lifetime + 1)):
        with stage.database.reading() as connection:
            assert queries.list_denied_tokens(connection, clock.now()) == frozenset()
            assert len(queries.list_live_revocations(connection, 0, clock.now())) == 1
        with stage.database.writing() as connection:
            revoke(connection, stage.settings, "jti", ["new"])
            assert queries.delete_old_revocations(connection, clock.now(), 100) == 1
    with time_machine.travel(until + timedelta(days=1)), stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", ["newest"])
        assert queries.delete_old_revocations(connection, clock.now(), 100) == 2

    assert stage.query("SELECT seq, value FROM revocations ORDER BY seq") == [(5, "newest")]


def test_what_a_transaction_denied_goes_with_it(stage: Stage) -> None:
    with pytest.raises(RuntimeError), stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", ["one"])
        raise RuntimeError
    assert denylist(stage) == []


def test_ten_thousand_sessions_are_denied_in_a_moment(stage: Stage) -> None:
    asked: list[Any] = []
    with stage.database.writing() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        revoke(connection, stage.settings, "sid", [f"session-{number}" for number in range(10_000)])
    assert len(asked) < 100, "many in a statement, and not a statement for each"
    assert stage.query("SELECT count(*), max(seq) FROM revocations") == [(10_000, 10_000)]


def test_jwt_required_on_somebody_elses_route_obeys_the_denylist_too(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    deny(stage, jti(dave))
    assert stage.guard.bearer._is_revoked(dave.tokens["session_id"], jti(dave))
    assert not stage.guard.bearer._is_revoked(dave.tokens["session_id"], "another")
