"""One's own sessions."""

from __future__ import annotations

import json

from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.signin.cookie_jar import tab_of
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


def test_dave_signs_out_everywhere(stage: Stage) -> None:
    bob, callers = stage.as_(BOB), [stage.as_(DAVE) for _ in range(3)]

    answer = callers[0].delete("/v1/me/sessions")

    assert (answer.status_code, answer.data) == (204, b"")
    assert [answers_to(stage, caller.tokens) for caller in callers] == [(401, 401)] * 3
    assert {end_of(stage, caller.tokens["session_id"]) for caller in callers} == {"logout"}
    assert answers_to(stage, bob.tokens) == (200, 200)
    (event,) = stage.events("sessions.ended")
    assert (event["actor_name"], event["target_name"], json.loads(event["after"])["count"]) == (
        "dave",
        "dave",
        3,
    )


def test_dave_signs_out_everywhere_else(stage: Stage) -> None:
    here, *others = (stage.as_(DAVE) for _ in range(3))

    assert [here.delete("/v1/me/sessions?keep=current").status_code for _ in range(2)] == [204, 204]

    assert [answers_to(stage, caller.tokens) for caller in others] == [(401, 401)] * 2
    assert answers_to(stage, here.tokens) == (200, 200)
    assert len(stage.events("sessions.ended")) == 1


def test_nothing_but_the_current_session_can_be_kept(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    for query in ("keep=all", "keep=", f"keep={dave.tokens['session_id']}", "but=current"):
        assert dave.delete(f"/v1/me/sessions?{query}").status_code == 422
    assert answers_to(stage, dave.tokens) == (200, 200)


def test_a_browser_loses_its_cookies_with_its_own_session_only(stage: Stage) -> None:
    tab, other = tab_of(stage, DAVE), tab_of(stage, DAVE)

    for path in (f"/v1/me/sessions/{other.session_id}", "/v1/me/sessions?keep=current"):
        assert "Set-Cookie" not in tab.delete(path).headers
    assert tab.delete(f"/v1/me/sessions/{tab.session_id}").status_code == 204
    assert tab.jar == {}
    tab.enter(DAVE)
    assert tab.delete("/v1/me/sessions").status_code == 204
    assert tab.jar == {}
