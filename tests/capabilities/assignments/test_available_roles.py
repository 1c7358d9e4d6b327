"""What a caller may assign: the list says possible exactly where the assignment then succeeds, and otherwise what the refusal says."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.capabilities.assignments import available_roles
from tests.builders import Caller, Stage, another_node
from tests.capabilities.constraints.rules import constrain, give, inherit
from tests.capabilities.second_factor.device import enrolled, sign_in, strongly
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.sizes import sized

NAMES = tuple(f"role-{number}" for number in range(9))
THINGS = (
    "invoices:read",
    "invoices:approve",
    "payments:release",
    "rbac:escalate",
    "roles:read",
    "assignments:create",
)
PEOPLE = ("erin", "frank", "grace", "heidi")
KINDS = ("static", "dynamic", "requires", "max-holders")


def listed(caller: Caller, person: str) -> dict[str, Any]:
    """What the list says of each role, read in pages."""
    found: dict[str, Any] = {}
    cursor = ""
    while True:
        answer = caller.get(f"/v1/users/{person}/available-roles?limit=5{cursor}")
        assert answer.status_code == 200, answer.text
        found |= {item["role"]: item for item in answer.json["items"]}
        if answer.json["next"] is None:
            return found
        cursor = f"&cursor={answer.json['next']}"


def attempt(caller: Caller, person: str, role: str, said: Any) -> int:
    """Assign the role, and compare what was said with what happens."""
    answer = caller.put(f"/v1/users/{person}/roles/{role}")
    if answer.status_code in (200, 201):
        assert said == {"role": role, "may": True, "because": [], "missing": []}, (person, role)
        return answer.status_code
    refusal = answer.json
    assert said["may"] is False, (person, role, refusal)
    assert said["because"][0] == {"code": refusal["code"], "detail": refusal["detail"]}
    if "missing" in refusal:
        assert said["missing"] == refusal["missing"]
    return answer.status_code


def world(stage: Stage, chance: Random) -> Caller:
    """Roles, rules and assignments at random; some of them are refused, which is as well."""
    alice = stage.as_(ALICE)
    for name in PEOPLE:
        assert alice.post("/v1/users", json={"username": name}).status_code == 201
    for name in NAMES:
        body = {
            "name": name,
            "permissions": chance.sample(THINGS, chance.randrange(3)),
            "requires_mfa": chance.random() < 0.2,
        }
        assert alice.post("/v1/roles", json=body).status_code == 201
    for _ in range(8):
        inherit(alice, *chance.sample(NAMES, 2))
    for number in range(5):
        kind = chance.choice(KINDS)
        limit = None if kind == "requires" else 2
        constrain(alice, kind, *chance.sample(NAMES, 2), limit=limit, name=f"rule-{number}")
    now = clock.now()
    soon, later = (clock.rfc3339(now + timedelta(days=days)) for days in (1, 9))
    terms: tuple[dict[str, Any], ...] = (
        {}, {}, {"mode": "eligible"}, {"starts_at": soon}, {"expires_at": later}, {"starts_at": soon, "expires_at": later},
    )  # fmt: skip
    for person in (*PEOPLE, "bob", "dave"):
        for role in chance.sample(NAMES, 3):
            give(alice, person, role, **chance.choice(terms))
    alice.patch_now("/v1/users/erin", {"status": "disabled"})
    return alice


def callers(stage: Stage, alice: Caller, chance: Random) -> list[Caller]:
    """An administrator; Bob in an ordinary session, in one with a few roles, and with a second factor and an activated role."""
    held = [role["role"] for role in alice.get("/v1/users/bob/roles").json["effective"]]
    few = stage.caller()
    few.tokens = sign_in(
        stage, BOB, roles=[name for name in held if name == "role-manager" or chance.random() < 0.5]
    ).json
    plainly = stage.as_(BOB)
    strong = strongly(stage, BOB, enrolled(plainly).code(1))
    for role in NAMES:
        strong.put(f"/v1/me/activations/{role}", json={"duration": 600, "reason": "to assign it"})
    weak = few if "access_token" in few.tokens else plainly
    return [alice, plainly, weak, strong]


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(sized(4, 60)))
def test_what_is_called_possible_succeeds_and_nothing_else_does(stage: Stage, seed: int) -> None:
    chance = Random(seed)
    alice = world(stage, chance)
    outcomes: set[int] = set()
    for caller in callers(stage, alice, chance):
        for person in chance.sample((*PEOPLE, "bob", "dave", "mallory", "alice"), 4):
            said = listed(caller, person)
            for role in chance.sample((*NAMES, "admin", "auditor", "role-manager"), 6):
                outcomes.add(status := attempt(caller, person, role, said[role]))
                said = listed(caller, person) if status == 201 else said

    assert {200, 201, 403} <= outcomes


def test_an_old_sign_in_is_said_for_every_role(stage: Stage) -> None:
    with another_node(stage, recent_signin_seconds=60) as node:
        alice = node.as_(ALICE)
        with time_machine.travel(clock.now() + timedelta(seconds=120)):
            said = listed(alice, "dave")
            for role in ("auditor", "admin"):
                assert attempt(alice, "dave", role, said[role]) == 401

    assert {item["because"][0]["code"] for item in said.values()} == {"signin.too_old"}


def test_who_may_not_assign_learns_that_and_the_rest_too(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    said = listed(carol, "bob")

    assert attempt(carol, "bob", "role-manager", said["role-manager"]) == 403
    codes = [reason["code"] for reason in said["role-manager"]["because"]]
    assert codes == ["access.denied", "escalation.denied", "target.stronger"]
    assert "roles:create" in said["role-manager"]["missing"]
    assert [reason["code"] for reason in listed(carol, "dave")["auditor"]["because"]] == ["access.denied"]


def test_names_of_roles_are_for_who_assigns_or_reads_them(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    assert dave.get("/v1/users/bob/available-roles").json["required"] == "users:read"
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["users:read"]})
    give(alice, DAVE, "reader")
    assert dave.get("/v1/users/bob/available-roles").json["required"] == "roles:read"
    alice.put("/v1/roles/reader/permissions/assignments:create")

    said = listed(dave, "carol")

    assert [role for role, item in said.items() if item["may"]] == []
    assert said["reader"]["because"][0]["code"] == "target.stronger"
    assert [role for role, item in listed(dave, "dave").items() if item["may"]] == ["reader"]
    assert alice.get("/v1/users/nobody/available-roles").status_code == 404
    assert alice.get("/v1/users/dave/available-roles?limit=1&count=true").json["total"] == len(said)


def test_a_full_role_is_said_to_be_full_and_asking_changes_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    give(alice, CAROL, "auditor")
    assert constrain(alice, "max-holders", "auditor", limit=1).status_code == 201
    before = stage.query("SELECT count(*) FROM assignments")

    said = listed(alice, "dave")["auditor"]

    assert (said["may"], said["because"][0]["code"]) == (False, "constraint.violated")
    assert attempt(alice, "dave", "auditor", said) == 409
    assert attempt(alice, "carol", "auditor", listed(alice, "carol")["auditor"]) == 200
    assert stage.query("SELECT count(*) FROM assignments") == before


def test_a_list_that_forgets_the_constraints_is_found_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The careless twin."""
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    assert constrain(alice, "requires", "clerk", "auditor").status_code == 201
    monkeypatch.setattr(available_roles, "require_assignable", lambda *_: None)

    with pytest.raises(AssertionError):
        attempt(alice, "dave", "clerk", listed(alice, "dave")["clerk"])
