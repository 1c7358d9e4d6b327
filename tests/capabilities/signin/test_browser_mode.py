"""Browser mode: tokens in cookies that no script can read, and a second proof with everything that writes.  Attacks first."""

from __future__ import annotations

import json
from http.cookies import SimpleCookie
from typing import Any

import pytest
from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.second_factor.device import enrolled
from tests.capabilities.signin.cookie_jar import ACCESS, REFRESH, Tab, tab_of
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.contract.operations import operations

ROLE = {"name": "clerk"}


@pytest.fixture
def bobs(stage: Stage) -> Tab:
    return tab_of(stage, BOB)


def codes(*answers: Any) -> set[tuple[int, str]]:
    return {(answer.status_code, answer.json["code"]) for answer in answers}


def test_another_page_that_makes_the_browser_write_is_refused(stage: Stage, bobs: Tab) -> None:
    own, alices = bobs.csrf, tab_of(stage, ALICE).csrf
    others = tab_of(stage, BOB).csrf  # another session of Bob's own
    answers = []
    for token in (None, "", alices, others, own[:-1], own + "=", own.swapcase(), f"{own},{own}", "ÿ" * 43):
        bobs.csrf = token
        answers.append(bobs.post("/v1/roles", json=ROLE))

    assert codes(*answers) == {(403, "csrf.failed")}
    assert "clerk" not in stage.guard.snapshot.graph().roles
    assert stage.events("access.refused")[-1]["actor_name"] == "bob"


def test_nothing_that_writes_listens_to_a_cookie_alone(stage: Stage) -> None:
    tab = tab_of(stage, ALICE)
    tab.csrf = None
    names = {"user_id": stage.user_id(DAVE), "session_id": stage.user_id(DAVE), "seq": "1", "code": "x.y"}
    by_cookie = {"cookieAuth": [], "csrfToken": []}
    guarded = [found for found in operations(stage.app) if by_cookie in found.described["security"]]

    for found in guarded:
        path = found.at({**dict.fromkeys(found.parameters, stage.user_id(DAVE)), **names})
        answer = tab.call(found.method, path, json=found.example())
        told = "csrf.failed" if found.own_form and "X-CSRF-TOKEN" in answer.json else answer.json["code"]
        assert (answer.status_code, told) == (403, "csrf.failed"), found.id
    assert len(guarded) > 20


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"]
)
def test_a_form_on_another_page_can_neither_write_nor_sign_anybody_in(bobs: Tab, content_type: str) -> None:
    bobs.csrf = None
    text = json.dumps({"username": "alice", "password": PASSWORD})

    written = bobs.post("/v1/roles", data='{"name": "clerk"}', content_type=content_type)
    entered = bobs.post("/v1/auth/login?mode=cookie", data=text, content_type=content_type)

    assert codes(written) == {(403, "csrf.failed")}
    assert codes(entered) == {(415, "request.not_json")}
    assert "Set-Cookie" not in entered.headers


def test_the_honest_page_works(stage: Stage, bobs: Tab) -> None:
    made = bobs.post("/v1/roles", json=ROLE)

    assert made.status_code == 201
    assert bobs.get("/v1/users").status_code == 200
    assert stage.events("role.created")[-1]["actor_name"] == "bob"


def test_a_good_header_is_not_spoiled_by_whatever_cookies_are_left(stage: Stage, bobs: Tab) -> None:
    bearer = stage.as_(CAROL).headers
    for left in (bobs.headers["Cookie"], f"{ACCESS}=rubbish; {REFRESH}=rubbish", f"{ACCESS}=a; {ACCESS}=b"):
        answer = Tab(stage).get("/v1/me", headers={**bearer, "Cookie": left})
        assert answer.json["username"] == "carol"
        assert "X-CSRF-TOKEN" not in answer.headers
    written = Tab(stage).patch(
        "/v1/me", json={"display_name": "C"}, headers={**bearer, "Cookie": bobs.headers["Cookie"]}
    )
    assert written.status_code == 200


@pytest.mark.parametrize("header", ["Bearer rubbish", "Bearer ", "Basic YTpi", "Bearer a, Bearer b"])
def test_a_good_cookie_does_not_mend_a_bad_header(bobs: Tab, header: str) -> None:
    answer = bobs.get("/v1/me", headers={"Authorization": header})

    refused = 400 if "," in header else 401
    assert answer.status_code == refused
    assert "X-CSRF-TOKEN" not in answer.headers
    assert bobs.post("/v1/auth/refresh", headers={"Authorization": header}).status_code == refused


