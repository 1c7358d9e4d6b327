"""What was true then: the same reads, with another time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, CAROL, DAVE


def moment() -> str:
    return clock.rfc3339(clock.now())


def dave_at(alice: Caller, stage: Stage, at: str | None = None) -> Any:
    return alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles" + (f"?at={at}" if at else ""))


def test_daves_roles_are_told_as_they_were(stage: Stage) -> None:
    alice, roles = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    first = moment()
    alice.put(f"{roles}/auditor", json={"reason": "first"})
    second = moment()
    alice.delete(f"{roles}/auditor")
    alice.put(f"{roles}/role-manager")
    now = dave_at(alice, stage).json

    assert dave_at(alice, stage, first).json == {"direct": [], "effective": [], "permissions": []}
    then = dave_at(alice, stage, second).json
    assert [(held["role"], held["reason"]) for held in then["direct"]] == [("auditor", "first")]
    assert (then["effective"], "audit:read" in then["permissions"]) == (
        [{"role": "auditor", "via": ["auditor"]}],
        True,
    )
    assert [held["role"] for held in now["direct"]] == ["role-manager"]
    assert dave_at(alice, stage, moment()).json == now


def test_what_is_to_begin_later_is_told_once_it_was_known_and_not_if_it_was_taken_back(stage: Stage) -> None:
    alice, roles = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    before = moment()
    alice.put(f"{roles}/auditor", json={"starts_at": clock.rfc3339(clock.now() + timedelta(hours=1))})
    after = moment()

    assert dave_at(alice, stage, before).json["direct"] == []
    planned = dave_at(alice, stage, after).json
    assert ([held["role"] for held in planned["direct"]], planned["effective"]) == (["auditor"], [])
    alice.delete(f"{roles}/auditor")
    assert dave_at(alice, stage, moment()).json["direct"] == []


def test_somebody_who_was_deleted_is_told_of_as_of_before(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    made = alice.post("/v1/users", json={"username": "erin"})
    erin = made.headers["Location"]
    assert (
        alice.get(f"{erin}/roles?at={made.json['created_at']}").status_code == 404
    )  # not yet told in the trail
    alice.put(f"{erin}/roles/auditor")
    alive = moment()
    alice.patch_now(erin, {"status": "disabled"})
    disabled = moment()
    alice.delete_now(erin)

    assert alice.get(f"{erin}/roles?at={alive}").json["effective"] != []
    told = alice.get(f"{erin}/roles?at={disabled}").json
    assert ([held["role"] for held in told["direct"]], told["effective"]) == (["auditor"], [])
    for path in (f"{erin}/roles", f"{erin}/roles?at={moment()}"):
        assert (alice.get(path).status_code, alice.get(path).json["code"]) == (404, "user.not_found")


def test_a_service_accounts_roles_are_told_as_they_were(stage: Stage) -> None:
    alice, before, robot = stage.as_(ALICE), moment(), make_robot(stage)
    empty = moment()
    alice.put(f"{robot.path}/roles/auditor")
    full = moment()
    alice.patch_now(robot.path, {"status": "disabled"})
    alice.delete_now(robot.path)

    assert alice.get(f"{robot.path}/roles?at={before}").json["code"] == "service_account.not_found"
    assert alice.get(f"{robot.path}/roles?at={empty}").json["direct"] == []
    assert alice.get(f"{robot.path}/roles?at={full}").json["effective"] != []
    assert alice.get(f"{robot.path}/roles").status_code == 404


def test_a_role_is_told_as_it_was_and_has_no_etag_then(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "description": "first", "permissions": ["invoices:read"]})
    alice.post("/v1/roles", json={"name": "payer", "permissions": ["payments:release"]})
    first, shown = moment(), alice.get("/v1/roles/clerk")
    alice.patch_now("/v1/roles/clerk", {"description": "second"})
    alice.patch_now("/v1/roles/clerk", {"description": "third", "requires_mfa": True})
    alice.put("/v1/roles/clerk/inherits/payer")
    alice.delete("/v1/roles/clerk/permissions/invoices:read")
    second, later = moment(), alice.get("/v1/roles/clerk").json
    alice.delete_now("/v1/roles/clerk")
    gone = moment()
    alice.post("/v1/roles", json={"name": "clerk", "description": "another"})
    alice.patch_now("/v1/roles/clerk", {"description": "another, changed"})

    as_of = {at: alice.get(f"/v1/roles/clerk?at={at}") for at in (first, second, gone)}

    same = {"updated_at": None}  # by the clock of the trail, a little later
    assert as_of[first].json | same == shown.json | same
    assert as_of[second].json | same == later | same
    assert as_of[first].json["updated_at"] < first < as_of[second].json["updated_at"] < second
    assert as_of[gone].json["code"] == "role.not_found"
    assert "ETag" not in as_of[first].headers
    assert (
        alice.get(f"/v1/roles/clerk?at={first}", headers={"If-None-Match": shown.headers["ETag"]}).status_code
        == 200
    )
    assert alice.get("/v1/roles/clerk").headers["ETag"]


def test_constraints_that_bound_then_are_those_that_bind_in_the_answer(stage: Stage) -> None:
    alice, first = stage.as_(ALICE), moment()
    for name in ("clerk", "payer"):
        alice.post("/v1/roles", json={"name": name, "permissions": ["invoices:read"]})
        alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{name}")
    before = moment()
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "payer"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    during = moment()
    assert alice.delete("/v1/constraints/apart").status_code == 204

    asked = f"/v1/users/{stage.user_id(DAVE)}/access?permission=invoices:read&at="
    decisions = [alice.get(asked + at).json["decision"] for at in (first, before, during, moment())]

    assert decisions == [False, True, False, True]


def test_a_session_tells_what_is_active_in_it(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk")
    path = f"/v1/sessions/{dave.tokens['session_id']}"

    told = stage.as_(CAROL).get(path).json
    assert (told["active_roles"], told["permissions"]) == (["clerk"], ["invoices:read"])
    dave.post("/v1/auth/logout")
    ended = stage.as_(CAROL).get(path).json
    assert (ended["state"], ended["active_roles"], ended["permissions"]) == ("ended", [], [])
