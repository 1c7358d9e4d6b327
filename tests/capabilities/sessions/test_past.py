"""Sessions as they were at a past time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import give, take
from tests.capabilities.oauth.robot import ask_token, make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE


def listed(caller: Caller, query: str) -> list[dict[str, Any]]:
    answer = caller.get(f"/v1/sessions?limit=200&{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["items"]
    return found


def test_a_session_is_listed_as_it_was(stage: Stage) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        dave, bob = stage.as_(DAVE), stage.as_(BOB)
        alice = stage.as_(ALICE)
        was = {state: listed(alice, f"state={state}") for state in ("active", "ended", "all")}
        before = clock.rfc3339(clock.now())
        traveller.shift(timedelta(seconds=100))
        refreshed = dave.post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
        assert refreshed.status_code == 200
        alice.delete(f"/v1/sessions/{bob.tokens['session_id']}")
        stage.as_(CAROL)
        traveller.shift(timedelta(seconds=100))

        then = {state: listed(alice, f"state={state}&at={before}") for state in was}
        now = {one["id"]: one for one in listed(alice, "state=all")}

    assert then == was
    assert then["active"] == then["all"]
    assert len(now) == len(then["all"]) + 1
    ended = now[bob.tokens["session_id"]]
    assert (ended["state"], ended["ended_by"]["name"]) == ("ended", "alice")
    assert now[dave.tokens["session_id"]]["last_seen_at"] > before


def test_a_deadline_had_passed_or_not_by_then(stage: Stage) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as traveller:
        dave = stage.as_(DAVE).tokens["session_id"]
        traveller.shift(timedelta(seconds=1800))
        active = clock.rfc3339(clock.now())
        traveller.shift(timedelta(seconds=3600))
        over = clock.rfc3339(clock.now())
        traveller.shift(timedelta(seconds=3600))
        alice = stage.as_(ALICE)

        assert [one["id"] for one in listed(alice, f"at={active}")] == [dave]
        assert listed(alice, f"at={over}") == []
        (ended,) = listed(alice, f"state=ended&at={over}")
        assert (ended["id"], ended["end_reason"]) == (dave, "idle")
        assert listed(alice, f"state=all&at={clock.rfc3339(start - timedelta(days=1))}") == []


def test_the_roles_of_the_past_count(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    give(alice, DAVE, "auditor")
    before = clock.rfc3339(clock.now())
    take(alice, DAVE, "auditor")

    assert dave.tokens["session_id"] in [one["id"] for one in listed(alice, f"role=auditor&at={before}")]
    assert dave.tokens["session_id"] not in [one["id"] for one in listed(alice, "role=auditor")]


def test_the_session_of_a_service_account_has_no_refresh_tokens_to_look_at(stage: Stage) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage)
    assert ask_token(stage, robot).status_code == 200
    moment = clock.rfc3339(clock.now())

    (session,) = (one for one in listed(alice, f"at={moment}") if one["user"]["username"] == robot.name)

    assert session["state"] == "active"


@pytest.mark.parametrize("accept", ["text/csv", "application/x-ndjson"])
def test_a_file_is_of_the_past_too(stage: Stage, accept: str) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    before = clock.rfc3339(clock.now())
    dave.post("/v1/auth/logout")

    lines = alice.get(f"/v1/sessions?at={before}", headers={"Accept": accept}).text.splitlines()

    assert any(dave.tokens["session_id"] in line and "active" in line for line in lines)
    assert alice.get("/v1/sessions?at=2999-01-01T00:00:00Z").json["errors"][0]["code"] == "at.future"
