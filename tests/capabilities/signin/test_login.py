"""Signing in."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from rbac_api.capabilities.signin import service
from tests.builders import OpenNode, Stage
from tests.capabilities.signin.crowd import claims, together
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD

UNABLE = (
    "nobody",
    "alice",
    "mallory",
    "erin",
    "frank",
)  # unknown, wrong password, disabled, without a password, deleted


def sign_in(stage: Stage, username: str, password: str = PASSWORD, **more: Any) -> TestResponse:
    headers = more.pop("headers", {})
    body = {"username": username, "password": password, **more}
    return stage.caller().post("/v1/auth/login", json=body, headers=headers)


def test_alice_signs_in_and_is_told_who_she_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    me = alice.get("/v1/me").json

    assert me["username"] == "alice"
    assert me["roles"] == ["admin"]
    assert "users:create" in me["permissions"]
    assert me["session"]["id"] == alice.tokens["session_id"]


def test_dave_may_not_list_users_and_learns_why(stage: Stage) -> None:
    answer = stage.as_(DAVE).get("/v1/users")

    assert answer.status_code == 403
    assert answer.json["required"] == "users:read"
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert stage.events("access.refused")[-1]["actor_name"] == "dave"


def test_dave_gets_a_pair_of_tokens_that_nobody_may_cache(stage: Stage) -> None:
    answer = sign_in(stage, "dave")

    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json
    assert (tokens.pop("expires_in"), tokens.pop("refresh_expires_in")) == (900, 3600)
    assert (tokens.pop("token_type"), tokens.pop("password_change_required")) == ("Bearer", False)
    assert claims(tokens.pop("access_token"))["sid"] == claims(tokens.pop("refresh_token"))["sid"]
    assert tokens.keys() == {"session_id"}


def test_the_access_token_says_what_the_contract_says_and_nothing_personal(stage: Stage) -> None:
    said = claims(stage.as_(BOB).tokens["access_token"])

    assert said.keys() == {
        "iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid", "auth_time", "type", "roles", "av"
    }  # fmt: skip
    assert (said["sub"], said["type"], said["roles"]) == (stage.user_id(BOB), "access", ["role-manager"])
    assert said["exp"] - said["iat"] == 900


@pytest.mark.parametrize("spelling", ["ALICE", "  alice\t", "ａｌｉｃｅ"])
def test_alice_may_type_her_name_as_she_likes(stage: Stage, spelling: str) -> None:
    assert claims(sign_in(stage, spelling).json["access_token"])["sub"] == stage.user_id(ALICE)


def test_dave_says_which_app_and_the_session_remembers_it(stage: Stage) -> None:
    agent = {"User-Agent": "Phone/1.0 \x7f(quiet)" + "x" * 300}
    tokens = sign_in(stage, "dave", client_id="phone", headers=agent).json

    session = stage.as_(CAROL).get(f"/v1/sessions/{tokens['session_id']}").json

    assert (session["client_id"], session["ip"]) == ("phone", "127.0.0.1")
    assert session["user_agent"] == ("Phone/1.0 (quiet)" + "x" * 300)[:256]
    assert claims(tokens["refresh_token"])["client_id"] == "phone"


def test_a_client_without_a_user_agent_is_fine(stage: Stage) -> None:
    client = stage.app.test_client()
    answer = client.post(
        "/v1/auth/login", json={"username": "dave", "password": PASSWORD}, headers={"User-Agent": ""}
    )

    found = stage.as_(CAROL).get(f"/v1/sessions/{answer.json['session_id']}")

    assert found.json["user_agent"] is None


def test_signing_in_is_noted_with_the_account_and_in_the_trail(stage: Stage) -> None:
    tokens = sign_in(stage, "dave", headers={"X-Request-ID": "the-first-of-the-day"}).json

    user = stage.as_(CAROL).get(f"/v1/users/{stage.user_id(DAVE)}").json

    assert user["last_login_at"] is not None
    (event, _) = stage.events("signin.succeeded")
    assert (event["actor_name"], event["target_type"], event["ip"]) == ("dave", "session", "127.0.0.1")
    assert event["request_id"] == "the-first-of-the-day"
    assert tokens["session_id"].replace("-", "") == event["target_id"].replace("-", "")


def test_each_sign_in_is_a_session_of_its_own(stage: Stage) -> None:
    people = [ALICE, BOB, CAROL, DAVE]

    found = together(20, lambda n: sign_in(stage, people[n % 4].username).json)

    assert len({tokens["session_id"] for tokens in found}) == 20
    assert len({claims(tokens["refresh_token"])["jti"] for tokens in found}) == 20
    for number, tokens in enumerate(found):
        assert claims(tokens["access_token"])["sub"] == stage.user_id(people[number % 4])


def test_every_failed_sign_in_looks_the_same_and_the_trail_knows_why(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for name in ("erin", "frank"):
        assert alice.post("/v1/users", json={"username": name}).status_code == 201
    assert alice.delete_now(f"/v1/users/{stage.user_id('frank')}").status_code == 204

    answers = [
        sign_in(stage, name, "wrong" if name == "alice" else PASSWORD, headers={"X-Request-ID": "same"})
        for name in UNABLE
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.headers.pop("RateLimit") for answer in answers), "which counts attempts"
    assert len({answer.data for answer in answers}) == len({str(answer.headers) for answer in answers}) == 1
    assert answers[0].json["code"] == "login.failed"
    reasons = [event["reason"] for event in stage.events("signin.failed")]
    assert reasons == ["unknown user", "wrong password", "disabled", "no password set", "unknown user"]


def test_signing_in_takes_no_other_fields(stage: Stage) -> None:
    answer = sign_in(stage, "dave", role="admin", session_id="mine")

    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json["errors"]} == {"/role", "/session_id"}


def test_many_sign_ins_at_once_while_the_hash_is_renewed_all_succeed(stage: Stage, node: OpenNode) -> None:
    costlier = node(password_cost=5, hashers=8)

    answers = together(12, lambda _: sign_in(costlier, "dave"))

    assert [answer.status_code for answer in answers] == [200] * 12
    (stored,) = stage.query("SELECT password_hash FROM users WHERE username = 'dave'")[0]
    assert stored.startswith("p1$$2b$05$")
    assert sign_in(costlier, "dave").status_code == 200


@pytest.mark.parametrize(("again", "reasons"), [(False, ["disabled"]), (True, [])], ids=["once", "each time"])
def test_dave_who_is_disabled_while_his_password_is_compared_does_not_get_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, again: bool, reasons: list[str]
) -> None:
    prove = service._verify_password

    def prove_slowly(*given: Any) -> Any:
        if again:
            stage.execute("UPDATE users SET status = 'active' WHERE username = 'dave'")
        proven = prove(*given)
        stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'dave'")
        return proven

    monkeypatch.setattr(service, "_verify_password", prove_slowly)

    assert sign_in(stage, "dave").json["code"] == "login.failed"
    assert stage.query("SELECT count(*) FROM sessions") == [(0,)]
    assert [event["reason"] for event in stage.events("signin.failed")] == reasons
