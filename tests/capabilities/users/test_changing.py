"""Changing users: what was read is what is overwritten, and nobody's change is lost."""

import json

import pytest

from rbac_api.capabilities.users import service
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, DAVE, MALLORY

WRITERS = 50
ROUNDS = 2


def version(stage: Stage, username: str) -> int:
    found: int = stage.query("SELECT version FROM users WHERE username = ?", username)[0][0]
    return found


def test_bob_changes_daves_profile_and_gets_the_next_etag(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"

    changed = bob.patch_now(path, {"display_name": "Dave B.", "email": "dave@example.com"})

    assert (changed.json["display_name"], changed.json["email"]) == ("Dave B.", "dave@example.com")
    assert changed.headers["ETag"] == bob.get(path).headers["ETag"]
    event = stage.events("user.updated")[-1]
    assert json.loads(event["before"]) == {"display_name": None, "email": None}
    assert json.loads(event["after"]) == {"display_name": "Dave B.", "email": "dave@example.com"}


def test_a_field_is_emptied_with_null_and_left_alone_when_absent(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    bob.patch_now(path, {"display_name": "Dave B.", "email": "dave@example.com"})

    changed = bob.patch_now(path, {"email": None}).json

    assert (changed["display_name"], changed["email"]) == ("Dave B.", None)


def test_a_change_that_changes_nothing_leaves_etag_and_trail_alone(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    tag = bob.get(path).headers["ETag"]

    for nothing in ({}, {"status": "active"}, {"display_name": None}):
        assert bob.patch(path, json=nothing, headers={"If-Match": tag}).headers["ETag"] == tag
    assert stage.events("user.updated") == []


def test_mallory_enabled_again_must_sign_in_anew(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(MALLORY)}"
    alice.patch_now(path, {"status": "active"})
    mallory = stage.as_(MALLORY)

    alice.patch_now(path, {"status": "disabled"})
    assert mallory.get("/v1/me").json["code"] == "token.revoked"
    alice.patch_now(path, {"status": "active"})

    assert mallory.get("/v1/me").json["code"] == "token.revoked"
    assert stage.as_(MALLORY).get("/v1/users").status_code == 200


def test_daves_etag_changes_with_his_roles(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    before = alice.get(path).headers["ETag"]

    alice.put(f"{path}/roles/auditor")
    between = alice.get(path).headers["ETag"]
    alice.delete(f"{path}/roles/auditor")

    assert len({before, between, alice.get(path).headers["ETag"]}) == 3


def everybody_writes(stage: Stage, editor: Caller, what: str = "Dave") -> list[int]:
    """All writers send something of their own, each with the ETag that all of them read."""
    path = f"/v1/users/{stage.user_id(DAVE)}"
    headers = {**editor.headers, "If-Match": editor.get(path).headers["ETag"]}

    def write(number: int) -> int:
        body = {"display_name": f"{what} {number}"}
        return stage.app.test_client().patch(path, json=body, headers=headers).status_code

    return together(WRITERS, write)


def test_of_fifty_who_read_the_same_one_writes_and_the_others_are_told(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    before = version(stage, "dave")

    for number in range(ROUNDS):
        statuses = everybody_writes(stage, alice, f"Round {number}, Dave")
        assert statuses.count(200) == 1
        assert set(statuses) <= {200, 412, 503}  # 503: waited too long for its turn

    assert version(stage, "dave") == before + ROUNDS
    assert len(stage.events("user.updated")) == ROUNDS


def test_without_the_check_inside_the_transaction_changes_are_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: the ETag is compared nowhere, as where a framework compares it before the transaction begins."""
    monkeypatch.setattr(service, "require_match", lambda *_: None)

    assert everybody_writes(stage, stage.as_(ALICE)).count(200) > 1
