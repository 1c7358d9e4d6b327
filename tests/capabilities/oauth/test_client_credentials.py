"""A service account takes an access token, and what it may do with it is decided anew at each request."""

from __future__ import annotations

from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.oauth.robot import as_robot, ask_token, claims, error, make_robot
from tests.cast import ALICE, CAROL


def test_a_robot_takes_a_token_for_itself_and_no_refresh_token(stage: Stage) -> None:
    robot = make_robot(stage, "auditor")

    answer = ask_token(stage, robot)

    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
    assert (answer.headers["Cache-Control"], answer.headers["Pragma"]) == ("no-store", "no-cache")
    said = claims(answer.json["access_token"])
    assert (said["sub"], said["client_id"], said["roles"]) == (robot.id, robot.id, ["auditor"])
    assert "amr" not in said


def test_a_robot_may_do_what_its_roles_permit_and_nothing_else(stage: Stage) -> None:
    robot = as_robot(stage, make_robot(stage, "auditor"))

    assert robot.get("/v1/users").status_code == 200
    refused = robot.post("/v1/users", json={"username": "erin"})
    assert (refused.status_code, refused.json["required"]) == (403, "users:create")
    assert [event["actor_type"] for event in stage.events("access.refused")] == ["service"]


def test_what_a_robot_may_do_changes_with_its_next_request(stage: Stage) -> None:
    made = make_robot(stage)
    robot, alice = as_robot(stage, made), stage.as_(ALICE)
    assert robot.get("/v1/users").status_code == 403

    alice.put(f"{made.path}/roles/auditor")
    later = robot.get("/v1/users")
    assert (later.status_code, later.headers["Authz-Stale"]) == (200, "true")
    alice.delete(f"{made.path}/roles/auditor")
    assert robot.get("/v1/users").status_code == 403


def test_a_disabled_robots_outstanding_token_is_dead_at_once_and_stays_dead(stage: Stage) -> None:
    made = make_robot(stage, "auditor")
    robot, alice = as_robot(stage, made), stage.as_(ALICE)

    assert alice.patch_now(made.path, {"status": "disabled"}).status_code == 200

    assert robot.get("/v1/users").json["code"] == "token.revoked"
    assert error(ask_token(stage, made)) == (401, "invalid_client")
    alice.patch_now(made.path, {"status": "active"})
    assert robot.get("/v1/users").status_code == 401
    assert as_robot(stage, made).get("/v1/users").status_code == 200


def test_a_deleted_robots_outstanding_token_is_dead_at_once(stage: Stage) -> None:
    made = make_robot(stage, "auditor")
    robot = as_robot(stage, made)

    assert stage.as_(ALICE).delete_now(made.path).status_code == 204

    assert robot.get("/v1/users").json["code"] == "token.revoked"
    assert error(ask_token(stage, made)) == (401, "invalid_client")


def test_a_robots_session_is_listed_with_its_name_and_can_be_ended_there(stage: Stage) -> None:
    made = make_robot(stage, "auditor")
    robot, carol = as_robot(stage, made), stage.as_(CAROL)

    by_name = carol.get(f"/v1/sessions?user={made.name}").json["items"]
    by_id = carol.get(f"/v1/sessions?user={made.id}").json["items"]

    assert by_name == by_id
    assert [(one["user"]["username"], one["client_id"], one["state"]) for one in by_id] == [
        (made.name, made.id, "active")
    ]
    assert stage.as_(ALICE).delete(f"/v1/sessions/{by_id[0]['id']}").status_code == 204
    assert robot.get("/v1/users").json["code"] == "token.revoked"


def test_a_robots_session_ends_with_its_one_token(stage: Stage, frozen: Traveller) -> None:
    made = make_robot(stage, "auditor")
    robot = as_robot(stage, made)
    frozen.shift(901)

    assert robot.get("/v1/users").json["code"] == "token.expired"
    assert stage.as_(CAROL).get(f"/v1/sessions?user={made.id}").json["items"] == []
    ended = stage.as_(CAROL).get(f"/v1/sessions?user={made.id}&state=ended").json["items"]
    assert [one["end_reason"] for one in ended] == ["expired"]


def test_each_token_leaves_one_event_that_names_the_robot_and_the_secret(stage: Stage) -> None:
    made = make_robot(stage)
    before = len(stage.events())

    answer = ask_token(stage, made)

    event, *more = stage.events()[before:]
    assert more == []
    assert (event["action"], event["actor_type"], event["actor_name"]) == (
        "client.signed_in",
        "service",
        made.name,
    )
    assert event["target_id"].replace("-", "") == claims(answer.json["access_token"])["sid"].replace("-", "")
    assert made.secret_id in event["after"]
    assert made.secret not in str(stage.query("SELECT * FROM trail_events"))


def test_a_robot_signs_itself_out(stage: Stage) -> None:
    robot = as_robot(stage, make_robot(stage, "auditor"))

    assert robot.post("/v1/auth/logout").status_code == 204
    assert robot.get("/v1/users").json["code"] == "token.revoked"


def test_a_token_lives_no_longer_than_the_secret_it_was_taken_with(stage: Stage, frozen: Traveller) -> None:
    from datetime import timedelta

    from rbac_api import clock

    soon = clock.rfc3339(clock.now() + timedelta(seconds=90))
    answer = ask_token(stage, make_robot(stage, expires_at=soon))

    assert 88 <= answer.json["expires_in"] <= 90
