"""What was written straight into the database: reported, not hidden, and mended one step after another."""

import json
from time import thread_time
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import (
    CONSTRAINTS,
    PAIR,
    constrain,
    give,
    inherit,
    keep_apart,
    make_roles,
    refused,
    take,
    write_assignment,
    write_assignments,
    write_people,
)
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.cli.conftest import Shell

LIST = f"{CONSTRAINTS}/rule/violations"
MANY, PATIENCE = 20_000, 3.0


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made a few roles."""
    found = stage.as_(ALICE)
    make_roles(found, *PAIR, "third")
    return found


def doctor(stage: Stage) -> dict[str, Any]:
    """What the doctor says of constraints; of nothing else here: the stage's files were made by a copy."""
    checks: list[dict[str, Any]] = json.loads(Shell(stage.app)("doctor", "--json").stdout)["checks"]
    return next(check for check in checks if check["name"] == "constraints")


def listed(alice: Caller) -> list[tuple[str | None, list[str]]]:
    items = alice.get(LIST).json["items"]
    return [(item["user"] and item["user"]["username"], item["roles"]) for item in items]


def test_violations_are_listed_and_the_doctor_names_the_constraint(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    assert (listed(alice), doctor(stage)["ok"]) == ([], True)
    for role in PAIR:
        write_assignment(stage, "dave", role)

    assert listed(alice) == [("dave", list(PAIR))]
    assert "rule" in doctor(stage)["detail"]
    assert "violations" in doctor(stage)["remedy"]
    assert stage.as_(CAROL).get(LIST).status_code == 200


def test_a_requirement_and_a_crowd_are_found_too(stage: Stage, alice: Caller) -> None:
    constrain(alice, "requires", "approver", "third", name="needs")
    constrain(alice, "max-holders", "approver", limit=1, name="seat")
    for name in ("dave", "bob"):
        write_assignment(stage, name, "approver")

    assert {
        item["user"]["username"] for item in alice.get(f"{CONSTRAINTS}/needs/violations").json["items"]
    } == {
        "bob",
        "dave",
    }
    (crowd,) = alice.get(f"{CONSTRAINTS}/seat/violations?count=true&limit=1").json["items"]
    assert (crowd["user"], crowd["roles"], crowd["until"]) == (None, ["approver"], None)
    assert doctor(stage)["detail"] == "violated: needs, seat"


def test_who_breaks_one_already_can_still_be_helped(stage: Stage, alice: Caller) -> None:
    """Taking a role away never breaks a static constraint, though what remains may still be too much; nor does what is unrelated."""
    keep_apart(alice, *PAIR, "third")
    for role in (*PAIR, "third"):
        write_assignment(stage, "dave", role)
    make_roles(alice, "unrelated")

    assert give(alice, DAVE, "unrelated").status_code == 201
    assert refused(give(alice, DAVE, "approver", reason="anew")) == [("dave", [*PAIR, "third"])]
    assert take(alice, DAVE, "third").status_code == 204
    assert listed(alice) == [("dave", list(PAIR))]
    assert take(alice, DAVE, "releaser").status_code == 204
    assert listed(alice) == []


def test_a_violation_of_one_hinders_nobody_else(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    for role in PAIR:
        write_assignment(stage, "dave", role)
    make_roles(alice, "chief")
    give(alice, BOB, "chief")

    assert give(alice, BOB, "approver").status_code == 201
    assert inherit(alice, "chief", "approver").status_code == 201


def test_of_a_dynamic_one_nothing_can_be_listed(stage: Stage, alice: Caller) -> None:
    constrain(alice, "dynamic", *PAIR, limit=2)
    for role in PAIR:
        write_assignment(stage, "dave", role)
    stage.as_(DAVE)

    assert (listed(alice), doctor(stage)["ok"]) == ([], True)


def test_a_long_list_is_paged_without_a_gap_or_a_repetition(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    write_people(stage, 120)
    for role in PAIR:
        write_assignments(stage, role)

    found, path = [], f"{LIST}?limit=50&count=true"
    page = alice.get(path).json
    while page["next"]:
        found += page["items"]
        page = alice.get(f"{path}&cursor={page['next']}").json
    found += page["items"]

    assert page["total"] == len(found) == len({item["user"]["id"] for item in found}) == 120


def test_a_circle_of_roles_neither_hangs_nor_hides_a_violation(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    inherit(alice, "third", "approver")
    columns = "(id, senior_id, junior_id, valid_from)"
    new_id = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}[stage.engine]
    stage.execute(
        f"INSERT INTO role_inheritance {columns} SELECT {new_id}, s.id, j.id, s.valid_from FROM roles s, roles j"
        " WHERE s.name = 'approver' AND j.name = 'third'"
    )

    assert give(alice, DAVE, "third").status_code == 201
    assert refused(give(alice, DAVE, "releaser")) == [("dave", list(PAIR))]


def test_a_crowd_that_holds_one_of_them_costs_a_change_nothing(stage: Stage, alice: Caller) -> None:
    """Only holders of the role that few have are looked at; nobody reads the crowd."""
    write_people(stage, MANY)
    write_assignments(stage, "approver")
    began = thread_time()

    keep_apart(alice, *PAIR)
    assert give(alice, DAVE, "releaser").status_code == 201
    assert refused(give(alice, DAVE, "approver")) == [("dave", list(PAIR))]
    assert listed(alice) == []

    assert thread_time() - began < PATIENCE, "seconds of this thread alone, which would read the crowd"
