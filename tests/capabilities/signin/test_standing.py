"""What tokens from before are worth after something happened to the person: nothing more than the present state allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from time_machine import Traveller

from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import answers_to, end_of, refresh
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD, Character

SOMETHING = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"


def guarded_operations(stage: Stage) -> Iterator[tuple[str, str]]:
    """Every operation that asks for a token in our own way, with something in place of each parameter."""
    for path, methods in stage.checker.document["paths"].items():
        for method, operation in methods.items():
            if isinstance(operation, dict) and operation.get("security") and not path.startswith("/oauth/"):
                yield method.upper(), re.sub(r"\{[^}]+\}", SOMETHING, path.replace("{seq}", "1"))


def disable(stage: Stage) -> None:
    stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(BOB)}", {"status": "disabled"})


def delete(stage: Stage) -> None:
    stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id(BOB)}")


@pytest.mark.parametrize(("happen", "reason"), [(disable, "user-disabled"), (delete, "user-deleted")])
def test_bobs_old_tokens_open_nothing_at_all(
    stage: Stage, happen: Callable[[Stage], None], reason: str
) -> None:
    bob = stage.as_(BOB)
    assert bob.get("/v1/users").status_code == 200
    happen(stage)

    found = {(m, path): bob.call(m, path).status_code for m, path in guarded_operations(stage)}

    assert len(found) > 30
    left = {operation: status for operation, status in found.items() if status != 401}
    assert left == {("POST", "/v1/auth/logout"): 204}, "who signs out is signed out already"
    assert refresh(stage, bob.tokens["refresh_token"]).status_code == 401
    assert end_of(stage, bob.tokens["session_id"]) == reason


def test_bob_who_is_disabled_is_answered_like_somebody_with_a_wrong_password(stage: Stage) -> None:
    disable(stage)
    headers = {"X-Request-ID": "same"}

    right, wrong = (
        stage.caller().post("/v1/auth/login", json={"username": "bob", "password": password}, headers=headers)
        for password in (PASSWORD, "wrong")
    )

    for answer in (right, wrong):
        assert answer.headers.pop("RateLimit"), "which counts attempts"
    assert (right.status_code, right.data, str(right.headers)) == (401, wrong.data, str(wrong.headers))


def test_enabling_bob_again_does_not_revive_his_sessions(stage: Stage) -> None:
    bob, alice = stage.as_(BOB), stage.as_(ALICE)
    disable(stage)

    alice.patch_now(f"/v1/users/{stage.user_id(BOB)}", {"status": "active"})

    assert answers_to(stage, bob.tokens) == (401, 401)
    assert stage.as_(BOB).get("/v1/me").status_code == 200


def test_a_demoted_administrator_gets_nothing_done_with_the_roles_in_her_token(stage: Stage) -> None:
    first, second = stage.as_(ALICE), promoted(stage, BOB)
    assert second.get("/v1/me").json["roles"] == ["admin", "role-manager"]
    first.delete(f"/v1/users/{stage.user_id(BOB)}/roles/admin")

    created = second.post("/v1/users", json={"username": "eve", "password": NEW_PASSWORD})
    granted = second.put(f"/v1/users/{stage.user_id(DAVE)}/roles/admin")

    assert created.status_code == 201  # as the role manager he still is
    assert (granted.status_code, granted.json["code"]) == (403, "escalation.denied")
    assert second.get("/v1/audit/events").json["code"] == "access.denied"
    assert granted.headers["Authz-Stale"] == "true"


def test_a_promotion_is_in_force_on_the_next_request_too(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    assert dave.get("/v1/users").status_code == 403
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")

    answer = dave.get("/v1/users")

    assert answer.status_code == 200
    assert answer.headers["Authz-Stale"] == "true"


def test_a_changed_profile_signs_nobody_out(stage: Stage) -> None:
    bob = stage.as_(BOB)

    stage.as_(ALICE).patch_now(
        f"/v1/users/{stage.user_id(BOB)}", {"display_name": "Robert", "email": "bob@example.com"}
    )

    assert "Authz-Stale" not in bob.get("/v1/me").headers
    assert answers_to(stage, bob.tokens) == (200, 200)


def test_a_reset_ends_every_session_before_it_is_answered(stage: Stage, frozen: Traveller) -> None:
    sessions = [stage.as_(DAVE).tokens for _ in range(3)]

    stage.as_(ALICE).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")

    assert [answers_to(stage, tokens) for tokens in sessions] == [(401, 401)] * 3
    assert {end_of(stage, tokens["session_id"]) for tokens in sessions} == {"password-change"}
    answer = stage.caller().post("/v1/auth/login", json={"username": "dave", "password": PASSWORD})
    assert answer.status_code == 401


def test_nobody_inherits_the_identity_of_somebody_deleted(stage: Stage) -> None:
    alice, bob, bobs_id = stage.as_(ALICE), stage.as_(BOB), stage.user_id(BOB)
    delete(stage)

    taken = alice.post("/v1/users", json={"username": "BOB", "password": NEW_PASSWORD})
    other = alice.post("/v1/users", json={"username": "bobby", "password": NEW_PASSWORD})

    assert (taken.status_code, taken.json["code"]) == (409, "user.username_taken")
    assert other.json["id"] != bobs_id
    assert answers_to(stage, bob.tokens) == (401, 401)
    signed_in = alice.get(f"/v1/audit/events?actor={bobs_id}&action=signin.succeeded").json["items"]
    assert [event["actor"]["name"] for event in signed_in] == ["bob"]


def promoted(stage: Stage, person: Character) -> Caller:
    """Somebody who is an administrator too, with that in the token."""
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(person)}/roles/admin")
    return stage.as_(person)
