"""What somebody may more or less than before, and which event brought it about."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.capabilities.access import diff as comparing
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.policy.stories import apply
from tests.cast import ALICE, CAROL, DAVE


def moment() -> str:
    return clock.rfc3339(clock.now())


def last_seq(stage: Stage) -> int:
    return int(stage.events()[-1]["seq"])


def compared(caller: Caller, query: str) -> dict[str, Any]:
    """``gained`` and ``lost``, each a mapping from permission to event."""
    answer = caller.get(f"/v1/access/diff?{query}")
    assert answer.status_code == 200, answer.json
    return {
        side: {each["permission"]: each["seq"] for each in answer.json[side]} for side in ("gained", "lost")
    }


# -- attacks ------------------------------------------------------------------------------------------------------------------------

BEGAN = "from=2026-01-01T00:00:00Z"
WRONG = {
    "": "/from", "from=x&user=dave": "/from", BEGAN: "/user", f"{BEGAN}&user=dave&role=admin": "/user", f"{BEGAN}&user=": "/user",
    f"{BEGAN}&role=Ad%20min": "/role", f"{BEGAN}&user=dave&to=9999-12-31T23:59:59Z": "/to", "from=9999-01-01T00:00:00Z&user=dave": "/from",
    f"{BEGAN}&to=2025-01-01T00:00:00Z&user=dave": "/to", f"{BEGAN}&user=dave&at=2026-01-01T00:00:00Z": "/at",
}  # fmt: skip


@pytest.mark.parametrize(("query", "pointer"), WRONG.items())
def test_a_comparison_that_makes_no_sense_is_refused(stage: Stage, query: str, pointer: str) -> None:
    answer = stage.as_(ALICE).get(f"/v1/access/diff?{query}")

    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]


def test_only_those_who_may_read_them_compare(stage: Stage) -> None:
    dave, carol = stage.as_(DAVE), stage.as_(CAROL)

    for query, needed in (("user=dave", "users:read"), ("role=admin", "roles:read")):
        answer = dave.get(f"/v1/access/diff?{BEGAN}&{query}")
        assert (answer.status_code, answer.json["required"]) == (403, needed)
        assert carol.get(f"/v1/access/diff?{BEGAN}&{query}").status_code == 200


def test_what_was_not_there_cannot_be_compared(stage: Stage) -> None:
    alice, before = stage.as_(ALICE), moment()
    alice.post("/v1/users", json={"username": "erin"})
    codes = {
        f"{BEGAN}&user=nobody": "user.not_found", f"{BEGAN}&user=0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57": "user.not_found",
        f"{BEGAN}&to={before}&user=erin": "user.not_found", f"{BEGAN}&role=nothing": "role.not_found",
    }  # fmt: skip

    assert {query: alice.get(f"/v1/access/diff?{query}").json["code"] for query in codes} == codes


# -- what it is for -----------------------------------------------------------------------------------------------------------------


def test_each_difference_names_the_event_that_made_it_last(stage: Stage) -> None:
    alice, roles = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read", "invoices:approve"]})
    alice.put(f"{roles}/clerk")
    start = moment()
    alice.delete("/v1/roles/clerk/permissions/invoices:approve")
    taken = last_seq(stage)
    alice.put("/v1/roles/clerk/permissions/payments:release")
    alice.delete("/v1/roles/clerk/permissions/payments:release")
    alice.put("/v1/roles/clerk/permissions/payments:release")
    given = last_seq(stage)

    expected = {"gained": {"payments:release": given}, "lost": {"invoices:approve": taken}}
    for whom in ("user=dave", f"user={stage.user_id(DAVE).upper()}", "role=clerk"):
        assert compared(alice, f"from={start}&{whom}") == expected
    assert compared(alice, f"from={start}&to={start}&user=dave") == {"gained": {}, "lost": {}}


POLICY = {
    "roles": [
        {"name": "aide", "permissions": ["invoices:approve"]},
        {"name": "clerk", "permissions": ["invoices:read"]},
        {"name": "helper", "permissions": ["payments:release"]},
    ],
    "assignments": [
        {"user": "dave", "role": "aide"},
        {"user": "dave", "role": "clerk"},
        {"user": "carol", "role": "helper"},
    ],
}
AGAIN = {
    "roles": [{"name": "aide", "permissions": ["invoices:approve", "payments:release"]}, {"name": "baker"}],
}


@pytest.mark.parametrize("effort", [comparing.MAX_GRAPHS_READ, 0])
def test_of_the_events_of_one_policy_the_one_is_named_that_did_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, effort: int
) -> None:
    monkeypatch.setattr(comparing, "MAX_GRAPHS_READ", effort)
    alice, start = stage.as_(ALICE), moment()
    assert apply(alice, POLICY).status_code == 200
    middle = moment()
    assert apply(alice, AGAIN).status_code == 200
    events = stage.events("assignment.created")
    assigned = {
        json.loads(event["after"])["role"]: event["seq"]
        for event in events
        if event["target_name"] == DAVE.username
    }
    made = {event["target_name"]: event["seq"] for event in stage.events("role.created")}
    granted = [
        event["seq"] for event in stage.events("permission.granted") if event["target_name"] == "aide"
    ][-1]

    expected = {"invoices:approve": assigned["aide"], "invoices:read": assigned["clerk"]}
    assert compared(alice, f"from={start}&to={middle}&user=dave") == {"gained": expected, "lost": {}}
    assert compared(alice, f"from={start}&to={middle}&role=clerk")["gained"] == {
        "invoices:read": made["clerk"]
    }
    for whom in ("user=dave", "role=aide"):
        assert compared(alice, f"from={middle}&{whom}")["gained"] == {"payments:release": granted}


def test_what_the_account_goes_through_is_named_too(stage: Stage) -> None:
    alice, start = stage.as_(ALICE), moment()
    erin = alice.post("/v1/users", json={"username": "erin"}).headers["Location"]
    alice.put(f"{erin}/roles/role-manager")
    assigned, held = last_seq(stage), moment()
    alice.patch_now(erin, {"status": "disabled"})
    disabled, middle = last_seq(stage), moment()
    alice.delete_now(erin)

    gained = compared(alice, f"from={start}&to={held}&user=erin")
    lost = compared(alice, f"from={held}&to={middle}&user=erin")

    assert set(gained["gained"].values()) == {assigned}
    assert (lost["gained"], set(lost["lost"].values())) == ({}, {disabled})
    assert compared(alice, f"from={middle}&user=erin") == {"gained": {}, "lost": {}}


def test_what_time_alone_brought_about_has_no_event(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    now = clock.now()
    ends = clock.rfc3339(now + timedelta(hours=2))
    terms = {"starts_at": clock.rfc3339(now + timedelta(hours=1)), "expires_at": ends}
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk", json=terms)
    start = moment()

    with time_machine.travel(now + timedelta(hours=1, minutes=30)):
        assert compared(stage.as_(ALICE), f"from={start}&user=dave") == {
            "gained": {"invoices:read": None},
            "lost": {},
        }
    with time_machine.travel(now + timedelta(hours=3)):
        assert compared(stage.as_(ALICE), f"from={ends[:-8]}Z&user=dave&to={ends}")["gained"] == {}
        middle = clock.rfc3339(now + timedelta(hours=1, minutes=30))
        assert compared(stage.as_(ALICE), f"from={middle}&user=dave") == {
            "gained": {},
            "lost": {"invoices:read": None},
        }


def test_a_role_that_came_and_went_is_compared_by_name(stage: Stage) -> None:
    alice, start = stage.as_(ALICE), moment()
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    made, there = last_seq(stage), moment()
    alice.delete_now("/v1/roles/clerk")
    gone = last_seq(stage)

    assert compared(alice, f"from={start}&to={there}&role=clerk") == {
        "gained": {"invoices:read": made},
        "lost": {},
    }
    assert compared(alice, f"from={there}&role=clerk") == {"gained": {}, "lost": {"invoices:read": gone}}
    assert alice.get(f"/v1/access/diff?from={start}&role=clerk").status_code == 404


def test_a_service_account_is_compared_by_its_name(stage: Stage) -> None:
    alice, start, robot = stage.as_(ALICE), moment(), make_robot(stage)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.put(f"{robot.path}/roles/clerk")

    assert compared(alice, f"from={start}&user=invoice-robot")["gained"] == {"invoices:read": last_seq(stage)}


def test_a_long_history_is_searched_by_halves(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "MAX_GRAPHS_READ", 0)
    alice, start = stage.as_(ALICE), moment()
    alice.post("/v1/roles", json={"name": "clerk"})
    for name in ("a", "b", "c"):
        alice.post("/v1/permissions", json={"name": f"{name}:use", "description": "Use."})
    alice.put("/v1/roles/clerk/permissions/invoices:read")
    given = last_seq(stage)
    for name in ("a", "b", "c"):
        alice.put(f"/v1/roles/clerk/permissions/{name}:use")
    there = moment()
    alice.delete_now("/v1/roles/clerk")

    gained = compared(alice, f"from={start}&to={there}&role=clerk")["gained"]
    lost = compared(alice, f"from={there}&role=clerk")["lost"]

    assert (len(gained), gained["invoices:read"]) == (4, given)
    assert set(lost.values()) == {last_seq(stage)}
