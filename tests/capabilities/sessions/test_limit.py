"""No user has more active sessions than RBAC_MAX_SESSIONS: one more ends the oldest."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.signin import service as signin
from tests.builders import Caller, Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.capabilities.signin.crowd import answers_to, end_of, refresh, together
from tests.cast import BOB, CAROL, DAVE

CROWD = 8


def active(stage: Stage) -> int:
    found: int = stage.query("SELECT count(*) FROM sessions WHERE ended_at IS NULL")[0][0]
    return found


def ids(callers: list[Caller]) -> list[str]:
    return [caller.tokens["session_id"] for caller in callers]


def test_the_fourth_session_ends_the_first_and_says_why(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    strict = node(max_sessions=3)
    daves = []
    for _ in range(4):
        frozen.shift(1)
        daves.append(strict.as_(DAVE))

    assert answers_to(strict, daves[0].tokens) == (401, 401)
    assert [caller.get("/v1/me").status_code for caller in daves[1:]] == [200] * 3
    session = strict.as_(CAROL).get(f"/v1/sessions/{ids(daves)[0]}").json
    assert (session["state"], session["end_reason"], session["ended_by"]) == ("ended", "session-limit", None)
    (event,) = stage.events("session.ended")
    assert (event["actor_name"], event["target_id"], event["reason"]) == (
        "dave",
        ids(daves)[0],
        "session-limit",
    )
    assert json.loads(event["after"])["user"]["username"] == "dave"


def test_the_session_that_was_ended_is_on_the_denylist(stage: Stage, node: OpenNode) -> None:
    strict = node(max_sessions=1)
    first = strict.as_(DAVE)
    strict.as_(DAVE)

    assert stage.query("SELECT value FROM revocations WHERE kind = 'sid'") == [(first.tokens["session_id"],)]


def test_with_one_session_each_sign_in_ends_the_one_before(stage: Stage, node: OpenNode) -> None:
    strict = node(max_sessions=1)
    daves = [strict.as_(DAVE) for _ in range(3)]

    assert [end_of(stage, found) for found in ids(daves)] == ["session-limit", "session-limit", None]


def test_sessions_that_are_over_do_not_count(stage: Stage, node: OpenNode, frozen: Traveller) -> None:
    strict = node(max_sessions=2)
    idle, out = strict.as_(DAVE), strict.as_(DAVE)
    out.post("/v1/auth/logout")
    frozen.shift(3601)

    daves = [strict.as_(DAVE), strict.as_(DAVE)]

    assert [end_of(stage, found) for found in ids([idle, out, *daves])] == [None, "logout", None, None]


def test_the_sessions_of_one_are_nobody_elses(stage: Stage, node: OpenNode) -> None:
    strict = node(max_sessions=1)
    people = [strict.as_(person) for person in (BOB, CAROL, DAVE)]

    assert [caller.get("/v1/me").status_code for caller in people] == [200] * 3


def test_refreshing_begins_none(stage: Stage, node: OpenNode) -> None:
    strict = node(max_sessions=1)
    dave = strict.as_(DAVE)

    assert refresh(strict, dave.tokens["refresh_token"]).status_code == 200
    assert end_of(stage, dave.tokens["session_id"]) is None


def test_a_limit_that_was_lowered_holds_from_the_next_sign_in(stage: Stage, node: OpenNode) -> None:
    for _ in range(5):
        stage.as_(DAVE)

    node(max_sessions=2).as_(DAVE)

    assert active(stage) == 2


def test_the_limit_for_people_ends_no_programs_token_and_raises_no_alarm(
    stage: Stage, node: OpenNode
) -> None:
    strict = node(max_sessions=2)
    robot = make_robot(strict, "auditor")
    calls = [as_robot(strict, robot) for _ in range(120)]

    assert {caller.get("/v1/users?limit=1").status_code for caller in calls} == {200}
    assert stage.events("session.ended") == stage.events("incident.opened") == []
    assert stage.query("SELECT count(*) FROM incidents") == [(0,)]


def test_a_wrong_password_ends_nobodys_session(stage: Stage, node: OpenNode) -> None:
    strict = node(max_sessions=1)
    dave = strict.as_(DAVE)

    strict.caller().post("/v1/auth/login", json={"username": "dave", "password": "wrong"})

    assert dave.get("/v1/me").status_code == 200


def test_of_many_who_sign_in_at_once_none_slips_past(stage: Stage, node: OpenNode) -> None:
    strict = [node(max_sessions=3, signin_queue=64) for _ in range(2 if stage.engine == "postgresql" else 1)]

    together(CROWD, lambda number: strict[number % len(strict)].as_(DAVE))

    assert active(stage) == 3


def test_who_looks_before_the_lock_lets_them_slip_past(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, user_id = sessions.queries.list_surplus, stage.user_id(DAVE)
    prove, ready, seen = signin._verify_password, threading.Barrier(CROWD), threading.local()

    def proving(clearance: Any, *args: Any) -> Any:
        proved = prove(clearance, *args)
        with clearance.work.database.reading() as connection:
            seen.surplus = look(connection, user_id, 2, sessions.clock.now())
        ready.wait(timeout=60)
        return proved

    monkeypatch.setattr(signin, "_verify_password", proving)
    monkeypatch.setattr(sessions.queries, "list_surplus", lambda *_: seen.surplus)
    twin = node(max_sessions=3, signin_queue=64)

    together(CROWD, lambda _: twin.as_(DAVE))

    assert active(stage) == CROWD
