"""A plan names what it takes away and is used; applying refuses that, unless it is told to; and what is then refused is what was named."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rbac_api.capabilities.policy import impact
from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import give
from tests.capabilities.evaluation.asking import MANY, app_on, question
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.policy.stories import EMPTY, apply, plan, trusted_bob
from tests.capabilities.use.scenes import day, used
from tests.cast import ALICE, BOB, CAROL, DAVE, Character
from tests.sizes import sized

CLERK = {"roles": [{"name": "clerk", "permissions": ["invoices:read", "invoices:approve"]}]}
READS = {"roles": [{"name": "clerk", "permissions": ["invoices:read"]}]}
HOLDS = {"assignments": [{"user": "dave", "role": "clerk"}]}


def clerk(stage: Stage) -> Caller:
    """Alice, who has made Dave a clerk."""
    alice = stage.as_(ALICE)
    assert apply(alice, {**CLERK, **HOLDS}).status_code == 200
    return alice


def forced(caller: Caller, document: Any, query: str = "even_if_used=true") -> Any:
    headers = {"If-Match": caller.get("/v1/policy").headers["ETag"]}
    return caller.post(f"/v1/policy/apply?{query}", json=document, headers=headers)


def pairs(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(entry["user"]["username"], entry["permission"]) for entry in found["in_use"]}


def test_a_plan_names_who_uses_what_it_takes_away(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:read", "invoices:approve", ago=2, times=3)
    used(stage, DAVE, "invoices:approve", times=4)
    used(stage, DAVE, "invoices:approve", ago=31)
    used(stage, BOB, "invoices:approve")
    [entry] = plan(alice, READS)["in_use"]

    assert entry["last_used"].startswith(day(0).isoformat())
    assert {**entry, "last_used": None} == {
        "user": {"id": stage.user_id(DAVE), "username": "dave"},
        "permission": "invoices:approve",
        "last_used": None,
        "times": 7,
    }


def test_of_two_with_the_same_roles_both_are_named(stage: Stage) -> None:
    alice = clerk(stage)
    alice.post("/v1/users", json={"username": "erin"})
    give(alice, Character("erin"), "clerk")
    for person in (DAVE, Character("erin")):
        used(stage, person, "invoices:approve")

    assert pairs(plan(alice, READS)) == {("dave", "invoices:approve"), ("erin", "invoices:approve")}


def test_applying_it_is_refused_until_it_is_told_to_take_away_what_is_used(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:approve", ago=3)
    refused = apply(alice, READS)

    assert (refused.status_code, refused.json["code"], refused.json["total"]) == (409, "policy.in_use", 1)
    assert refused.json["in_use"] == plan(alice, READS)["in_use"]
    done = forced(alice, READS)
    assert done.status_code == 200
    assert done.json["in_use"] == refused.json["in_use"]
    assert '"in_use":1' in stage.events("policy.applied")[-1]["after"]
    back = alice.post("/v1/policy/revert", json={"seq": done.json["seq"]})
    assert (back.status_code, back.json["in_use"]) == (200, [])


def test_what_was_used_longer_ago_is_taken_away(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:approve", ago=31)

    assert plan(alice, READS)["in_use"] == []
    answer = alice.post("/v1/policy/plan?used_within=31", json=READS).json
    assert pairs(answer) == {("dave", "invoices:approve")}
    assert forced(alice, READS, "used_within=31").status_code == 409
    assert apply(alice, READS).status_code == 200


@pytest.mark.parametrize("value", ["0", "3651", "x", "-1", "30.5"])
def test_a_number_of_days_that_makes_no_sense_is_refused(stage: Stage, value: str) -> None:
    answer = stage.as_(ALICE).post(f"/v1/policy/plan?used_within={value}", json=READS)

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/used_within"


def test_what_is_kept_in_another_way_is_not_taken_away(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:approve", "invoices:read")
    other = {"name": "approver", "permissions": ["invoices:approve"]}
    document = {
        "roles": [other, *READS["roles"]],
        "assignments": [{"user": "dave", "role": "approver"}],
    }

    assert plan(alice, document)["in_use"] == []


def test_what_is_used_through_an_activated_role_is_in_use(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    eligible = {"user": "dave", "role": "clerk", "mode": "eligible"}
    assert apply(alice, {**CLERK, "assignments": [eligible]}).status_code == 200
    used(stage, DAVE, "invoices:approve")
    found = plan(alice, READS)

    assert found["losses"] == []  # a new session has it only after activating the role
    assert pairs(found) == {("dave", "invoices:approve")}


def test_a_role_that_begins_to_need_a_second_factor_is_taken_from_those_without(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:read", factor=True)
    used(stage, DAVE, "invoices:approve", times=2)
    used(stage, DAVE, "invoices:approve", factor=True, times=5)
    document = {"roles": [{**CLERK["roles"][0], "requires_mfa": True}]}
    [entry] = plan(alice, document)["in_use"]

    assert (entry["permission"], entry["times"]) == ("invoices:approve", 2)
    assert pairs(plan(alice, {"roles": [{"name": "clerk", "permissions": []}]})) == {
        ("dave", "invoices:read"),
        ("dave", "invoices:approve"),
    }


def test_a_service_account_uses_too_and_never_has_a_second_factor(stage: Stage) -> None:
    alice = clerk(stage)
    robot = make_robot(stage, "clerk")
    rows = [("invoices:approve", False)]
    stage.guard.runtime.uses.forget()
    for permission, factor in rows:
        stage.guard.runtime.uses.count(robot.id, permission, factor)
    stage.guard.runtime.uses.flush()

    assert pairs(plan(alice, READS)) == {(robot.name, "invoices:approve")}
    document = {"roles": [{**CLERK["roles"][0], "requires_mfa": True}]}
    assert pairs(plan(alice, document)) == {(robot.name, "invoices:approve")}


def test_a_planner_who_may_not_read_users_learns_no_names(stage: Stage) -> None:
    clerk(stage)
    bob = trusted_bob(stage)
    used(stage, DAVE, "invoices:approve")
    stage.as_(ALICE).delete("/v1/roles/role-manager/permissions/users:read")
    [entry] = plan(bob, READS)["in_use"]

    assert entry["user"] is None
    assert entry["permission"] == "invoices:approve"


def test_what_the_steps_of_an_applied_policy_need_is_used(stage: Stage) -> None:
    clerk(stage)
    stage.guard.runtime.uses.flush()
    rows = stage.query("SELECT DISTINCT permission FROM permission_uses ORDER BY permission")

    assert [name for (name,) in rows] == ["assignments:create", "policy:apply", "policy:read", "roles:create"]


PERMISSIONS = ("invoices:read", "invoices:approve", "payments:release", "users:read", "roles:read")
ROLES = tuple(f"role-{number}" for number in range(5))
GUARDED = {"users:read": "/v1/users", "roles:read": "/v1/roles"}


def policy(chance: Random) -> dict[str, Any]:
    """A policy at random: who inherits from whom, what needs a second factor, what excludes what, who has what and how."""
    roles = [
        {
            "name": name,
            "permissions": chance.sample(PERMISSIONS, chance.randrange(4)),
            "inherits": chance.sample(ROLES[:place], chance.randrange(min(place, 2) + 1)),
            "requires_mfa": chance.random() < 0.25,
        }
        for place, name in enumerate(ROLES)
    ]
    rule = {"name": "apart", "kind": "dynamic", "roles": chance.sample(ROLES, 2), "limit": 2}
    held = [
        {"user": user, "role": role, **({"mode": "eligible"} if chance.random() < 0.3 else {})}
        for user in ("bob", "carol", "dave")
        for role in chance.sample(ROLES, chance.randrange(4))
    ]
    keep = [{"user": "alice", "role": "admin"}, {"service_account": "till", "role": "asker"}]
    asker = {"name": "asker", "permissions": ["access:evaluate"]}
    return {
        "roles": [asker, *roles],
        "constraints": [rule] if chance.random() < 0.4 else [],
        "assignments": keep + held,
    }


Request = tuple[str, str, str]
"""Who asks for what permission, and how: ``with`` or ``without`` a second factor, ``signed-in``, or ``activated``."""


class Recording:
    """Requests that are made again later, and which of them are allowed."""

    def __init__(self, stage: Stage, app: Caller) -> None:
        self._stage, self._app = stage, app

    def allowed(self, requests: list[Request]) -> set[Request]:
        asked = [one for one in requests if one[2] in ("with", "without")]
        evaluations = [
            {**question(user, permission), "context": {"second_factor": how == "with"}}
            for user, permission, how in asked
        ]
        body = {
            "evaluations": [*evaluations, question("nobody", "invoices:read")]
        }  # none would be one question
        answers = self._app.post(MANY, json=body).json["evaluations"][:-1]
        found = {one for one, answer in zip(asked, answers, strict=True) if answer["decision"]}
        return found | {one for one in requests if one[2] in ("signed-in", "activated") and self._may(one)}

    def _may(self, request: Request) -> bool:
        user, permission, how = request
        path = GUARDED[permission]
        if self._stage.as_(user).get(path).status_code == 200:
            return how == "signed-in" or not self._first
        if how == "signed-in":
            return False
        return any(self._after(user, role, path) for role in ROLES)

    _first = True  # an activation is only recorded where it is needed

    def _after(self, user: str, role: str, path: str) -> bool:
        caller = self._stage.as_(user)
        for other in ROLES:  # so that no dynamic constraint is in the way
            caller.delete(f"/v1/me/activations/{other}")
        body = {"duration": 600, "reason": "month end"}
        caller.put(f"/v1/me/activations/{role}", json=body)
        return bool(caller.get(path).status_code == 200)

    def again(self, requests: set[Request]) -> set[Request]:
        self._first = False
        return self.allowed(sorted(requests))


def everything_asked() -> list[Request]:
    users = ("bob", "carol", "dave")
    asked = [(user, name, how) for user in users for name in PERMISSIONS for how in ("with", "without")]
    return asked + [
        (user, name, how) for user in users for name in GUARDED for how in ("signed-in", "activated")
    ]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(sized(4, 300)))
def test_what_a_plan_names_is_what_is_refused_after_it(stage: Stage, seed: int) -> None:
    chance = Random(seed)
    app, alice = app_on(stage), stage.as_(ALICE)
    document = policy(chance)
    assert forced(alice, document, "prune=true&even_if_used=true").status_code == 200
    recording, uses = Recording(stage, app), stage.guard.runtime.uses
    uses.forget()
    recorded = recording.allowed(everything_asked())
    uses.flush()
    change = policy(chance)
    while (found := plan(alice, change, prune=True))["violations"]:  # by sessions with an activated role
        change = policy(chance)
    done = forced(alice, change, "prune=true&even_if_used=true")
    assert done.status_code == 200, done.json

    still = recording.again(recorded)
    refused = {(user, permission) for user, permission, _ in recorded - still}
    predicted = {one for one in pairs(found) if one[1] in PERMISSIONS and one[0] != "alice"}
    assert predicted == refused
    assert pairs(done.json) == pairs(found)


def test_of_very_many_the_first_are_listed_and_applying_is_refused(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impact, "MAX_LISTED", 2)
    monkeypatch.setattr(impact, "PORTION", 1)
    alice = clerk(stage)
    for person in (BOB, CAROL):
        give(alice, person, "clerk")
    for person in (BOB, CAROL, DAVE):
        used(stage, person, "invoices:approve")
    alice.delete("/v1/roles/role-manager/permissions/invoices:approve")

    assert pairs(plan(alice, READS)) == {("bob", "invoices:approve"), ("carol", "invoices:approve")}
    assert apply(alice, READS).json["total"] == 3


def test_an_empty_plan_takes_nothing_away(stage: Stage) -> None:
    alice = clerk(stage)
    used(stage, DAVE, "invoices:approve")
    found = plan(alice, CLERK)

    assert found["in_use"] == []
    assert found["created"] == EMPTY
