"""``rbac:escalate`` is used where it is what allowed a change, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply, plan, trusted_bob
from tests.cast import ALICE, BOB, DAVE
from tests.guard.test_uses import recorder, written

ESCALATE = "rbac:escalate"
CLERK = {"roles": [{"name": "clerk", "permissions": ["payments:release"]}]}


def escalating_bob(stage: Stage) -> Caller:
    """Bob, who holds neither the auditor's permissions nor to release payments, but may hand them out."""
    bob = trusted_bob(stage, ESCALATE)
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    recorder(stage).flush()
    return bob


def uses(stage: Stage, name: str = "bob") -> int:
    return written(stage).get((name, ESCALATE), 0)


CHANGES: dict[str, tuple[Callable[[Stage, Caller], Any], int]] = {
    "a role that holds more": (
        lambda stage, bob: bob.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"), 1),
    "a permission": (lambda _stage, bob: bob.put("/v1/roles/clerk/permissions/payments:release"), 1),
    "an inheritance": (lambda _stage, bob: bob.put("/v1/roles/clerk/inherits/auditor"), 1),
    "a role that holds nothing": (lambda stage, bob: bob.put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk"), 0),
    "a permission that he holds": (lambda _stage, bob: bob.put("/v1/roles/clerk/permissions/users:read"), 0),
    "a policy": (lambda _stage, bob: apply(bob, CLERK), 1),
    "a policy within what he holds": (
        lambda _stage, bob: apply(bob, {"roles": [{"name": "clerk", "permissions": ["users:read"]}]}), 0),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_it_is_used_once_by_a_change_that_needs_it(stage: Stage, change: str) -> None:
    act, times = CHANGES[change]
    bob = escalating_bob(stage)

    answer = act(stage, bob)

    assert answer.status_code in (200, 201, 204), answer.text
    assert uses(stage) == times


def test_a_plan_and_a_look_at_what_is_possible_do_not_use_it(stage: Stage) -> None:
    bob = escalating_bob(stage)

    assert plan(bob, CLERK)["refusals"] == []
    assert bob.get(f"/v1/users/{stage.user_id(DAVE)}/available-roles").status_code == 200

    assert uses(stage) == 0


def test_a_caller_who_holds_all_does_not_use_it(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    made = {
        "permissions": [{"name": "tea:brew", "description": "Brew."}],
        "roles": [{"name": "brewer", "permissions": ["tea:brew"]}],
    }

    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/admin").status_code == 201
    assert alice.put(f"/v1/users/{stage.user_id(ALICE)}/roles/auditor").status_code == 201
    assert apply(alice, made).status_code == 200

    assert uses(stage, "alice") == 0


def test_to_keep_longer_what_is_held_for_a_time_uses_it(stage: Stage) -> None:
    """Bob has the auditor's permissions until an end, and gives himself the role without one."""
    bob, alice = escalating_bob(stage), stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["audit:read"]})
    alice.post("/v1/roles", json={"name": "reader-too", "permissions": ["audit:read"]})
    own = f"/v1/users/{stage.user_id(BOB)}/roles"
    assert alice.put(f"{own}/reader", json={"expires_at": "2040-01-01T00:00:00Z"}).status_code == 201

    assert bob.put(f"{own}/reader-too").status_code == 201

    assert uses(stage) > 0


def test_what_is_used_so_is_not_listed_as_unused(stage: Stage) -> None:
    bob = escalating_bob(stage)
    path = f"/v1/users/{stage.user_id(BOB)}/unused"
    assert ESCALATE in [one["permission"] for one in stage.as_(ALICE).get(path).json["items"]]

    assert bob.put("/v1/roles/clerk/permissions/payments:release").status_code in (201, 204)
    recorder(stage).flush()

    assert ESCALATE not in [one["permission"] for one in stage.as_(ALICE).get(path).json["items"]]
