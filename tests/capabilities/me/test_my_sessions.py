"""One's own sessions."""

from __future__ import annotations

from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.signin.crowd import answers_to, end_of
from tests.cast import BOB, DAVE


def test_dave_sees_his_own_active_sessions_with_this_one_marked(stage: Stage) -> None:
    stage.as_(BOB)
    gone, there, here = (stage.as_(DAVE) for _ in range(3))
    gone.post("/v1/auth/logout")

    answer = here.get("/v1/me/sessions?count=true").json

    found = [(item["id"], item["current"]) for item in answer["items"]]
    assert found == [(here.tokens["session_id"], True), (there.tokens["session_id"], False)]
    assert (answer["total"], answer["next"]) == (2, None)


def test_dave_pages_through_his_sessions(stage: Stage) -> None:
    callers = [stage.as_(DAVE) for _ in range(3)]
    first = callers[0].get("/v1/me/sessions?limit=2").json

    second = callers[0].get(f"/v1/me/sessions?limit=2&cursor={first['next']}").json

    found = [item["id"] for page in (first, second) for item in page["items"]]
    assert found == [caller.tokens["session_id"] for caller in reversed(callers)]


def test_an_idle_session_is_not_among_them(stage: Stage, frozen: Traveller) -> None:
    stage.as_(DAVE)
    frozen.shift(3600)

    here = stage.as_(DAVE)

    assert [item["id"] for item in here.get("/v1/me/sessions").json["items"]] == [here.tokens["session_id"]]


def test_dave_ends_another_session_of_his(stage: Stage) -> None:
    here, there = stage.as_(DAVE), stage.as_(DAVE)
    path = f"/v1/me/sessions/{there.tokens['session_id']}"

    assert here.delete(path).status_code == 204
    assert here.delete(path).status_code == 204

    assert answers_to(stage, there.tokens) == (401, 401)
    assert answers_to(stage, here.tokens) == (200, 200)
    assert end_of(stage, there.tokens["session_id"]) == "logout"
    assert len(stage.events("session.ended")) == 1


def test_dave_ends_the_very_session_he_speaks_from(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    assert dave.delete(f"/v1/me/sessions/{dave.tokens['session_id']}").status_code == 204
    assert dave.get("/v1/me/sessions").json["code"] == "token.revoked"


def test_somebody_elses_session_is_as_unknown_as_one_that_does_not_exist(stage: Stage) -> None:
    bob, dave = stage.as_(BOB), stage.as_(DAVE)
    same = {"X-Request-ID": "same"}

    theirs = dave.delete(f"/v1/me/sessions/{bob.tokens['session_id']}", headers=same)
    nobodys = dave.delete("/v1/me/sessions/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", headers=same)

    assert (theirs.status_code, theirs.json["code"]) == (404, "session.not_found")
    assert theirs.data == nobodys.data
    assert answers_to(stage, bob.tokens) == (200, 200)
