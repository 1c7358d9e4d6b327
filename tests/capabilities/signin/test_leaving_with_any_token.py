"""Signing out with whatever is left of a session: {access, refresh} x {header, cookie} x {fresh, expired}, and again.

An access token lives for a quarter of an hour here, a refresh token for an hour.
"""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller

from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ask_token, make_robot
from tests.capabilities.signin.cookie_jar import ACCESS, REFRESH, Tab, tab_of
from tests.capabilities.signin.crowd import answers_to, end_of, refresh
from tests.cast import ALICE, BOB, DAVE

LOGOUT = "/v1/auth/logout"
NAMES = {"access": ACCESS, "refresh": REFRESH}


def aged(stage: Stage, frozen: Traveller, kind: str, age: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Dave's tokens, that of the kind expired if it is to be, and the newest ones of the same session, which goes on."""
    first = stage.as_(DAVE).tokens
    newest = first
    for _ in range(
        2 if age == "expired" else 0
    ):  # an access token lives for a quarter of an hour, a refresh token for one
        frozen.shift(1850 if kind == "refresh" else 451)
        newest = refresh(stage, newest["refresh_token"]).json
    return first, newest


def page(stage: Stage, kind: str, tokens: dict[str, Any]) -> Tab:
    """A page whose browser has one cookie left."""
    tab = Tab(stage)
    tab.jar = {NAMES[kind]: tokens[f"{kind}_token"]}
    tab.csrf = stage.guard.cross_site.token(tokens["session_id"])
    return tab


@pytest.mark.parametrize("age", ["fresh", "expired"])
@pytest.mark.parametrize("place", ["header", "cookie"])
@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_any_token_of_a_session_ends_it_however_old_and_wherever_it_stands(
    stage: Stage, frozen: Traveller, kind: str, place: str, age: str
) -> None:
    tokens, newest = aged(stage, frozen, kind, age)
    caller = Caller(stage)
    caller.tokens = {"access_token": tokens[f"{kind}_token"]}
    asker = caller if place == "header" else page(stage, kind, tokens)
    before = dict(getattr(asker, "jar", {}))

    answers = []
    for _ in range(2):
        answers.append(asker.post(LOGOUT))
        assert getattr(asker, "jar", {}) == {}
        if before:
            asker.jar = dict(before)  # a double click: they went along before the first answer took them

    assert [answer.status_code for answer in answers] == [204, 204]
    assert stage.query("SELECT count(*) FROM incidents") == [(0,)]
    assert answers_to(stage, newest) == (401, 401)
    assert end_of(stage, tokens["session_id"]) == "logout"
    (event,) = stage.events("session.ended")
    assert (event["actor_name"], event["actor_type"], event["reason"]) == ("dave", "user", "logout")


def test_a_page_that_signs_out_again_after_its_cookies_are_gone_is_answered_the_same(stage: Stage) -> None:
    tab = tab_of(stage, BOB)

    assert [tab.post(LOGOUT).status_code for _ in range(2)] == [204, 204]
    assert len(stage.events("session.ended")) == 1


@pytest.mark.parametrize("left", ["access", "refresh"])
def test_one_cookie_that_opens_nothing_does_not_keep_the_other_from_signing_out(
    stage: Stage, left: str
) -> None:
    tab = tab_of(stage, BOB)
    for kind, name in NAMES.items():
        if kind != left:
            tab.jar[name] = "rubbish"

    assert tab.post(LOGOUT).status_code == 204
    assert (tab.jar, end_of(stage, tab.session_id)) == ({}, "logout")


def test_cookies_that_open_nothing_are_taken_from_the_page_that_signs_out(stage: Stage) -> None:
    tab = tab_of(stage, BOB)
    tab.jar = dict.fromkeys(NAMES.values(), "rubbish")

    assert tab.post(LOGOUT).status_code == 204
    assert (tab.jar, end_of(stage, tab.session_id)) == ({}, None)


@pytest.mark.parametrize("age", [0, 901, 3601])
def test_another_page_can_sign_nobody_out(stage: Stage, frozen: Traveller, age: int) -> None:
    tab, others = tab_of(stage, BOB), tab_of(stage, DAVE)
    frozen.shift(age)
    before = dict(tab.jar)

    for csrf in (None, "", others.csrf):
        tab.csrf = csrf
        refused = tab.post(LOGOUT)
        assert (refused.status_code, refused.json["code"]) == (403, "csrf.failed")
    tab.csrf, tab.jar = None, {}
    nothing = tab.post(LOGOUT)
    tab.jar = {ACCESS: "rubbish"}
    rubbish = tab.post(LOGOUT)

    assert (nothing.status_code, nothing.json["code"]) == (401, "token.missing")
    assert (rubbish.status_code, rubbish.json["code"]) == (401, "token.invalid")
    assert all("Set-Cookie" not in answer.headers for answer in (refused, nothing, rubbish))
    tab.jar = before
    assert end_of(stage, tab.session_id) is None


@pytest.mark.parametrize("header", ["Bearer rubbish", "Bearer a, Bearer b", "Basic YTpi"])
def test_a_header_that_proves_nothing_signs_nobody_out(stage: Stage, header: str) -> None:
    tab = tab_of(stage, BOB)

    answer = tab.post(LOGOUT, headers={"Authorization": header})

    assert answer.status_code == (400 if "," in header else 401)
    assert end_of(stage, tab.session_id) is None


def test_a_session_that_was_ended_by_an_administrator_stays_ended_by_her(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")

    assert dave.post(LOGOUT).status_code == 204
    assert end_of(stage, dave.tokens["session_id"]) == "admin"


def test_a_session_that_is_not_known_here_is_left_alone(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    stage.execute("DELETE FROM refresh_tokens", "DELETE FROM sessions")  # a backup from before was restored

    assert dave.post(LOGOUT).status_code == 204
    assert stage.events("session.ended") == []


def test_signing_out_takes_nothing_in_the_body_or_the_query(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    assert dave.post(LOGOUT, json={"all": True}).status_code == 422
    assert dave.post(f"{LOGOUT}?all=true").status_code == 422
    assert dave.post(LOGOUT, json={}).status_code == 204


def test_a_program_signs_out_as_itself(stage: Stage) -> None:
    robot = Caller(stage)
    robot.tokens = {"access_token": ask_token(stage, make_robot(stage)).json["access_token"]}

    assert robot.post(LOGOUT).status_code == 204
    assert robot.get("/v1/me").status_code == 401
    (event,) = stage.events("session.ended")
    assert (event["actor_name"], event["actor_type"]) == ("invoice-robot", "service")