def test_two_cookies_of_one_name_are_somebodys_doing(stage: Stage, bobs: Tab) -> None:
    eves = tab_of(stage, DAVE)
    for first, second in ((bobs, eves), (eves, bobs), (bobs, bobs)):
        tossed = f"{ACCESS}={first.jar[ACCESS]}; {ACCESS}={second.jar[ACCESS]}"
        assert codes(Tab(stage).get("/v1/me", headers={"Cookie": tossed})) == {(401, "token.invalid")}
        tossed = f"{REFRESH}={first.jar[REFRESH]}; {REFRESH}={second.jar[REFRESH]}"
        headers = {"Cookie": tossed, "X-CSRF-TOKEN": str(bobs.csrf)}
        answer = Tab(stage).post("/v1/auth/refresh", headers=headers)
        assert codes(answer) == {(401, "token.invalid")}


@pytest.mark.parametrize(
    "spelling",
    [
        "\u2003{0}={1}",
        "\xa0{0}={1}",
        "$Version=1; \t\x0b{0}={1}",
        "{0}%20={1}",
        '{0}="{1}"',
        "__host-rbac-access={1}",
        "{0} ={1}",
    ],
)
def test_a_cookie_is_known_by_its_exact_name_alone(stage: Stage, bobs: Tab, spelling: str) -> None:
    sent = spelling.format(ACCESS, bobs.jar[ACCESS]).encode().decode("latin-1")

    answer = Tab(stage).get("/v1/me", headers={"Cookie": sent})

    assert answer.status_code == 401


def test_the_refresh_cookie_is_no_access_cookie_nor_the_reverse(stage: Stage, bobs: Tab) -> None:
    access, renewing = bobs.jar[ACCESS], bobs.jar[REFRESH]

    bobs.jar = {ACCESS: renewing}
    assert codes(bobs.get("/v1/me")) == {(401, "token.invalid")}
    bobs.jar = {REFRESH: access}
    assert codes(bobs.get("/v1/me")) == {(401, "token.missing")}
    assert codes(bobs.post("/v1/auth/refresh")) == {(401, "token.invalid")}


def test_signing_in_always_begins_a_session_of_its_own(stage: Stage) -> None:
    eves = tab_of(stage, DAVE)
    planted = dict(eves.jar)

    tab = Tab(stage)
    tab.jar = dict(planted)  # what somebody planted before she signed in
    tab.enter(BOB)

    assert tab.session_id != eves.session_id
    assert not set(tab.jar.values()) & set(planted.values())
    assert codes(eves.get("/v1/me")) == {(401, "token.revoked")}  # hers was left, as by signing out
    assert tab.get("/v1/me").json["username"] == "bob"


def test_the_cookies_are_for_this_host_alone_and_for_no_script(stage: Stage, frozen: Traveller) -> None:
    answer = Tab(stage).enter(BOB)

    found = {
        name: morsel
        for line in answer.headers.getlist("Set-Cookie")
        for name, morsel in SimpleCookie(line).items()
    }
    assert found.keys() == {ACCESS, REFRESH}
    for morsel in found.values():
        assert (morsel["path"], morsel["samesite"], morsel["domain"]) == ("/", "Strict", "")
        assert morsel["secure"]
        assert morsel["httponly"]
    assert [found[name]["max-age"] for name in (ACCESS, REFRESH)] == ["900", "3600"]
    assert answer.json.keys() == {"session_id", "expires_in", "csrf_token", "password_change_required"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_reloaded_page_gets_its_token_back_from_whatever_it_reads(bobs: Tab) -> None:
    token, bobs.csrf = bobs.csrf, None

    assert bobs.get("/v1/me").headers["X-CSRF-TOKEN"] == token
    assert bobs.get("/v1/audit/events").headers["X-CSRF-TOKEN"] == token  # refused, and told nevertheless
    bobs.csrf = token
    assert "X-CSRF-TOKEN" not in bobs.post("/v1/roles", json=ROLE).headers


def test_a_page_reloaded_too_late_can_still_refresh(bobs: Tab, frozen: Traveller) -> None:
    token, bobs.csrf = bobs.csrf, None
    frozen.shift(901)
    late = bobs.get("/v1/me")
    bobs.jar.pop(ACCESS)  # as the browser does by itself
    gone = bobs.get("/v1/me")

    for answer in (late, gone):
        assert codes(answer) == {(401, "token.expired")}
        assert answer.headers["X-CSRF-TOKEN"] == token
    bobs.csrf = token
    assert codes(bobs.post("/v1/roles", json=ROLE)) == {(401, "token.expired")}
    assert bobs.post("/v1/auth/refresh").status_code == 200
    assert bobs.post("/v1/roles", json=ROLE).status_code == 201


def test_refreshing_by_cookie_rotates_the_cookies_and_keeps_the_token(bobs: Tab) -> None:
    before = dict(bobs.jar)

    answer = bobs.post("/v1/auth/refresh")

    assert answer.json.keys() == {"session_id", "expires_in", "csrf_token", "password_change_required"}
    assert (answer.json["csrf_token"], answer.json["session_id"]) == (bobs.csrf, bobs.session_id)
    assert not set(bobs.jar.values()) & set(before.values())
    assert claims(bobs.jar[REFRESH])["gen"] == 2
    assert bobs.get("/v1/me").status_code == 200


def test_another_page_cannot_make_the_browser_refresh(stage: Stage, bobs: Tab) -> None:
    for token in (None, tab_of(stage, BOB).csrf):
        bobs.csrf = token
        assert codes(bobs.post("/v1/auth/refresh")) == {(403, "csrf.failed")}
    assert stage.events("token.rotated") == []


def test_a_token_in_the_body_is_answered_in_the_body(stage: Stage, bobs: Tab) -> None:
    dave = stage.as_(DAVE)

    answer = bobs.post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})

    assert answer.json["session_id"] == dave.tokens["session_id"]
    assert "Set-Cookie" not in answer.headers


