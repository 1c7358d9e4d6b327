"""What is built in is put back at every start, whoever damaged it; what people made themselves is left alone."""

from __future__ import annotations

import pytest

from rbac_api.capabilities.policy.service import SYSTEM, read_file, reconcile_system
from rbac_api.cli.prepare import operator_unit, prepare
from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL

NOW = "'2026-11-22 17:00:00'"
DAMAGE = {
    "a description": "UPDATE roles SET description = 'mine now' WHERE name = 'auditor'",
    "what it grants": "UPDATE roles SET grants = 'all' WHERE name = 'auditor'",
    "that it is built in": "UPDATE roles SET system = {no} WHERE name = 'admin'",
    "the role itself": f"UPDATE roles SET valid_to = {NOW} WHERE name = 'auditor'",
    "admin itself": f"UPDATE roles SET valid_to = {NOW} WHERE name = 'admin'",
    "an inheritance": f"INSERT INTO role_inheritance (id, senior_id, junior_id, valid_from) SELECT s.id, s.id, j.id, {NOW}"
    " FROM roles s, roles j WHERE s.name = 'auditor' AND j.name = 'role-manager'",
    "a permission": f"UPDATE permissions SET valid_to = {NOW} WHERE name = 'users:read'",
    "a permission's description": "UPDATE permissions SET description = 'x' WHERE name = 'audit:read'",
    "that a permission is built in": "UPDATE permissions SET system = {no} WHERE name = 'users:read'",
}


def reconcile(stage: Stage) -> int:
    with operator_unit(stage.settings, stage.database, system=True) as clearance:
        return reconcile_system(clearance, read_file(SYSTEM))


def state(stage: Stage) -> list[object]:
    """Everything that anybody may do, and how it is described."""
    alice = stage.as_(ALICE)
    roles = [
        {name: value for name, value in role.items() if name != "updated_at"}
        for role in alice.get("/v1/roles?limit=200").json["items"]
    ]
    permissions = alice.get("/v1/permissions?limit=200").json["items"]
    people = [
        alice.get(f"/v1/users/{stage.user_id(person)}/roles").json["effective"]
        for person in (ALICE, BOB, CAROL)
    ]
    return [roles, permissions, people]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_to_what_is_built_in_is_undone(stage: Stage, damage: str) -> None:
    before = state(stage)
    stage.execute(DAMAGE[damage].format(no="0" if stage.engine == "sqlite" else "false"))

    changed = reconcile(stage)
    stage.guard.snapshot.forget()

    assert changed == 1
    assert state(stage) == before
    restored = [event for event in stage.events() if event["reason"] == "restored to what is built in"]
    assert [event["actor_type"] for event in restored] == ["system"]
    assert reconcile(stage) == 0, "and there is nothing left to do"


def test_what_is_missing_altogether_is_made_anew(stage: Stage) -> None:
    stage.execute(
        "DELETE FROM role_permissions WHERE permission_id IN (SELECT id FROM permissions WHERE name = 'sessions:revoke')",
        "DELETE FROM permissions WHERE name = 'sessions:revoke'",
        "DELETE FROM assignments WHERE role_id IN (SELECT id FROM roles WHERE name = 'auditor')",
        "DELETE FROM roles WHERE name = 'auditor'",
    )

    assert reconcile(stage) == 2
    stage.guard.snapshot.forget()

    alice = stage.as_(ALICE)
    assert alice.get("/v1/roles/auditor").json["system"] is True
    assert "sessions:revoke" in alice.get("/v1/roles/admin").json["effective_permissions"]


def test_what_people_made_is_left_alone(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "helpdesk", "description": "Ours.", "permissions": ["users:read"]})
    alice.put("/v1/roles/helpdesk/inherits/auditor")
    alice.patch_now("/v1/roles/role-manager", {"description": "Ours too."})
    before = state(stage)

    for _ in range(3):
        assert reconcile(stage) == 0

    assert state(stage) == before


def test_starting_three_times_changes_nothing(stage: Stage) -> None:
    events = len(stage.events())

    for _ in range(3):
        assert prepare(stage.settings, stage.database).lines == []

    assert len(stage.events()) == events


def test_a_custom_role_may_not_take_the_name_of_one_that_is_built_in(stage: Stage) -> None:
    answer = stage.as_(ALICE).post("/v1/roles", json={"name": "auditor"})

    assert (answer.status_code, answer.json["code"]) == (409, "role.name_taken")
