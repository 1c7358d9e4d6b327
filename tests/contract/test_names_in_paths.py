"""Wherever a path takes the id of a user or a service account, it takes the name too; what has the form of an id is one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, CAROL, DAVE
from tests.contract.operations import Operation, operations
from tests.contract.test_one_event_each import DONE

NAMED = frozenset({"user_id", "account_id"})
ADDRESS = re.compile(r"(?<=/v1/users/)[0-9a-f-]{36}|(?<=/v1/service-accounts/)[0-9a-f-]{36}")
UNKNOWN = ("erin", "dave%00", "%00", "e" * 3000, "dave smith", "日本", "no-such-robot", "%F0%9F%98%80", "..")


def named_operations(stage: Stage, *, writes: bool) -> dict[str, Operation]:
    """The operations whose path names a user or a service account."""
    found = (found for found in operations(stage.app) if NAMED & set(found.parameters))
    return {each.id: each for each in found if each.writes is writes}


def by_name(stage: Stage, path: str) -> str:
    """The path with the account's name where its id stood."""
    names = {stage.user_id(name): name for (name,) in stage.query("SELECT username_canonical FROM users")}
    return ADDRESS.sub(lambda found: names[found[0]], path)


@pytest.fixture
def calls_by_name(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call to an id is made to the name instead; the paths as they were called."""
    called, paths = Caller.call, []

    def renamed(caller: Caller, method: str, path: str, **options: Any) -> Any:
        paths.append(by_name(stage, path))
        return called(caller, method, paths[-1], **options)

    monkeypatch.setattr(Caller, "call", renamed)
    return paths


WRITES = (
    "update_user", "delete_user", "reset_password", "unlock_user", "erase_user", "remove_user_totp", "end_user_sessions", "assign_role",
    "revoke_role", "update_service_account", "delete_service_account", "create_client_secret", "withdraw_client_secret",
    "assign_service_account_role", "revoke_service_account_role",
)  # fmt: skip


def test_every_writing_operation_of_the_kind_is_tried(stage: Stage) -> None:
    assert set(named_operations(stage, writes=True)) == set(WRITES)


@pytest.mark.parametrize("operation", WRITES)
def test_a_name_does_what_the_id_does(stage: Stage, calls_by_name: list[str], operation: str) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)

    answer = DONE[operation][1](stage, alice, dave)

    assert answer.status_code < 300, answer.text
    assert re.match(r"/v1/(users/dave|service-accounts/invoice-robot)", calls_by_name[-1])
    location = answer.headers.get("Location", "")
    assert "dave" not in location, "a new address names the id, which stays"
    assert "invoice-robot" not in location


def test_every_read_says_the_same_of_a_name_as_of_the_id(stage: Stage, time_machine: Traveller) -> None:
    time_machine.move_to(clock.now(), tick=False)  # some answers say when they are from
    robot, alice, dave = make_robot(stage, "auditor"), stage.as_(ALICE), stage.user_id(DAVE)
    ids = {"user_id": dave, "account_id": robot.path.rpartition("/")[2]}
    names = {"user_id": "DAVE", "account_id": "invoice-robot"}

    for operation in named_operations(stage, writes=False).values():
        query = "?permission=users:read" if operation.path.endswith("/access") else ""
        same = [alice.get(operation.at(chosen) + query) for chosen in (ids, names)]
        assert [answer.status_code for answer in same] == [200, 200], operation.id
        assert same[0].json == same[1].json, operation.id


@pytest.mark.parametrize("unknown", UNKNOWN)
def test_an_unknown_name_is_not_found(stage: Stage, unknown: str) -> None:
    alice = stage.as_(ALICE)

    for operation in named_operations(stage, writes=False).values():
        query = "?permission=users:read" if operation.path.endswith("/access") else ""
        answer = alice.client.get(operation.at(dict.fromkeys(NAMED, unknown)) + query, headers=alice.headers)
        assert answer.status_code == 404, (operation.id, answer.text)


def test_an_id_wins_over_a_user_who_has_it_as_a_name(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    assert alice.post("/v1/users", json={"username": dave.upper()}).status_code == 201

    assert alice.get(f"/v1/users/{dave}").json["username"] == "dave"
    assert alice.get(f"/v1/users/{dave.upper()}").json["username"] == "dave"


def test_the_name_of_one_kind_does_not_lead_to_the_other(stage: Stage) -> None:
    make_robot(stage)
    alice = stage.as_(ALICE)

    assert alice.get("/v1/users/invoice-robot").status_code == 404
    assert alice.get("/v1/service-accounts/dave").status_code == 404


def test_the_name_of_a_deleted_user_leads_nowhere(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    assert alice.delete_now("/v1/users/dave").status_code == 204

    assert alice.get("/v1/users/dave").status_code == 404
    assert alice.get("/v1/users/dave/roles").status_code == 404


def test_a_name_tells_nothing_to_a_caller_who_may_not_read_users(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answers = [dave.get(f"/v1/users/{name}") for name in (CAROL.username, "nobody-at-all")]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(403, "access.denied")] * 2
