"""Signing in."""

from tests.builders import Stage
from tests.cast import ALICE, DAVE, PASSWORD


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


def test_a_wrong_password_is_refused_without_a_hint(stage: Stage) -> None:
    for name, password in (("alice", "wrong"), ("nobody", PASSWORD)):
        answer = stage.caller().post("/v1/auth/login", json={"username": name, "password": password})
        assert answer.status_code == 401
        assert answer.json["code"] == "login.failed"
