"""Looking at one's own account, and changing the profile."""

from __future__ import annotations

import pytest

from tests.builders import Stage
from tests.capabilities.signin.crowd import answers_to
from tests.cast import ALICE, BOB, BOBS_PERMISSIONS, DAVE


def test_bob_sees_his_account_what_he_may_and_this_session(stage: Stage) -> None:
    stage.as_(BOB)
    bob = stage.as_(BOB)

    me = bob.get("/v1/me").json

    assert (me["id"], me["username"], me["status"]) == (stage.user_id(BOB), "bob", "active")
    assert me["roles"] == ["role-manager"]
    assert me["permissions"] == sorted(BOBS_PERMISSIONS)
    assert (me["session"]["id"], me["session"]["state"]) == (bob.tokens["session_id"], "active")
    assert me["password_change_required"] is False


def test_dave_without_a_role_sees_that_he_may_nothing(stage: Stage) -> None:
    me = stage.as_(DAVE).get("/v1/me").json

    assert (me["roles"], me["permissions"]) == ([], [])


def test_what_bob_sees_of_himself_is_the_present_state(stage: Stage) -> None:
    bob = stage.as_(BOB)
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(BOB)}/roles/auditor")

    answer = bob.get("/v1/me")

    assert answer.json["roles"] == ["auditor", "role-manager"]
    assert "audit:read" in answer.json["permissions"]
    assert answer.headers["Authz-Stale"] == "true"


def test_nobody_in_particular_has_no_account(stage: Stage) -> None:
    for method, path in (
        ("GET", "/v1/me"),
        ("PATCH", "/v1/me"),
        ("GET", "/v1/me/sessions"),
        ("POST", "/v1/me/password"),
    ):
        assert stage.caller().call(method, path).json["code"] == "token.missing"


def test_dave_changes_his_profile(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answer = dave.patch("/v1/me", json={"display_name": "Dave Ørsted", "email": "dave@example.com"})

    assert answer.status_code == 200
    assert (answer.json["display_name"], answer.json["email"]) == ("Dave Ørsted", "dave@example.com")
    assert answer.json["session"]["id"] == dave.tokens["session_id"]
    (event,) = stage.events("user.updated")
    assert (event["actor_name"], event["target_name"]) == ("dave", "dave")
    assert "dave@example.com" in event["after"]
    assert answers_to(stage, dave.tokens) == (200, 200)


def test_dave_takes_his_address_away_again(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    dave.patch("/v1/me", json={"display_name": "Dave", "email": "dave@example.com"})

    answer = dave.patch("/v1/me", json={"email": None})

    assert (answer.json["display_name"], answer.json["email"]) == ("Dave", None)


@pytest.mark.parametrize("body", [{}, {"email": None}])
def test_changing_nothing_leaves_no_trace(stage: Stage, body: dict[str, None]) -> None:
    dave = stage.as_(DAVE)
    before = dave.get("/v1/me").json

    assert dave.patch("/v1/me", json=body).json == before
    assert stage.events("user.updated") == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "disabled"), ("roles", ["admin"]), ("username", "alice"), ("password", "x" * 20), ("password_hash", "x"), ("id", "1"),
        ("email", "no address"), ("email", "a@b@c"), ("display_name", "two\nlines"), ("display_name", "x" * 257), ("display_name", 7),
    ],
)  # fmt: skip
def test_dave_changes_nothing_else_of_himself(stage: Stage, name: str, value: object) -> None:
    dave = stage.as_(DAVE)
    before = stage.query("SELECT * FROM users ORDER BY id")

    answer = dave.patch("/v1/me", json={"display_name": "Dave", name: value})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == [f"/{name}"]
    assert stage.query("SELECT * FROM users ORDER BY id") == before
