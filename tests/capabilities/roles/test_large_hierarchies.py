"""Inheritance a thousand deep and ten thousand wide, changed and judged through the API in bounded time."""

from __future__ import annotations

from time import perf_counter

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import (
    constrain,
    give,
    inherit,
    keep_apart,
    make_roles,
    refused,
    write_assignments,
    write_people,
)
from tests.capabilities.roles.test_inheritance import write_edges, write_roles
from tests.cast import ALICE, BOB, DAVE

pytestmark = pytest.mark.large

PATIENCE = 60.0  # seconds for the whole of a story, on a machine that does other things as well
OURS = "substr(s.name, 1, 1) = 'n' AND substr(j.name, 1, 1) = 'n'"
DEEP, WIDE = 1000, 10_000
CROWD = 66_000  # more than a statement has parameters


@pytest.fixture
def alice(stage: Stage) -> Caller:
    return stage.as_(ALICE)


def test_a_thousand_deep_an_edge_is_added_a_circle_refused_and_a_violation_found(
    stage: Stage, alice: Caller
) -> None:
    write_roles(stage, DEEP)
    write_edges(stage, f"{OURS} AND j.name = 'n' || (CAST(substr(s.name, 2) AS INTEGER) + 1)")
    make_roles(alice, "approver", "releaser")
    keep_apart(alice, "approver", "releaser")
    give(alice, DAVE, "n0")
    give(alice, DAVE, "approver")
    began = perf_counter()

    circle = inherit(alice, f"n{DEEP - 1}", "n0")
    broken = inherit(alice, f"n{DEEP - 1}", "releaser")
    added = inherit(alice, "releaser", "n0")

    assert perf_counter() - began < PATIENCE
    assert (circle.status_code, circle.json["code"]) == (409, "role.cycle")
    assert refused(broken) == [("dave", ["approver", "releaser"])]
    assert added.status_code == 201
    assert len(alice.get("/v1/roles/releaser").json["inherits"]) == 1


def test_one_role_over_ten_thousand_is_judged_by_each_of_them(stage: Stage, alice: Caller) -> None:
    write_roles(stage, WIDE)
    write_edges(stage, "s.name = 'n0' AND substr(j.name, 1, 1) = 'n' AND j.name <> 'n0'")
    make_roles(alice, "releaser")
    keep_apart(alice, "n7777", "releaser")
    give(alice, DAVE, "n0")
    began = perf_counter()

    assert refused(give(alice, DAVE, "releaser")) == [("dave", ["n7777", "releaser"])]
    assert refused(inherit(alice, "n0", "releaser")) == [("dave", ["n7777", "releaser"])]
    assert give(alice, BOB, "n7777").status_code == 201

    assert perf_counter() - began < PATIENCE


def test_ten_thousand_roles_over_one_count_its_holders(stage: Stage, alice: Caller) -> None:
    write_roles(stage, WIDE)
    write_edges(stage, "j.name = 'n0' AND substr(s.name, 1, 1) = 'n' AND s.name <> 'n0'")
    make_roles(alice, "releaser")
    began = perf_counter()

    assert constrain(alice, "max-holders", "n0", limit=1).status_code == 201
    keep_apart(alice, "n0", "releaser", name="pair")
    assert give(alice, DAVE, "n77").status_code == 201
    assert refused(give(alice, BOB, "n78")) == [(None, ["n0"])]
    assert refused(give(alice, DAVE, "releaser")) == [("dave", ["n0", "releaser"])]
    assert refused(inherit(alice, "n0", "releaser")) == [("dave", ["n0", "releaser"])]

    assert perf_counter() - began < PATIENCE


def test_a_role_of_very_many_people_comes_to_inherit_another(stage: Stage, alice: Caller) -> None:
    make_roles(alice, "approver", "releaser", "third")
    keep_apart(alice, "approver", "releaser")
    stage.execute(
        "ANALYZE users", "ANALYZE assignments"
    )  # the planner's figures are from before the crowd came
    write_people(stage, CROWD)
    write_assignments(stage, "approver")
    began = perf_counter()

    broken = inherit(alice, "approver", "releaser")
    fine = inherit(alice, "approver", "third")

    assert perf_counter() - began < PATIENCE * 2
    assert (refused(broken)[0][1], broken.json["count"]) == (["approver", "releaser"], 10_000)
    assert fine.status_code == 201