def test_a_copied_cookie_that_comes_late_ends_the_session(stage: Stage, bobs: Tab, frozen: Traveller) -> None:
    thief = Tab(stage)
    thief.jar, thief.csrf = dict(bobs.jar), bobs.csrf
    bobs.post("/v1/auth/refresh")
    frozen.shift(11)

    assert codes(thief.post("/v1/auth/refresh")) == {(401, "token.reused")}
    dead = bobs.get("/v1/me")
    assert codes(dead) == {(401, "token.revoked")}
    assert "Set-Cookie" not in dead.headers  # it may arrive after those of a new sign-in


def test_signing_out_ends_the_session_and_takes_the_cookies(stage: Stage, bobs: Tab) -> None:
    stolen = bobs.jar[REFRESH]
    refused = Tab(stage)
    refused.jar = dict(bobs.jar)
    assert codes(refused.post("/v1/auth/logout")) == {(403, "csrf.failed")}

    assert bobs.post("/v1/auth/logout").status_code == 204

    assert bobs.jar == {}
    assert codes(bobs.get("/v1/me")) == {(401, "token.missing")}
    assert refresh(stage, stolen).json["code"] == "token.revoked"


def test_signing_out_by_header_leaves_the_cookies_of_another_session(stage: Stage, bobs: Tab) -> None:
    both = {**stage.as_(CAROL).headers, "Cookie": bobs.headers["Cookie"]}

    assert "Set-Cookie" not in Tab(stage).post("/v1/auth/logout", headers=both).headers
    assert bobs.get("/v1/me").status_code == 200


def test_an_expired_refresh_cookie_is_no_hint_of_anything(bobs: Tab, frozen: Traveller) -> None:
    frozen.shift(3601)
    late = bobs.get("/v1/me")
    bobs.jar.pop(ACCESS)
    gone = bobs.get("/v1/me")

    assert (codes(late), codes(gone)) == ({(401, "token.expired")}, {(401, "token.missing")})
    assert "X-CSRF-TOKEN" not in late.headers
    assert "X-CSRF-TOKEN" not in gone.headers


def test_an_expired_header_gets_no_hint_from_a_cookie(stage: Stage, frozen: Traveller) -> None:
    carol = stage.as_(CAROL)
    frozen.shift(901)
    bobs = tab_of(stage, BOB)

    answer = Tab(stage).get("/v1/me", headers={**carol.headers, "Cookie": bobs.headers["Cookie"]})

    assert codes(answer) == {(401, "token.expired")}
    assert "X-CSRF-TOKEN" not in answer.headers


def test_a_second_factor_is_asked_for_in_a_browser_as_well(stage: Stage, frozen: Traveller) -> None:
    device = enrolled(stage.as_(DAVE))
    tab = Tab(stage)
    body = {"username": "dave", "password": PASSWORD}

    assert codes(tab.post("/v1/auth/login?mode=cookie", json=body)) == {(401, "mfa.required")}
    assert tab.jar == {}
    tab.enter(DAVE, otp=device.code(1))
    assert tab.get("/v1/me").json["session"]["amr"] == ["pwd", "otp"]


@pytest.mark.parametrize("query", ["?mode=token", "?mode=", "?mode=cookie&mode=cookie", "?cookie=1"])
def test_another_mode_is_refused(stage: Stage, query: str) -> None:
    body = {"username": "bob", "password": PASSWORD}

    assert stage.caller().post(f"/v1/auth/login{query}", json=body).status_code == 422
    assert "access_token" in stage.caller().post("/v1/auth/login?mode=header", json=body).json


@pytest.mark.large
def test_the_token_of_somebody_with_very_many_roles_still_fits_into_a_cookie(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for number in range(70):
        name = f"a-role-with-a-rather-long-name-of-its-own-number-{number:04}"
        assert alice.post("/v1/roles", json={"name": name}).status_code == 201
        assert alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/{name}").status_code == 201

    tab = tab_of(stage, BOB)

    assert 2000 < len(ACCESS) + len(tab.jar[ACCESS]) < 4096 - 260  # an RS256 signature is so much longer
    assert tab.get("/v1/users").status_code == 200
