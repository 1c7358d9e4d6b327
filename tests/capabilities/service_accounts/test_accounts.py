"""Service accounts: made, read, changed, disabled and deleted; and nowhere taken for people."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.service_accounts import service
from rbac_api.capabilities.service_accounts.accounts import known_account
from rbac_api.cli.prepare import operator_unit
from rbac_api.formats.http_errors import PreconditionFailed
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ACCOUNTS, as_robot, make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE

ROBOT = {"name": "invoice-robot", "description": "Sends the invoices at night"}


def create(caller: Caller, **body: Any) -> Any:
    return caller.post(ACCOUNTS, json={**ROBOT, **body})


def test_alice_makes_a_robot_that_can_do_nothing_yet(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    made = create(alice)

    assert made.status_code == 201
    assert made.headers["Location"] == f"{ACCOUNTS}/{made.json['id']}"
    assert made.json["client_id"] == made.json["id"]
    assert (made.json["name"], made.json["description"], made.json["status"]) == (*ROBOT.values(), "active")
    found = alice.get(made.headers["Location"])
    assert (found.json, found.headers["ETag"]) == (made.json, made.headers["ETag"])
    assert found.json["secrets"] == []
    assert alice.get(f"{made.headers['Location']}/roles").json == {
        "direct": [],
        "effective": [],
        "permissions": [],
    }


def test_repeating_the_request_makes_one_robot(stage: Stage) -> None:
    alice, key = stage.as_(ALICE), {"Idempotency-Key": "once"}

    first, again = (alice.post(ACCOUNTS, json=ROBOT, headers=key) for _ in range(2))

    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert len(alice.get(ACCOUNTS).json["items"]) == 1


@pytest.mark.parametrize(
    "name", ["a", "Robot", "1robot", "ro bot", "robot\n", "røbot", "r" * 64, "", "robot\0", "ｒobot"]
)
def test_a_name_is_a_slug(stage: Stage, name: str) -> None:
    answer = create(stage.as_(ALICE), name=name)

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/name")


def test_a_name_is_one_persons_or_one_robots_and_never_given_out_again(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    made = create(alice)

    assert create(alice).json["code"] == "service_account.name_taken"
    assert create(alice, name="dave").status_code == 409
    for spelling in (ROBOT["name"], "INVOICE-ROBOT"):
        answer = alice.post("/v1/users", json={"username": spelling})
        assert (answer.status_code, answer.json["code"]) == (409, "user.username_taken")
    alice.delete_now(made.headers["Location"])
    assert create(alice).status_code == 409


@pytest.mark.parametrize("person", [BOB, CAROL, DAVE], ids=lambda person: person.username)
def test_who_lacks_the_permission_makes_and_changes_none(stage: Stage, person: Any) -> None:
    made, caller = make_robot(stage), stage.as_(person)

    assert create(caller, name="other-robot").json["required"] == "service-accounts:create"
    tag = {"If-Match": stage.as_(ALICE).get(made.path).headers["ETag"]}
    refused = [
        caller.patch(made.path, json={"status": "disabled"}, headers=tag),
        caller.delete(made.path, headers=tag),
        caller.post(f"{made.path}/secrets"),
        caller.delete(f"{made.path}/secrets/{made.secret_id}"),
    ]
    assert [answer.status_code for answer in refused] == [403] * 4
    assert as_robot(stage, made).get("/v1/me/sessions").status_code == 200


def test_carol_reads_robots_and_dave_does_not(stage: Stage) -> None:
    made = make_robot(stage)

    for path in (ACCOUNTS, made.path, f"{made.path}/roles"):
        assert stage.as_(CAROL).get(path).status_code == 200
        assert stage.as_(DAVE).get(path).status_code == 403


def test_the_list_goes_by_name_and_is_found_by_its_beginning(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for name in ("zebra", "apple", "mango-one", "mango-two"):
        create(alice, name=name)
    path = next(one["id"] for one in alice.get(ACCOUNTS).json["items"] if one["name"] == "zebra")
    alice.patch_now(f"{ACCOUNTS}/{path}", {"status": "disabled"})

    first = alice.get(f"{ACCOUNTS}?limit=3&count=true")
    second = alice.get(f"{ACCOUNTS}?limit=3&cursor={first.json['next']}")
    names = [one["name"] for answer in (first, second) for one in answer.json["items"]]
    assert (names, first.json["total"], second.json["next"]) == (
        ["apple", "mango-one", "mango-two", "zebra"],
        4,
        None,
    )
    assert [one["name"] for one in alice.get(f"{ACCOUNTS}?q=MANGO").json["items"]] == [
        "mango-one",
        "mango-two",
    ]
    assert alice.get(f"{ACCOUNTS}?q=%25").json["items"] == []
    assert [one["name"] for one in alice.get(f"{ACCOUNTS}?status=disabled").json["items"]] == ["zebra"]


def test_description_and_status_change_with_the_etag(stage: Stage) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)
    old = alice.get(made.path).headers["ETag"]

    assert alice.patch(made.path, json={"description": "x"}).status_code == 428
    changed = alice.patch(made.path, json={"description": "Sends reminders"}, headers={"If-Match": old})
    assert (changed.status_code, changed.json["description"]) == (200, "Sends reminders")
    assert alice.get(made.path).headers["ETag"] == changed.headers["ETag"] != old
    assert alice.patch(made.path, json={"description": None}, headers={"If-Match": old}).status_code == 412
    assert alice.delete(made.path, headers={"If-Match": old}).status_code == 412
    assert alice.get(made.path, headers={"If-None-Match": changed.headers["ETag"]}).status_code == 304


def test_a_secret_and_a_role_make_the_etag_another(stage: Stage) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)
    tags = [alice.get(made.path).headers["ETag"]]

    alice.post(f"{made.path}/secrets")
    tags.append(alice.get(made.path).headers["ETag"])
    alice.put(f"{made.path}/roles/auditor")
    tags.append(alice.get(made.path).headers["ETag"])

    assert len(set(tags)) == 3


def test_each_change_leaves_one_event_that_says_what_changed(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    path = create(alice).headers["Location"]
    alice.patch_now(path, {"description": None})
    alice.patch_now(path, {"description": None})
    alice.patch_now(path, {"status": "disabled", "description": "Off"})
    alice.patch_now(path, {"status": "active"})
    alice.put(f"{path}/roles/auditor", json={"reason": "night work"})
    alice.delete(f"{path}/roles/auditor")
    alice.delete_now(path)

    own = [event for event in stage.events() if event["target_type"] == "service_account"]
    assert [event["action"].partition(".")[2] for event in own] == [
        "created", "updated", "disabled", "enabled", "created", "ended", "deleted",
    ]  # fmt: skip
    assert {event["target_name"] for event in own} == {"invoice-robot"}
    assert '"Off"' in own[2]["after"]
    assert '"sessions_ended":0' in own[2]["after"].replace(" ", "")


def test_people_are_no_robots_and_robots_no_people(stage: Stage) -> None:
    made, alice, dave = make_robot(stage), stage.as_(ALICE), stage.user_id(DAVE)
    tag = {"If-Match": '"x"'}
    calls = [
        ("GET", "", {}), ("PATCH", "", {"json": {"status": "disabled"}, "headers": tag}), ("DELETE", "", {"headers": tag}),
        ("GET", "/roles", {}), ("PUT", "/roles/auditor", {}), ("DELETE", "/roles/auditor", {}),
    ]  # fmt: skip
    people = [("POST", "/password-reset", {}), ("GET", "/sessions", {}), ("DELETE", "/sessions", {})]

    for method, rest, options in calls + people:
        answer = alice.call(method, f"/v1/users/{made.id}{rest}", **options)
        assert (answer.status_code, answer.json["code"]) == (404, "user.not_found"), rest
    for method, rest, options in calls:
        answer = alice.call(method, f"{ACCOUNTS}/{dave}{rest}", **options)
        assert (answer.status_code, answer.json["code"]) == (404, "service_account.not_found"), rest
    assert as_robot(stage, made).get("/v1/me/sessions").status_code == 200


@pytest.mark.parametrize(
    "query", ["", "?q=invoice", "?role=auditor", "?status=active", "?count=true&limit=200"]
)
def test_no_list_of_people_shows_a_robot(stage: Stage, query: str) -> None:
    make_robot(stage, "auditor")

    answer = stage.as_(ALICE).get(f"/v1/users{query}").json

    assert "invoice-robot" not in [one["username"] for one in answer["items"]]
    assert answer.get("total", 5) == 5


def test_a_robot_has_no_account_of_its_own_to_change(stage: Stage) -> None:
    robot = as_robot(stage, make_robot(stage, "admin"))
    change = {"current_password": "x", "new_password": "marble otter quilts the fjord"}

    assert robot.get("/v1/me").status_code == 404
    assert robot.patch("/v1/me", json={"display_name": "x"}).status_code == 404
    assert robot.post("/v1/me/password", json=change).status_code == 404


def test_a_deleted_robot_is_gone_with_roles_secrets_and_sessions(stage: Stage) -> None:
    made, alice = make_robot(stage, "auditor"), stage.as_(ALICE)
    as_robot(stage, made)

    assert alice.delete_now(made.path).status_code == 204

    assert alice.get(made.path).json["code"] == "service_account.not_found"
    assert alice.get(ACCOUNTS).json["items"] == []
    assert alice.get(f"/v1/sessions?user={made.name}").json["items"] == []
    event = stage.events("service_account.deleted")[0]
    assert "auditor" in event["before"]
    assert '"sessions_ended":1' in event["after"].replace(" ", "")
    assert stage.query("SELECT count(*) FROM client_secrets WHERE withdrawn_at IS NULL") == [(0,)]


def test_a_row_read_before_somebody_elses_change_is_not_written(stage: Stage) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)
    with operator_unit(stage.settings, stage.database, writes=False) as clearance:
        _, stale = known_account(clearance, made.id)
    alice.patch_now(made.path, {"description": "Sends reminders"})

    with (
        pytest.raises(PreconditionFailed),
        operator_unit(stage.settings, stage.database) as clearance,
    ):
        service._write(clearance, stale, {"status": "disabled"})
    assert alice.get(made.path).json["status"] == "active"


def test_a_change_of_nothing_leaves_no_event(stage: Stage) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)
    events = len(stage.events())

    for body in ({}, {"status": "active"}, {"description": None}):
        assert alice.patch_now(made.path, body).status_code == 200
    assert len(stage.events()) == events
