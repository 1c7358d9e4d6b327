"""Whatever brings a violation about is refused and changes nothing: by assignment, time, mode, inheritance, withdrawal, at once."""

import json

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import (
    CONSTRAINTS,
    PAIR,
    constrain,
    give,
    in_days,
    inherit,
    keep_apart,
    make_roles,
    refused,
    roles_of,
    take,
)
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made a few roles."""
    found = stage.as_(ALICE)
    make_roles(found, *PAIR, "third", "chief", "boss")
    return found


def test_who_holds_one_is_not_given_the_other(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "approver")
    events = len(stage.events())

    answer = give(alice, DAVE, "releaser")

    assert refused(answer) == [("dave", list(PAIR))]
    (found,) = answer.json["violations"]
    assert found["from"].endswith("Z")
    assert found["until"] is None
    assert "dave" in answer.json["detail"]
    assert roles_of(stage, DAVE) == ["approver"]
    (told,) = stage.events()[events:]
    assert (told["action"], json.loads(told["after"])["code"]) == ("access.refused", "constraint.violated")
    assert give(alice, BOB, "releaser").status_code == 201


def test_eligible_counts_as_held(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "approver", mode="eligible")

    assert refused(give(alice, DAVE, "releaser")) == [("dave", list(PAIR))]
    assert refused(give(alice, DAVE, "releaser", mode="eligible")) == [("dave", list(PAIR))]


def test_one_after_the_other_is_no_violation_until_the_times_are_moved(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    change = in_days(5)
    assert give(alice, DAVE, "approver", expires_at=change).status_code == 201
    assert give(alice, DAVE, "releaser", starts_at=change).status_code == 201, "they touch, and never meet"

    for role, terms in (
        ("approver", {"expires_at": in_days(6)}),
        ("approver", {"expires_at": None}),
        ("releaser", {"starts_at": in_days(4)}),
    ):
        assert refused(give(alice, DAVE, role, **terms)) == [("dave", list(PAIR))]
    assert give(alice, DAVE, "approver", expires_at=in_days(4)).status_code == 200


def test_a_senior_of_both_can_be_given_to_nobody(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    for role in PAIR:
        assert inherit(alice, "chief", role).status_code == 201
    assert inherit(alice, "boss", "chief").status_code == 201, "as long as nobody holds it"

    assert refused(give(alice, DAVE, "chief")) == [("dave", list(PAIR))]
    assert refused(give(alice, DAVE, "boss")) == [("dave", list(PAIR))]


def test_a_role_that_somebody_holds_does_not_come_to_inherit_what_she_may_not_have(
    stage: Stage, alice: Caller
) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "boss")
    give(alice, DAVE, "approver")
    inherit(alice, "boss", "chief")

    assert refused(inherit(alice, "chief", "releaser")) == [("dave", list(PAIR))]

    assert alice.get("/v1/roles/chief").json["inherits"] == []
    assert take(alice, DAVE, "approver").status_code == 204
    assert inherit(alice, "chief", "releaser").status_code == 201


def test_what_a_role_holds_has_no_effect(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "approver")
    give(alice, DAVE, "third")

    for role in (*PAIR, "third"):
        assert alice.put(f"/v1/roles/{role}/permissions/payments:release").status_code == 201
        assert alice.delete(f"/v1/roles/{role}/permissions/payments:release").status_code == 204


def test_a_dynamic_one_hinders_no_assignment(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "dynamic", *PAIR, limit=2).status_code == 201

    assert [give(alice, DAVE, role).status_code for role in PAIR] == [201, 201]
    assert inherit(alice, "chief", "approver").status_code == 201


def test_two_of_three_are_enough_and_three_of_three_needed(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "static", *PAIR, "third", limit=3).status_code == 201
    for role in PAIR:
        assert give(alice, DAVE, role).status_code == 201
    assert refused(give(alice, DAVE, "third")) == [("dave", [*PAIR, "third"])]
    assert constrain(alice, "static", "third", "chief", "boss", limit=2, name="narrow").status_code == 201
    assert give(alice, CAROL, "chief").status_code == 201
    assert refused(give(alice, CAROL, "boss")) == [("carol", ["chief", "boss"])]


def test_who_requires_another_role_needs_it_for_all_the_time(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "requires", "approver", "third").status_code == 201
    assert refused(give(alice, DAVE, "approver")) == [("dave", ["approver", "third"])]
    assert give(alice, DAVE, "third", expires_at=in_days(5)).status_code == 201
    assert refused(give(alice, DAVE, "approver")) == [("dave", ["approver", "third"])]
    assert give(alice, DAVE, "approver", expires_at=in_days(3)).status_code == 201

    refusals = [
        take(alice, DAVE, "third"),
        give(alice, DAVE, "third", expires_at=in_days(2)),
        give(alice, DAVE, "approver", expires_at=in_days(6)),
    ]

    assert [refused(answer) for answer in refusals] == [[("dave", ["approver", "third"])]] * 3
    assert take(alice, DAVE, "approver").status_code == 204
    assert take(alice, DAVE, "third").status_code == 204


def test_a_refusal_says_which_required_role_is_missing(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "requires", "approver", "third", "chief").status_code == 201
    assert give(alice, DAVE, "chief").status_code == 201

    answer = give(alice, DAVE, "approver")

    assert refused(answer) == [("dave", ["approver", "third"])]
    assert answer.json["detail"].startswith("dave would hold approver without third, which the constraint")


def test_what_was_required_by_inheritance_is_not_taken_away(stage: Stage, alice: Caller) -> None:
    inherit(alice, "chief", "third")
    inherit(alice, "boss", "chief")
    give(alice, DAVE, "boss")
    assert constrain(alice, "requires", "approver", "third").status_code == 201
    assert give(alice, DAVE, "approver").status_code == 201

    refusals = [
        alice.delete("/v1/roles/chief/inherits/third"),
        alice.delete("/v1/roles/boss/inherits/chief"),
        alice.delete_now("/v1/roles/chief?force=true"),
        alice.delete_now("/v1/roles/boss?force=true"),
        take(alice, DAVE, "boss"),
    ]

    assert [refused(answer) for answer in refusals] == [[("dave", ["approver", "third"])]] * 5
    assert roles_of(stage, DAVE) == ["approver", "boss"]


def test_no_more_people_than_allowed_disabled_ones_and_programs_counted(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "max-holders", "approver", limit=2).status_code == 201
    inherit(alice, "chief", "approver")
    robot = make_robot(stage)
    assert give(alice, MALLORY, "approver").status_code == 201
    assert alice.put(f"{robot.path}/roles/chief").status_code == 201
    assert give(alice, MALLORY, "chief").status_code == 201, "the same person again"

    assert refused(give(alice, DAVE, "chief")) == [(None, ["approver"])]
    assert refused(give(alice, DAVE, "approver", starts_at=in_days(9))) == [(None, ["approver"])]

    alice.delete_now(f"/v1/users/{stage.user_id(MALLORY)}")
    assert give(alice, DAVE, "approver").status_code == 201


def test_the_seat_is_handed_over_at_a_moment(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "max-holders", "approver", limit=1).status_code == 201
    change = in_days(5)

    assert give(alice, DAVE, "approver", expires_at=change).status_code == 201
    assert give(alice, BOB, "approver", starts_at=change).status_code == 201

    assert refused(give(alice, DAVE, "approver", expires_at=in_days(6))) == [(None, ["approver"])]
    assert refused(give(alice, CAROL, "approver", starts_at=in_days(1), expires_at=in_days(2))) != []


def test_inheriting_makes_holders_too(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "max-holders", "approver", limit=1).status_code == 201
    for person in (BOB, DAVE):
        give(alice, person, "chief")

    assert refused(inherit(alice, "chief", "approver")) == [(None, ["approver"])]

    take(alice, BOB, "chief")
    assert inherit(alice, "chief", "approver").status_code == 201
    assert refused(give(alice, BOB, "chief")) == [(None, ["approver"])]


def test_programs_are_bound_as_people_are(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    robot = make_robot(stage)
    assert alice.put(f"{robot.path}/roles/approver").status_code == 201

    assert refused(alice.put(f"{robot.path}/roles/releaser")) == [("invoice-robot", list(PAIR))]


def test_a_role_in_a_constraint_is_not_deleted_not_even_by_force(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)

    for how in ("", "?force=true"):
        answer = alice.delete_now(f"/v1/roles/approver{how}")
        assert (answer.status_code, answer.json["code"]) == (409, "role.in_use")
        assert "rule" in answer.json["detail"]
    alice.delete(f"{CONSTRAINTS}/rule")
    assert alice.delete_now("/v1/roles/approver").status_code == 204


def test_leaving_and_coming_back_breaks_nothing(stage: Stage, alice: Caller) -> None:
    """A disabled user keeps what she holds and keeps counting, so enabling her cannot bring a violation about."""
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "approver")
    path = f"/v1/users/{stage.user_id(DAVE)}"
    assert alice.patch_now(path, {"status": "disabled"}).status_code == 200

    assert refused(give(alice, DAVE, "releaser")) == [("dave", list(PAIR))]

    assert alice.patch_now(path, {"status": "active"}).status_code == 200
