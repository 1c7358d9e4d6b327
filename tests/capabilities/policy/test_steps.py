"""Steps taken one by one: what no comparison would ask for is refused as by the single change, and what is there already is left."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.policy import seeds
from rbac_api.capabilities.policy.engine import Work, apply_steps, load_accounts, write
from rbac_api.capabilities.policy.service import seed
from rbac_api.capabilities.policy.state import load_state
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.difference import Step
from rbac_api.decision.document import Document, DocumentRefused, read_document
from tests.builders import Stage
from tests.capabilities.constraints.rules import give, inherit, keep_apart, make_roles
from tests.capabilities.policy.stories import everything
from tests.cast import ALICE, DAVE

BOB_TERMS = {"user": "bob", "role": "role-manager", "before": {}, "after": {}}
REFUSED: dict[str, tuple[Step, str]] = {
    "a permission again": (Step("permission.create", {"name": "invoices:read", "description": "x"}), "permission.name_taken"),
    "a role again": (Step("role.create", {"name": "one"}), "role.name_taken"),
    "a constraint again": (
        Step("constraint.create", {"name": "apart", "kind": "static", "roles": ["one", "two"], "limit": 2}), "constraint.name_taken"),
    "an unknown constraint": (Step("constraint.delete", {"name": "none"}), "constraint.not_found"),
    "an unknown permission": (Step("permission.grant", {"role": "one", "permission": "no:no"}), "permission.not_found"),
    "an unknown role": (Step("role.update", {"name": "none", "after": {}}), "role.not_found"),
    "what a role does not hold": (Step("permission.withdraw", {"role": "one", "permission": "invoices:read"}), "role.permission_not_held"),
    "what a role does not inherit": (Step("inheritance.end", {"role": "two", "inherits": "one"}), "role.not_inherited"),
    "giving an unknown role": (Step("assignment.create", {"user": "dave", "role": "none"}), "role.not_found"),
    "taking an unknown role": (Step("assignment.end", {"user": "dave", "role": "none"}), "role.not_found"),
    "taking what is not held": (Step("assignment.end", {"user": "dave", "role": "one"}), "assignment.not_found"),
    "the last way to be administrator": (Step("inheritance.end", {"role": "owner", "inherits": "admin"}), "admin.last"),
}  # fmt: skip
NOTHING_NEW: dict[str, Step] = {
    "the same role": Step("role.update", {"name": "one", "after": {"description": ""}}),
    "the same grant": Step("permission.grant", {"role": "role-manager", "permission": "invoices:read"}),
    "the same inheritance": Step("inheritance.create", {"role": "one", "inherits": "two"}),
    "the same terms": Step("assignment.update", BOB_TERMS),
}


def stage_it(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make_roles(alice, "one", "two", "three", "owner")
    inherit(alice, "one", "two")
    keep_apart(alice, "two", "three", name="apart")


def taken(stage: Stage, *steps: Step) -> Work:
    with operator_unit(stage.settings, stage.database) as clearance:
        state = load_state(clearance, clock.now())
        load_accounts(state, ("alice", "bob", "dave"))
        work = apply_steps(state, steps)
        if not work.refused:
            write(clearance, work)
        return work


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_as_the_single_change_is(stage: Stage, name: str) -> None:
    stage_it(stage)
    step, code = REFUSED[name]
    if code == "admin.last":
        alice = stage.as_(ALICE)
        inherit(alice, "owner", "admin")
        give(alice, ALICE, "owner")
        alice.delete(f"/v1/users/{stage.user_id(ALICE)}/roles/admin")

    work = taken(stage, step)

    assert [refusal.code for _, refusal in work.refused] == [code]


@pytest.mark.parametrize("name", NOTHING_NEW)
def test_what_is_there_already_is_left_alone(stage: Stage, name: str) -> None:
    stage_it(stage)
    before = everything(stage)

    work = taken(stage, NOTHING_NEW[name])

    assert work.refused == []
    assert everything(stage) == before


def test_nobody_gives_herself_for_longer_what_she_has_until_an_end(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make_roles(alice, "lender")
    for permission in ("policy:read", "policy:plan", "assignments:create", "invoices:read"):
        alice.put(f"/v1/roles/lender/permissions/{permission}")
    give(alice, DAVE, "lender", expires_at="2040-01-01T00:00:00Z")
    document = {"assignments": [{"user": "dave", "role": "lender"}]}

    (refusal,) = stage.as_(DAVE).post("/v1/policy/plan", json=document).json["refusals"]

    assert refusal["code"] == "escalation.denied"


PEOPLE = [f"person-{number}" for number in range(5)]
COMPANY: dict[str, Any] = {
    "permissions": [{"name": "tea:brew", "description": "Brew tea."}],
    "roles": [{"name": "brewer", "permissions": ["tea:brew"]}, {"name": "head", "inherits": ["brewer"]}],
    "constraints": [{"name": "both", "kind": "requires", "roles": ["head", "brewer"]}],
    "users": [{"username": name} for name in PEOPLE],
    "assignments": [{"user": name, "role": role} for role in ("head", "brewer") for name in PEOPLE],
}


def seeded(stage: Stage, document: Document, steps: list[int]) -> Any:
    with operator_unit(stage.settings, stage.database) as clearance:
        return seed(clearance, document, "company.yaml", steps.append)


def test_a_seed_goes_in_parts_and_somebody_s_roles_come_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeds, "ENTRIES_PER_TRANSACTION", 2)
    document, steps = read_document(COMPANY), list[int]()

    loaded = seeded(stage, document, steps)

    assert (loaded.users, loaded.assignments, loaded.roles, loaded.constraints) == (5, 10, 2, 1)
    assert sum(steps) == 19
    assert max(steps) <= 4
    before = everything(stage)
    assert seeded(stage, document, []).total == 0
    assert everything(stage) == before


def test_an_interrupted_seed_is_finished_by_the_next(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "ENTRIES_PER_TRANSACTION", 2)
    document = read_document({key: COMPANY[key] for key in ("roles", "users", "permissions", "assignments")})

    def interrupted(_steps: int) -> None:
        raise KeyboardInterrupt

    with (
        pytest.raises(KeyboardInterrupt),
        operator_unit(stage.settings, stage.database) as clearance,
    ):
        seed(clearance, document, "company.yaml", interrupted)

    loaded = seeded(stage, document, [])
    assert (loaded.roles, loaded.users, loaded.assignments) == (0, 5, 10)


def test_the_name_of_a_service_account_is_nobody_s(stage: Stage) -> None:
    stage.as_(ALICE).post("/v1/service-accounts", json={"name": "till"})

    with pytest.raises(DocumentRefused, match="user till: a service account has this name"):
        seeded(stage, read_document({"users": [{"username": "till"}]}), [])


def test_an_empty_seed_adds_nothing(stage: Stage) -> None:
    assert seeded(stage, read_document({}), []).total == 0
