"""A role cut to what was used is a document: planned, it takes away nothing that was used, and gives nothing to anybody."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from rbac_api.formats.strict_yaml import parse_yaml
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import EMPTY, apply, plan
from tests.capabilities.policy.test_in_use import PERMISSIONS, ROLES, forced, pairs, policy
from tests.capabilities.use.scenes import day, since, used
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.sizes import sized

PATH = "/v1/roles/lead/suggestion"


def lead(stage: Stage) -> Caller:
    """Alice, who has made Dave a lead, above an approver, a payer and a reader."""
    alice = stage.as_(ALICE)
    roles = [
        {"name": "reader", "permissions": ["invoices:read"]},
        {"name": "approver", "permissions": ["invoices:approve", "users:read"]},
        {"name": "payer", "permissions": ["payments:release", "audit:read"], "requires_mfa": True},
        {
            "name": "lead",
            "description": "Leads.",
            "permissions": ["roles:read", "keys:read"],
            "inherits": ["approver", "payer", "reader"],
        },
    ]
    document = {"roles": roles, "assignments": [{"user": "dave", "role": "lead"}]}
    assert apply(alice, document).status_code == 200
    return alice


def test_a_role_is_cut_to_what_its_holders_used(stage: Stage) -> None:
    alice = lead(stage)
    used(stage, DAVE, "invoices:read", "invoices:approve", "roles:read")
    used(stage, DAVE, "users:read", ago=100)
    used(stage, BOB, "keys:read", "audit:read")
    answer = alice.get(PATH)

    assert answer.json == {
        "roles": [
            {
                "name": "lead",
                "description": "Leads.",
                "permissions": ["invoices:approve", "roles:read"],
                "inherits": ["reader"],
            }
        ]
    }
    assert answer.headers["Use-Granularity"] == "day"
    window = answer.headers["Use-Window"]
    assert window.startswith(f"{day(90)}T00:00:00.000000Z/{day(0)}T")
    assert window.endswith(f", recorded since {day(100)}T00:00:00.000000Z")


def test_what_needs_a_second_factor_never_needs_less(stage: Stage) -> None:
    alice = lead(stage)
    used(stage, DAVE, "payments:release", factor=True)
    [role] = alice.get(PATH).json["roles"]

    assert role["inherits"] == ["payer"]  # as a whole
    assert role["permissions"] == []


def test_without_any_use_nothing_is_left(stage: Stage) -> None:
    answer = lead(stage).get(PATH)

    assert answer.json["roles"][0]["permissions"] == answer.json["roles"][0]["inherits"] == []
    assert "recorded" not in answer.headers["Use-Window"]


def test_it_comes_as_yaml_too(stage: Stage) -> None:
    alice = lead(stage)
    used(stage, DAVE, "roles:read")
    text = alice.get(f"{PATH}?since={since(3)}", headers={"Accept": "application/yaml"})

    assert text.content_type == "application/yaml; charset=utf-8"
    assert parse_yaml(text.text) == alice.get(f"{PATH}?since={since(3)}").json
    answer = alice.post("/v1/policy/plan", data=text.data, content_type="application/yaml")
    assert answer.json["summary"] == "0 to add, 1 to change, 3 to remove"


def test_a_built_in_role_and_an_unknown_one_cannot_be_cut(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    assert carol.get("/v1/roles/admin/suggestion").json["code"] == "role.system"
    assert carol.get("/v1/roles/unknown/suggestion").status_code == 404
    assert carol.get("/v1/roles/role-manager/suggestion").status_code == 200
    assert stage.as_(DAVE).get("/v1/roles/role-manager/suggestion").status_code == 403


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(sized(4, 200)))
def test_what_is_suggested_takes_away_nothing_that_was_used_and_gives_nothing(
    stage: Stage, seed: int
) -> None:
    chance, alice = Random(seed), stage.as_(ALICE)
    document = {**policy(chance), "constraints": []}
    document["assignments"] = [one for one in document["assignments"] if "service_account" not in one]
    assert forced(alice, document, "even_if_used=true").status_code == 200
    for person in (BOB, CAROL, DAVE):
        held = effective(alice, person.username)
        for permission in chance.sample(sorted(held), min(len(held), 2)):
            used(stage, person, permission, factor=True)
    for name in ROLES:
        unused = {item["permission"] for item in alice.get(f"/v1/roles/{name}/unused").json["items"]}
        suggested = alice.get(f"/v1/roles/{name}/suggestion").json
        found = plan(alice, suggested)
        assert (found["gains"], pairs(found), found["refusals"]) == ([], set(), [])
        assert apply(alice, suggested).status_code == 200
        left = set(alice.get(f"/v1/roles/{name}").json["effective_permissions"])
        assert left & unused == set() or any(role.get("requires_mfa") for role in document["roles"])
        assert plan(alice, alice.get(f"/v1/roles/{name}/suggestion").json)["changed"] == EMPTY


def effective(alice: Caller, username: str) -> set[str]:
    items: list[dict[str, Any]] = alice.get(f"/v1/users/{username}/permissions?limit=200").json["items"]
    return {item["permission"] for item in items} & set(PERMISSIONS)
