"""The guards hold for service accounts as for people: nobody rises by way of a robot."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ACCOUNTS, Robot, as_robot, make_robot
from tests.cast import ALICE, BOB

KEEPER = (
    "service-accounts:read",
    "service-accounts:create",
    "service-accounts:update",
    "service-accounts:delete",
)


def robot_keeping_bob(stage: Stage) -> Caller:
    """Bob, who may manage robots besides."""
    alice = stage.as_(ALICE)
    assert alice.post("/v1/roles", json={"name": "keeper", "permissions": list(KEEPER)}).status_code == 201
    assert alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/keeper").status_code == 201
    return stage.as_(BOB)


def test_bob_gives_a_robot_only_what_he_holds(stage: Stage) -> None:
    bob = robot_keeping_bob(stage)
    path = bob.post(ACCOUNTS, json={"name": "bobs-robot"}).headers["Location"]

    for role in ("admin", "auditor"):
        refused = bob.put(f"{path}/roles/{role}")
        assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
        assert refused.json["missing"]
    assert bob.put(f"{path}/roles/role-manager").status_code == 201
    assert bob.put(f"{path}/roles/role-manager", json={"reason": "again"}).status_code == 200
    assert bob.put(f"{path}/roles/nothing").json["code"] == "role.not_found"


COMMANDS: dict[str, Any] = {
    "takes a secret": lambda bob, robot, tag: bob.post(f"{robot.path}/secrets"),
    "withdraws one": lambda bob, robot, tag: bob.delete(f"{robot.path}/secrets/{robot.secret_id}"),
    "changes it": lambda bob, robot, tag: bob.patch(robot.path, json={"description": "x"}, headers=tag),
    "disables it": lambda bob, robot, tag: bob.patch(robot.path, json={"status": "disabled"}, headers=tag),
    "deletes it": lambda bob, robot, tag: bob.delete(robot.path, headers=tag),
    "gives it a role": lambda bob, robot, tag: bob.put(f"{robot.path}/roles/role-manager"),
    "takes a role": lambda bob, robot, tag: bob.delete(f"{robot.path}/roles/admin"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_bob_does_not_act_upon_a_robot_that_is_stronger_than_he(stage: Stage, command: Any) -> None:
    bob, robot = robot_keeping_bob(stage), make_robot(stage, "admin")
    tag = {"If-Match": bob.get(robot.path).headers["ETag"]}

    refused = command(bob, robot, tag)

    assert (refused.status_code, refused.json["code"]) == (403, "target.stronger")
    assert as_robot(stage, robot).get("/v1/users").status_code == 200


def test_a_disabled_robot_is_as_strong_as_it_would_be(stage: Stage) -> None:
    bob, robot, alice = robot_keeping_bob(stage), make_robot(stage, "admin"), stage.as_(ALICE)
    alice.patch_now(robot.path, {"status": "disabled"})

    assert bob.patch_now(robot.path, {"status": "active"}).json["code"] == "target.stronger"
    assert bob.post(f"{robot.path}/secrets").json["code"] == "target.stronger"


def test_a_robot_that_holds_admin_keeps_nobodys_chair(stage: Stage) -> None:
    make_robot(stage, "admin")
    alice = stage.as_(ALICE)

    refused = alice.delete(f"/v1/users/{stage.user_id(ALICE)}/roles/admin")
    assert (refused.status_code, refused.json["code"]) == (409, "admin.last")
    assert alice.patch_now(f"/v1/users/{stage.user_id(ALICE)}", {"status": "disabled"}).status_code == 409


def test_robots_that_hold_admin_come_and_go(stage: Stage) -> None:
    robot, alice = make_robot(stage, "admin"), stage.as_(ALICE)

    assert alice.delete(f"{robot.path}/roles/admin").status_code == 204
    assert alice.delete(f"{robot.path}/roles/admin").json["code"] == "assignment.not_found"
    assert alice.put(f"{robot.path}/roles/admin").status_code == 201
    assert alice.delete_now(robot.path).status_code == 204


def test_a_robot_is_held_to_the_guards_when_it_acts(stage: Stage) -> None:
    made = make_robot(stage, "role-manager")
    robot = as_robot(stage, made)

    refused = robot.put(f"/v1/users/{stage.user_id(BOB)}/roles/admin")
    assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert robot.put(f"{made.path}/roles/admin").status_code == 403
    created = robot.post("/v1/users", json={"username": "erin"})
    assert created.status_code == 201
    event = stage.events("user.created")[-1]
    assert (event["actor_type"], event["actor_name"]) == ("service", made.name)


def test_a_deleted_role_ends_a_robots_assignment_by_its_own_name(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["users:read"]})
    made: Robot = make_robot(stage, "clerk")
    robot = as_robot(stage, made)

    assert alice.delete_now("/v1/roles/clerk").json["code"] == "role.in_use"
    assert alice.delete_now("/v1/roles/clerk?force=true").status_code == 204

    assert robot.get("/v1/users").status_code == 403
    event = stage.events("assignment.ended")[-1]
    assert (event["target_type"], event["target_name"]) == ("service_account", made.name)


def test_what_a_robot_holds_is_told_as_of_people(stage: Stage) -> None:
    made, alice = make_robot(stage, "auditor"), stage.as_(ALICE)

    told = alice.get(f"{made.path}/roles").json
    assert [(one["role"], one["assigned_by"]["username"]) for one in told["direct"]] == [("auditor", "alice")]
    assert told["effective"] == [{"role": "auditor", "via": ["auditor"]}]
