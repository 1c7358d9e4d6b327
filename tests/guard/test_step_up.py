"""Step-up (RFC 9470): what is sensitive asks for a recent sign-in, however good the token is and however often it was refreshed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask

from rbac_api import requires
from rbac_api.guard.enforcement.host_application import protect
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, DAVE
from tests.contract.operations import operations

SENSITIVE = {
    "enrol_totp", "confirm_totp", "remove_totp", "remove_user_totp", "reset_password", "assign_role", "rotate_keys", "withdraw_key",
    "create_client_secret", "assign_service_account_role", "activate_role", "apply_policy",
    "revert_policy", "create_constraint", "delete_constraint", "erase_user",
}  # fmt: skip
SOMETHING = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
CODE = "signin.too_old"


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


def kept_alive(caller: Caller, frozen: time_machine.Traveller, seconds: int) -> Caller:
    """Somebody whose page refreshes all the time."""
    for _ in range(seconds // 600):
        frozen.shift(600)
        answer = caller.post("/v1/auth/refresh", json={"refresh_token": caller.tokens["refresh_token"]})
        assert answer.status_code == 200
        caller.tokens = answer.json
    return caller


def ask(caller: Caller, operation: Any) -> Any:
    path = operation.at(dict.fromkeys(operation.parameters, SOMETHING) | {"role": "clerk"})
    return caller.call(operation.method, path, json=operation.example())


def test_exactly_the_sensitive_operations_say_that_they_ask_for_it(stage: Stage) -> None:
    named = {found.id for found in operations(stage.app) if CODE in found.codes(401)}

    assert named == SENSITIVE | {"update_me", "update_user"}  # where they move the mail address


def test_a_session_of_yesterday_gets_a_challenge_everywhere_and_changes_nothing(
    stage: Stage, frozen: time_machine.Traveller
) -> None:
    alice = kept_alive(stage.as_(ALICE), frozen, 4200)
    before = len(stage.events())

    for operation in operations(stage.app):
        if operation.id in SENSITIVE:
            answer = ask(alice, operation)
            assert (answer.status_code, answer.json["code"], answer.json["max_age"]) == (401, CODE, 3600)
            challenge = answer.headers["WWW-Authenticate"]
            assert 'error="insufficient_user_authentication"' in challenge
            assert 'max_age="3600"' in challenge
    assert len(stage.events()) == before
    assert alice.get("/v1/users").status_code == 200


def test_signing_in_anew_helps_and_refreshing_does_not(stage: Stage, frozen: time_machine.Traveller) -> None:
    alice = kept_alive(stage.as_(ALICE), frozen, 3000)
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    frozen.shift(599)
    assert alice.put(path).status_code == 201
    kept_alive(alice, frozen, 600)

    assert alice.put(path).json["code"] == CODE
    kept_alive(alice, frozen, 600)
    assert alice.put(path).json["code"] == CODE
    assert stage.as_(ALICE).put(path).status_code == 200


def test_whoever_may_not_anyway_is_told_that_first(stage: Stage, frozen: time_machine.Traveller) -> None:
    dave = kept_alive(stage.as_(DAVE), frozen, 4200)

    assert dave.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor").json["code"] == "access.denied"


def test_a_thief_with_an_old_session_cannot_move_the_mail_address(
    stage: Stage, frozen: time_machine.Traveller
) -> None:
    bob = stage.as_(BOB)
    assert bob.patch("/v1/me", json={"email": "bob@example.com"}).status_code == 200
    kept_alive(bob, frozen, 4200)

    moved = bob.patch("/v1/me", json={"email": "thief@example.com", "display_name": "B"})
    erased = bob.patch("/v1/me", json={"email": None})

    assert [answer.json["code"] for answer in (moved, erased)] == [CODE, CODE]
    assert bob.get("/v1/me").json["display_name"] is None
    assert bob.patch("/v1/me", json={"email": "bob@example.com", "display_name": "B"}).status_code == 200
    assert stage.as_(BOB).patch("/v1/me", json={"email": "new@example.com"}).status_code == 200


def test_nor_by_the_administrators_way_be_it_hers_or_anybodys(
    stage: Stage, frozen: time_machine.Traveller
) -> None:
    alice, ids = stage.as_(ALICE), [stage.user_id(person) for person in (ALICE, BOB, DAVE)]
    kept_alive(alice, frozen, 4200)

    for path in (f"/v1/users/{user_id}" for user_id in ids):
        moved = alice.patch_now(path, {"email": "thief@example.com", "display_name": "A"})
        assert (moved.status_code, moved.json["code"]) == (401, CODE)
        assert alice.get(path).json["display_name"] is None
        assert (
            alice.patch_now(path, {"email": None, "display_name": "A"}).status_code == 200
        )  # stays as it is
        assert stage.as_(ALICE).patch_now(path, {"email": "new@example.com"}).status_code == 200
        assert alice.patch_now(path, {"email": None}).json["code"] == CODE


def test_the_span_is_the_operators_to_choose(stage: Stage, frozen: time_machine.Traveller) -> None:
    app = Flask("theirs")
    guard = protect(app, replace(stage.settings, recent_signin_seconds=60))
    app.add_url_rule("/vault", "vault", requires(recent=True)(lambda: "gold"))
    dave = stage.as_(DAVE)

    early = app.test_client().get("/vault", headers=dave.headers)
    frozen.shift(61)
    late = app.test_client().get("/vault", headers=dave.headers)

    guard.close()
    assert (early.text, late.json["code"], late.json["max_age"]) == ("gold", CODE, 60)
