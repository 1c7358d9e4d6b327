"""Conditions: whatever asks for an ETag refuses without one, with a star, with an old one and with a weak one."""

import pytest

from tests.builders import Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, DAVE
from tests.contract.operations import operations

CONDITIONAL = {
    "update_user", "delete_user", "update_role", "delete_role", "update_service_account", "delete_service_account",
}  # fmt: skip


def test_users_and_roles_are_changed_only_on_condition(stage: Stage) -> None:
    assert {operation.id for operation in operations(stage.app) if operation.conditional} == CONDITIONAL | {
        "apply_policy"  # whose revision is not that of one row: tests/capabilities/policy
    }


@pytest.mark.parametrize(
    ("condition", "status", "code"),
    [
        (None, 428, "etag.required"),
        ("", 428, "etag.required"),
        ("*", 428, "etag.required"),
        ('"1-0123456789abcdef0123"', 412, "etag.stale"),
        ("weak", 412, "etag.stale"),
        ("old", 412, "etag.stale"),
        ('garbage, ,,"', 412, "etag.stale"),
    ],
)
def test_a_condition_that_does_not_hold_changes_nothing(
    stage: Stage, condition: str | None, status: int, code: str
) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage)
    names = {"user_id": stage.user_id(DAVE), "role": "role-manager", "account_id": robot.id}
    old = {
        path: alice.get(path).headers["ETag"]
        for path in (f"/v1/users/{names['user_id']}", "/v1/roles/role-manager", robot.path)
    }
    alice.put(f"/v1/users/{names['user_id']}/roles/role-manager")
    alice.put("/v1/roles/role-manager/permissions/payments:release")
    alice.put(f"{robot.path}/roles/role-manager")
    events = len(stage.events())

    for operation in operations(stage.app):
        if operation.id in CONDITIONAL:
            path = operation.at(names)
            present = alice.get(path).headers["ETag"]
            sent = {"weak": f"W/{present}", "old": old[path]}.get(condition or "", condition)
            headers = {} if sent is None else {"If-Match": sent}
            answer = alice.call(operation.method, path, json=operation.example(), headers=headers)
            assert (answer.status_code, answer.json["code"]) == (status, code), operation.id
    assert len(stage.events()) == events


def test_one_of_several_tags_is_enough(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    tags = f'"other", {alice.get(path).headers["ETag"]}, "yet-another"'

    assert alice.patch(path, json={"display_name": "Dave B."}, headers={"If-Match": tags}).status_code == 200


def test_every_answer_that_carries_a_user_or_a_role_alone_carries_its_tag(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    user = alice.post("/v1/users", json={"username": "erin"})
    role = alice.post("/v1/roles", json={"name": "clerk"})

    for created, change in ((user, {"display_name": "Erin"}), (role, {"description": "Reads."})):
        path, tag = created.headers["Location"], created.headers["ETag"]
        assert not tag.startswith("W/")
        assert alice.get(path).headers["ETag"] == tag
        changed = alice.patch(path, json=change, headers={"If-Match": tag})
        assert changed.headers["ETag"] not in (tag, None)
        assert alice.get(path).headers["ETag"] == changed.headers["ETag"]
