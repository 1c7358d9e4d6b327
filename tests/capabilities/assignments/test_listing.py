"""Assignments across users: every filter against rows read one by one, in the past too, and as files."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.database import filters
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import give, make_roles, take
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY

LIST = "/v1/assignments"


def entries(caller: Caller, query: str = "", limit: int = 200) -> list[dict[str, Any]]:
    return caller.every(LIST, query, limit)


def told(found: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(one["user"]["username"], one["role"], one["state"]) for one in found}


def in_days(days: int) -> str:
    return clock.rfc3339(datetime.now(UTC) + timedelta(days=days))


def scene(stage: Stage) -> Caller:
    """Of everything one: now, for a time, later, over, withdrawn before it began, eligible, by others, with a reason."""
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    make_roles(alice, "clerk", "payer", "guest")
    give(alice, DAVE, "clerk", reason="covers for Jonas", expires_at=in_days(3))
    give(alice, DAVE, "payer", mode="eligible")
    assert (
        give(alice, CAROL, "guest", starts_at=in_days(2), expires_at=in_days(9), reason="").status_code == 201
    )
    assert give(bob, MALLORY, "clerk", expires_at=in_days(20)).status_code == 201
    give(alice, BOB, "guest")
    take(alice, BOB, "guest")
    give(alice, BOB, "payer", starts_at=in_days(5))
    take(alice, BOB, "payer")
    make_robot(stage, "auditor")
    return alice


def test_each_state_has_its_assignments(stage: Stage) -> None:
    alice = scene(stage)

    assert told(entries(alice)) == {
        ("alice", "admin", "current"), ("bob", "role-manager", "current"), ("carol", "auditor", "current"),
        ("mallory", "role-manager", "current"), ("dave", "clerk", "current"), ("dave", "payer", "current"),
        ("mallory", "clerk", "current"), ("invoice-robot", "auditor", "current"),
    }  # fmt: skip
    assert told(entries(alice, "&state=scheduled")) == {("carol", "guest", "scheduled")}
    over = told(entries(alice, "&state=ended"))
    assert {one for one in over if one[0] == "bob"} == {("bob", "guest", "ended"), ("bob", "payer", "ended")}
    everything = entries(alice, "&state=all")
    assert told(everything) == told(entries(alice)) | told(entries(alice, "&state=scheduled")) | over
    assert alice.get(f"{LIST}?state=all&count=true&limit=1").json["total"] == len(everything)
    assert [one["kind"] for one in entries(alice, "&user=invoice-robot")] == ["service_account"]


FILTERS: dict[str, Any] = {
    "&user=dave": lambda one: one["user"]["username"] == "dave",
    "&role=clerk": lambda one: one["role"] == "clerk",
    "&mode=eligible": lambda one: one["mode"] == "eligible",
    "&mode=active": lambda one: one["mode"] == "active",
    "&without_reason=true": lambda one: not one["reason"],
    "&without_reason=false": lambda one: bool(one["reason"]),
    "&assigned_by=bob": lambda one: one["assigned_by"] and one["assigned_by"]["username"] == "bob",
    "&assigned_by=nobody": lambda one: False,
    "&expires_before=": lambda one: one["expires_at"] is not None and one["expires_at"] < in_days(4),
}


@pytest.mark.parametrize("few", [filters.FEW, 0], ids=["few fit", "many fit"])
def test_every_filter_and_every_two_select_what_they_say(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    alice = scene(stage)
    monkeypatch.setattr(filters, "FEW", few)
    states = {state: entries(alice, f"&state={state}") for state in ("current", "scheduled", "ended", "all")}

    for state, (one, other) in product(states, product(FILTERS, FILTERS)):
        names = dict.fromkeys((one, other))
        if len({name.partition("=")[0] for name in names}) < len(names):
            continue  # the same argument twice
        query = "".join(name + (in_days(4) if name.endswith("=") else "") for name in names)
        expected = [found for found in states[state] if FILTERS[one](found) and FILTERS[other](found)]
        assert entries(alice, f"&state={state}{query}") == expected, (state, query)


def test_the_newest_is_first_and_pages_join_without_a_gap(stage: Stage) -> None:
    alice = scene(stage)
    everything = entries(alice, "&state=all")

    assert entries(alice, "&state=all", limit=2) == everything
    assert everything[0]["user"]["username"] == "invoice-robot"
    moments = [one["assigned_at"] for one in everything]
    assert moments == sorted(moments, reverse=True)
    by_id = entries(alice, f"&user={stage.user_id(DAVE)}")
    assert by_id == entries(alice, "&user=DAVE")
    assert len(by_id) == 2
    assert entries(alice, "&role=nobody-has-it") == []


def test_the_past_is_as_it_was(stage: Stage) -> None:
    scene(stage)
    then = clock.rfc3339(clock.now())
    with time_machine.travel(clock.now() + timedelta(days=10)):
        the_past_is_as_it_was(stage, then)


def the_past_is_as_it_was(stage: Stage, then: str) -> None:
    alice = stage.as_(ALICE)
    was = told(entries(alice, f"&at={then}"))

    assert ("dave", "clerk", "current") in was
    assert ("carol", "guest", "scheduled") in told(entries(alice, f"&at={then}&state=scheduled"))
    assert told(entries(alice, "&user=dave")) == {("dave", "payer", "current")}
    assert ("dave", "clerk", "ended") in told(entries(alice, "&state=ended"))
    take(alice, DAVE, "payer")
    assert told(entries(alice, f"&at={then}")) == was
    long_ago = "2020-01-01T00:00:00Z"
    assert entries(alice, f"&at={long_ago}&state=all") == []
    assert alice.get(f"{LIST}?at={in_days(1)}").json["errors"][0]["code"] == "at.future"


def test_what_was_withdrawn_before_it_began_is_in_no_state_of_the_time_before(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make_roles(alice, "payer")
    give(alice, DAVE, "payer", starts_at=in_days(5))
    before = clock.rfc3339(clock.now())
    take(alice, DAVE, "payer")

    for state in ("current", "scheduled", "ended", "all"):
        assert entries(alice, f"&user=dave&at={before}&state={state}") == []
    assert told(entries(alice, "&user=dave&state=all")) == {("dave", "payer", "ended")}


def test_files_have_the_rows_of_the_list(stage: Stage) -> None:
    alice = scene(stage)
    listed = entries(alice, "&state=all")

    table = alice.get(f"{LIST}?state=all", headers={"Accept": "text/csv"})
    lines = alice.get(f"{LIST}?state=all", headers={"Accept": "application/x-ndjson"})

    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(row["user_username"], row["role"], row["state"]) for row in rows] == [
        (one["user"]["username"], one["role"], one["state"]) for one in listed
    ]
    assert {row["assigned_by_username"] for row in rows} == {"", "alice", "bob"}
    assert [json.loads(line) for line in lines.text.splitlines()] == listed


def test_who_reads_users_alone_does_not_read_it(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    assert dave.get(LIST).json["required"] == "users:read"
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["users:read"]})
    give(alice, DAVE, "reader")

    for accept in ("application/json", "text/csv"):
        assert dave.get(LIST, headers={"Accept": accept}).json["required"] == "roles:read"
    assert stage.as_(CAROL).get(LIST).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["state=over", "mode=both", "without_reason=yes", "expires_before=soon", "user=", "who=dave", "at=now"],
)
def test_a_filter_that_means_nothing_is_refused(stage: Stage, query: str) -> None:
    assert stage.as_(ALICE).get(f"{LIST}?{query}").status_code == 422
