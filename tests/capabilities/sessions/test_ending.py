"""Ending somebody's session, and what is kept of it: why, when and by whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from time_machine import Traveller

from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import answers_to, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD


def address(caller: Caller) -> str:
    return f"/v1/sessions/{caller.tokens['session_id']}"


def test_alice_revokes_daves_session_and_it_is_dead_on_the_next_request(
    stage: Stage, nodes: list[Stage]
) -> None:
    dave, other, alice = stage.as_(DAVE), stage.as_(DAVE), stage.as_(ALICE)
    newer = refresh(nodes[-1], dave.tokens["refresh_token"]).json

    answer = alice.delete(address(dave))

    assert (answer.status_code, answer.data) == (204, b"")
    for node in nodes:
        assert answers_to(node, dave.tokens) == answers_to(node, newer) == (401, 401)
    assert answers_to(stage, other.tokens) == (200, 200)


def test_a_revocation_is_recorded_with_who_did_it(stage: Stage) -> None:
    dave, bob = stage.as_(DAVE), stage.as_(BOB)
    bob.delete(address(dave))

    session = stage.as_(CAROL).get(address(dave)).json

    assert (session["state"], session["end_reason"], session["ended_by"]) == (
        "ended",
        "admin",
        {"type": "user", "id": stage.user_id(BOB), "name": "bob"},
    )
    (event,) = stage.events("session.ended")
    assert (event["actor_name"], event["target_name"], event["reason"]) == ("bob", "dave", "admin")


def test_revoking_an_ended_session_changes_nothing(stage: Stage) -> None:
    dave, alice = stage.as_(DAVE), stage.as_(ALICE)
    dave.post("/v1/auth/logout")
    before = stage.as_(CAROL).get(address(dave)).json

    assert alice.delete(address(dave)).status_code == 204
    assert alice.get(address(dave)).json == before
    assert len(stage.events("session.ended")) == 1


def test_an_expired_session_keeps_its_reason_when_somebody_revokes_it(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    frozen.shift(3600)
    alice = stage.as_(ALICE)

    alice.delete(address(dave))

    session = alice.get(address(dave)).json
    assert (session["end_reason"], session["ended_by"]) == ("idle", None)


def test_bob_cannot_end_the_session_of_somebody_stronger(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)

    for path in (address(alice), f"/v1/users/{stage.user_id(ALICE)}/sessions"):
        answer = bob.delete(path)
        assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")

    assert answers_to(stage, alice.tokens) == (200, 200)


def test_bob_may_end_his_own_by_either_way(stage: Stage) -> None:
    bob, other, third = (stage.as_(BOB) for _ in range(3))

    assert bob.delete(address(other)).status_code == 204
    assert bob.delete(f"/v1/users/{stage.user_id(BOB)}/sessions").status_code == 204

    assert [answers_to(stage, caller.tokens) for caller in (bob, other, third)] == [(401, 401)] * 3


def test_carol_and_dave_end_nobodys_session(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for caller in (stage.as_(CAROL), stage.as_(DAVE)):
        assert caller.delete(address(alice)).json["required"] == "sessions:revoke"
    assert answers_to(stage, alice.tokens) == (200, 200)


def test_a_session_that_does_not_exist_cannot_be_ended(stage: Stage) -> None:
    unknown = "/v1/sessions/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"

    assert stage.as_(ALICE).delete(unknown).json["code"] == "session.not_found"


def test_alice_ends_all_of_daves_sessions_at_once(stage: Stage) -> None:
    sessions, alice = [stage.as_(DAVE) for _ in range(3)], stage.as_(ALICE)
    path = f"/v1/users/{stage.user_id(DAVE)}/sessions"

    assert alice.delete(path).status_code == 204
    assert alice.delete(path).status_code == 204

    assert [answers_to(stage, caller.tokens) for caller in sessions] == [(401, 401)] * 3
    assert {alice.get(address(caller)).json["end_reason"] for caller in sessions} == {"admin"}
    assert len(stage.events("sessions.ended")) == 1


def is_disabled(stage: Stage, _dave: Caller) -> None:
    stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})


def is_deleted(stage: Stage, _dave: Caller) -> None:
    stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id(DAVE)}")


def is_reset(stage: Stage, _dave: Caller) -> None:
    stage.as_(ALICE).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")


def changes_his_password_elsewhere(stage: Stage, _dave: Caller) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    stage.as_(DAVE).post("/v1/me/password", json=body)


def signs_out(_stage: Stage, dave: Caller) -> None:
    dave.post("/v1/auth/logout")


def is_robbed(stage: Stage, dave: Caller) -> None:
    for _ in range(3):
        stolen, dave.tokens = dave.tokens, refresh(stage, dave.tokens["refresh_token"]).json
    refresh(stage, stolen["refresh_token"])
    assert refresh(stage, dave.tokens["refresh_token"]).status_code == 200
    refresh(stage, stolen["refresh_token"])


@pytest.mark.parametrize(
    ("happen", "reason", "by"),
    [
        (signs_out, "logout", DAVE),
        (is_disabled, "user-disabled", ALICE),
        (is_deleted, "user-deleted", ALICE),
        (is_reset, "password-change", ALICE),
        (changes_his_password_elsewhere, "password-change", DAVE),
        (is_robbed, "reuse-detected", None),
    ],
)
def test_the_end_of_a_session_says_why_and_by_whom_when_dave(
    stage: Stage, happen: Callable[[Stage, Caller], None], reason: str, by: Any
) -> None:
    dave, daves_id = stage.as_(DAVE), stage.user_id(DAVE)
    happen(stage, dave)

    session = stage.as_(CAROL).get(address(dave)).json

    assert (session["state"], session["end_reason"]) == ("ended", reason)
    assert session["ended_by"] == (by and {"type": "user", "id": stage.user_id(by), "name": by.username})
    assert session["user"] == {"id": daves_id, "username": "dave"}
    assert session["ended_at"] >= session["last_seen_at"]
