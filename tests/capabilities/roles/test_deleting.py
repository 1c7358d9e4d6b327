"""Deleting roles: grants do not survive, and a later role of the same name is another one."""

import json
from typing import Any

import pytest
from sqlalchemy import event

from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY

HOLDERS = (BOB, CAROL, DAVE)


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made the role clerk and given it to three people."""
    found = stage.as_(ALICE)
    found.post("/v1/roles", json={"name": "clerk", "permissions": ["payments:release"]})
    for person in HOLDERS:
        found.put(f"/v1/users/{stage.user_id(person)}/roles/clerk")
    return found


def may_release(callers: list[Caller]) -> list[bool]:
    return ["payments:release" in caller.get("/v1/me").json["permissions"] for caller in callers]


def test_a_role_that_is_held_is_not_deleted(stage: Stage, alice: Caller) -> None:
    answer = alice.delete_now("/v1/roles/clerk")

    assert (answer.status_code, answer.json["code"]) == (409, "role.in_use")
    assert may_release([stage.as_(person) for person in HOLDERS]) == [True] * 3


def test_deleted_by_force_it_is_gone_for_all_on_their_next_request(stage: Stage, alice: Caller) -> None:
    callers = [stage.as_(person) for person in HOLDERS]

    assert alice.delete_now("/v1/roles/clerk?force=true").status_code == 204

    assert may_release(callers) == [False] * 3
    assert {caller.get("/v1/me").headers["Authz-Stale"] for caller in callers} == {"true"}
    assert alice.get("/v1/roles/clerk").status_code == 404
    ended = [event for event in stage.events("assignment.ended") if event["reason"] == "role deleted"]
    assert [event["target_name"] for event in ended] == ["bob", "carol", "dave"]
    deleted = stage.events("role.deleted")
    assert [event["seq"] for event in deleted] == [ended[-1]["seq"] + 1]
    assert json.loads(deleted[0]["before"])["permissions"] == ["payments:release"]


def test_nobody_holds_a_role_made_anew_under_the_old_name(stage: Stage, alice: Caller) -> None:
    alice.delete_now("/v1/roles/clerk?force=true")

    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["payments:release"]})

    assert may_release([stage.as_(person) for person in HOLDERS]) == [False] * 3
    assert alice.get("/v1/users?role=clerk").json["items"] == []
    assert alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json["direct"] == []


def test_a_role_made_anew_neither_inherits_nor_is_inherited(stage: Stage, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/clerk")
    alice.put("/v1/roles/clerk/inherits/auditor")
    alice.delete_now("/v1/roles/clerk?force=true")

    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["payments:release"]})

    assert alice.get("/v1/roles/clerk").json["inherits"] == []
    assert alice.get("/v1/roles/chief").json["effective_permissions"] == []


def test_a_role_that_another_inherits_is_in_use_too(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/clerk")

    assert alice.delete_now("/v1/roles/clerk").json["code"] == "role.in_use"
    assert alice.delete_now("/v1/roles/chief").status_code == 204
    assert alice.delete_now("/v1/roles/clerk").status_code == 204


def test_a_role_held_only_by_somebody_disabled_is_in_use(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    alice.put(f"/v1/users/{stage.user_id(MALLORY)}/roles/clerk")

    assert alice.delete_now("/v1/roles/clerk").json["code"] == "role.in_use"


def test_bob_cannot_by_force_take_a_role_from_somebody_stronger(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    bob.post("/v1/roles", json={"name": "clerk"})
    alice.put(f"/v1/users/{stage.user_id(ALICE)}/roles/clerk")

    answer = bob.delete_now("/v1/roles/clerk?force=true")

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert "clerk" in alice.get("/v1/me").json["roles"]


def test_bob_cannot_by_force_take_a_role_out_of_a_stronger_one(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    bob.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.post("/v1/roles", json={"name": "chief", "permissions": ["payments:release"]})
    alice.put("/v1/roles/chief/inherits/clerk")

    answer = bob.delete_now("/v1/roles/clerk?force=true")

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert answer.json["missing"] == ["payments:release"]
    assert alice.get("/v1/roles/chief").json["inherits"] == ["clerk"]


def test_a_role_that_many_hold_goes_in_as_few_statements_as_one_that_few_hold(
    stage: Stage, alice: Caller
) -> None:
    alice.post("/v1/roles", json={"name": "lonely"})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/lonely")

    assert statements_of_deleting(stage, alice, "clerk") == statements_of_deleting(stage, alice, "lonely")


def statements_of_deleting(stage: Stage, caller: Caller, role: str) -> int:
    """How often assignments were asked for or changed, and how often the trail was written to."""
    asked: list[str] = []

    def note(*happened: Any) -> None:
        if "assignments" in happened[2] or "INSERT INTO trail_events" in happened[2]:
            asked.append(happened[2])

    stage.guard.snapshot.forget()  # what it remembers from before would spare it statements
    event.listen(stage.database.engine, "before_cursor_execute", note)
    answer = caller.delete_now(f"/v1/roles/{role}?force=true")
    event.remove(stage.database.engine, "before_cursor_execute", note)
    assert answer.status_code == 204
    return len(asked)


def test_force_is_true_or_false_and_nothing_else(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})

    assert alice.delete_now("/v1/roles/clerk?force=yes").status_code == 422
    assert alice.delete_now("/v1/roles/clerk?force=false").status_code == 204
