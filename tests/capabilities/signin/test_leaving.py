"""Signing in where somebody is signed in already: the cookies are replaced, so their session must end (ASVS 7.2.4)."""

from __future__ import annotations

import pytest

from tests.builders import Stage
from tests.capabilities.second_factor.device import enrolled
from tests.capabilities.signin.cookie_jar import ACCESS, REFRESH, Tab, tab_of
from tests.cast import BOB, CAROL, PASSWORD


@pytest.fixture
def bobs(stage: Stage) -> Tab:
    return tab_of(stage, BOB)


def test_signing_in_anew_leaves_no_session_behind_that_the_browser_could_not_end(
    stage: Stage, bobs: Tab
) -> None:
    before, elsewhere = bobs.session_id, tab_of(stage, BOB)
    del bobs.jar[ACCESS]  # it has run out

    bobs.enter(BOB)

    left = stage.events("session.ended")
    assert [(event["target_id"], event["reason"], event["actor_name"]) for event in left] == [
        (before, "logout", "bob")
    ]
    assert bobs.get("/v1/me").status_code == elsewhere.get("/v1/me").status_code == 200


def test_only_who_gets_other_cookies_leaves_the_session_of_the_old_ones(stage: Stage, bobs: Tab) -> None:
    body = {"username": BOB.username, "password": PASSWORD}
    enrolled(stage.as_(CAROL))
    carols = {**body, "username": CAROL.username}

    answers = [
        bobs.post("/v1/auth/login", json=body),
        bobs.post("/v1/auth/login?mode=cookie", json={**body, "password": "something else"}),
        bobs.post("/v1/auth/login?mode=cookie", json=carols),
    ]

    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert stage.events("session.ended") == []
    assert bobs.get("/v1/me").status_code == 200


@pytest.mark.parametrize("left", ["", f"{REFRESH}=rubbish", "signed out"])
def test_signing_in_is_not_spoiled_by_a_leftover_cookie(stage: Stage, bobs: Tab, left: str) -> None:
    if left == "signed out":
        left = bobs.headers["Cookie"]
        bobs.post("/v1/auth/logout")
    before = len(stage.events("session.ended"))

    tab = Tab(stage)
    tab.jar = dict(part.split("=", 1) for part in left.split("; ") if part)
    answer = tab.enter(BOB)

    assert answer.status_code == 200
    assert len(stage.events("session.ended")) == before
