"""Undoing a policy: everything it changed, or nothing; not what somebody changed since."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine

from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import TEA, apply, everything, export, plan, trusted_bob
from tests.cast import ALICE, BOB, DAVE


def revert(caller: Caller, seq: int) -> Any:
    return caller.post("/v1/policy/revert", json={"seq": seq})


def test_what_was_applied_is_undone_to_the_byte(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = alice.get("/v1/policy").data
    seq = apply(alice, TEA).json["seq"]

    done = revert(alice, seq)

    assert (done.status_code, done.json["summary"]) == (200, "0 to add, 0 to change, 7 to remove")
    assert alice.get("/v1/policy").data == first
    assert stage.events()[-1]["action"] == "policy.reverted"
    assert stage.as_(DAVE).get("/v1/me").json["permissions"] == []


def test_what_was_pruned_and_changed_comes_back(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, TEA)
    before = alice.get("/v1/policy").data
    rest = [entry for entry in export(alice)["assignments"] if entry["user"] != "carol"]
    changed = {
        "permissions": [{"name": "invoices:read", "description": "Read."}],
        "roles": [{"name": "role-manager", "permissions": ["invoices:read"]}],
        "constraints": [],
        "assignments": [entry for entry in rest if entry["role"] in ("admin", "role-manager")],
    }

    done = apply(alice, changed, prune=True)

    assert done.status_code == 200, done.json
    assert alice.get("/v1/policy").data != before
    undone = revert(alice, done.json["seq"])
    assert undone.status_code == 200, undone.json
    assert alice.get("/v1/policy").data == before


def test_it_is_undone_once(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    seq = apply(alice, TEA).json["seq"]
    revert(alice, seq)
    before = everything(stage)

    assert (revert(alice, seq).status_code, revert(alice, seq).json["code"]) == (409, "policy.reverted")
    for unknown in (seq - 1, 10**12):
        assert (revert(alice, unknown).status_code, revert(alice, unknown).json["code"]) == (
            404,
            "policy.not_found",
        )
    assert everything(stage) == before


SINCE: dict[str, tuple[str, str, Any, str]] = {
    "a permission was put into a role it made": (
        "PUT", "/v1/roles/brewer/permissions/payments:release", None, "role brewer: payments:release"),
    "a permission it made is held elsewhere": (
        "PUT", "/v1/roles/role-manager/permissions/tea:brew", None, "role role-manager: tea:brew"),
    "a role it made inherits something": (
        "PUT", "/v1/roles/brewer/inherits/auditor", None, "role brewer: auditor"),
    "an inheritance it made is gone": (
        "DELETE", "/v1/roles/head-brewer/inherits/brewer", None, "role head-brewer: brewer"),
    "an assignment it made is gone": (
        "DELETE", "/v1/users/{dave}/roles/head-brewer", None, "assignment user dave head-brewer"),
    "an assignment has other terms": (
        "PUT", "/v1/users/{dave}/roles/head-brewer", {"reason": "Other"}, "assignment user dave head-brewer: reason"),
    "a rule it made is gone": ("DELETE", "/v1/constraints/no-tea-for-managers", None, "constraint no-tea-for-managers"),
    "somebody else holds a role it made": (
        "PUT", "/v1/users/{alice}/roles/head-brewer", None, "role.delete head-brewer"),
}  # fmt: skip


@pytest.mark.parametrize("since", SINCE)
def test_what_somebody_changed_since_is_named_and_nothing_is_undone(stage: Stage, since: str) -> None:
    method, path, body, words = SINCE[since]
    alice = stage.as_(ALICE)
    seq = apply(alice, TEA).json["seq"]
    path = path.format(dave=stage.user_id(DAVE), alice=stage.user_id(ALICE))
    answer = alice.call(method, path, **({"json": body} if body else {}))
    assert answer.status_code < 300, answer.json
    before = everything(stage)

    refused = revert(alice, seq)

    assert (refused.status_code, refused.json["code"]) == (409, "policy.not_revertible")
    assert any(words in changed for changed in refused.json["changed"]), refused.json["changed"]
    assert everything(stage) == before


def test_undoing_is_under_the_same_guards(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), trusted_bob(stage)
    document = {"roles": [{"name": "payer", "permissions": ["payments:release"]}]}
    seq = apply(alice, document).json["seq"]

    refused = revert(bob, seq)

    assert (refused.status_code, refused.json["code"]) == (403, "target.stronger")
    assert plan(alice, document)["summary"] == "0 to add, 0 to change, 0 to remove"


def test_undoing_cannot_hand_out_what_the_caller_lacks(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), trusted_bob(stage)
    payer = {"roles": [{"name": "payer", "permissions": ["payments:release"]}]}
    apply(alice, payer)
    keep = {"roles": [entry for entry in export(alice)["roles"] if entry["name"] != "payer"]}
    seq = apply(alice, keep, prune=True).json["seq"]

    assert revert(bob, seq).json["code"] == "escalation.denied"
    assert revert(alice, seq).status_code == 200
    assert stage.as_(BOB).get("/v1/roles/payer").status_code == 200


def test_a_deleted_permission_comes_back_with_those_who_held_it(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    keep = [entry for entry in export(alice)["permissions"] if entry["name"] != "invoices:read"]
    before = alice.get("/v1/policy").data

    done = apply(alice, {"permissions": keep}, prune=True)

    assert done.json["removed"]["permissions"][0]["roles"] == ["role-manager"]
    assert revert(alice, done.json["seq"]).status_code == 200
    assert alice.get("/v1/policy").data == before


def test_what_would_be_over_by_now_does_not_come_back(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    held = {"user": "dave", "role": "auditor", "expires_at": "2040-01-01T00:00:00Z"}
    apply(
        alice,
        {"assignments": [held, {"user": "bob", "role": "auditor", "expires_at": "2040-01-01T00:00:00Z"}]},
    )
    rest = [
        entry
        for entry in export(alice)["assignments"]
        if entry["user"] != "dave" and entry["role"] != "auditor"
    ]
    changed = [*rest, {"user": "bob", "role": "auditor"}, {"user": "carol", "role": "auditor"}]

    with time_machine.travel("2039-12-31T00:00:00Z", tick=True):
        alice = stage.as_(ALICE)
        seq = apply(alice, {"assignments": changed}, prune=True).json["seq"]
    with time_machine.travel("2040-01-02T00:00:00Z", tick=True):
        alice = stage.as_(ALICE)
        undone = revert(alice, seq)

        assert (undone.status_code, undone.json["summary"]) == (200, "0 to add, 0 to change, 1 to remove")
        assert alice.get(f"/v1/users/{dave}/roles").json["direct"] == []


@pytest.mark.parametrize("since", ["pruned", "put off"])
def test_what_would_have_begun_by_now_comes_back_as_begun(stage: Stage, since: str) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    first = export(alice)["assignments"]
    planned = {"user": "dave", "role": "auditor", "starts_at": "2040-01-01T00:00:00Z"}
    assert apply(alice, {"assignments": [planned]}).status_code == 200
    later = [*first, {**planned, "starts_at": "2041-01-01T00:00:00Z"}]
    seq = apply(alice, {"assignments": first if since == "pruned" else later}, prune=True).json["seq"]

    with time_machine.travel("2040-01-02T00:00:00Z", tick=True):
        alice = stage.as_(ALICE)
        undone = revert(alice, seq)

        assert undone.status_code == 200, undone.json
        (held,) = alice.get(f"/v1/users/{dave}/roles").json["direct"]
        assert held["starts_at"].startswith("2040-01-02T00:00:")


def test_what_ran_out_by_itself_was_changed_by_nobody(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    held = {"user": "dave", "role": "auditor", "expires_at": "2040-01-01T00:00:00Z"}
    seq = apply(alice, {"permissions": [{"name": "a:b", "description": "x"}], "assignments": [held]}).json[
        "seq"
    ]

    with time_machine.travel("2040-01-02T00:00:00Z", tick=True):
        undone = revert(stage.as_(ALICE), seq)

        assert undone.status_code == 200, undone.json


def test_undoing_cannot_break_a_rule_made_since(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = export(alice)
    apply(
        alice,
        {"assignments": [{"user": "dave", "role": "auditor"}, {"user": "dave", "role": "role-manager"}]},
    )
    seq = apply(alice, {"assignments": first["assignments"]}, prune=True).json["seq"]
    rule = {"name": "apart", "kind": "static", "roles": ["auditor", "role-manager"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201

    assert revert(alice, seq).json["code"] == "constraint.violated"


def test_undoing_leaves_an_administrator(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    seq = apply(alice, {"assignments": [{"user": "bob", "role": "admin"}]}).json["seq"]
    stage.as_(BOB).delete(f"/v1/users/{stage.user_id(ALICE)}/roles/admin")

    refused = revert(stage.as_(BOB), seq)

    assert (refused.status_code, refused.json["code"]) == (409, "admin.last")
