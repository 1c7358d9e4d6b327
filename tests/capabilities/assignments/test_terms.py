"""On what terms a role is given: new ones, changed ones, and those that cannot be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.assignments.service import Terms
from rbac_api.errors import Invalid
from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import after, give, make_role, take, told
from tests.cast import ALICE, BOB, CAROL, DAVE


@pytest.fixture
def alice(stage: Stage, frozen: Traveller) -> Caller:
    found = stage.as_(ALICE)
    make_role(found, "clerk", "invoices:read")
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def held(alice: Caller, role: str = "clerk", person: Any = DAVE) -> Any:
    """The assignment as it is listed, if it is."""
    found = alice.get(f"/v1/users/{alice.stage.user_id(person)}/roles").json["direct"]
    return next((assignment for assignment in found if assignment["role"] == role), None)


def test_a_new_assignment_has_the_terms_it_was_given_on(stage: Stage, alice: Caller) -> None:
    starts, ends = after(3600), after(7200.25)

    given = give(
        alice,
        DAVE,
        "clerk",
        starts_at=starts,
        expires_at=ends,
        mode="eligible",
        max_duration=600,
        reason="Audit",
    )

    assert given.status_code == 201
    assert given.json == held(alice)
    terms = {"starts_at": starts, "expires_at": ends, "mode": "eligible", "max_duration": 600}
    shown = {name: given.json[name] for name in terms}
    assert shown == {**terms, "starts_at": shown["starts_at"], "expires_at": shown["expires_at"]}
    assert [moment(shown[name]) for name in ("starts_at", "expires_at")] == [moment(starts), moment(ends)]
    assert told(stage, "assignment.created") == (None, {"role": "clerk", **terms})


def test_what_the_body_leaves_out_stays_and_null_takes_an_end_away(stage: Stage, alice: Caller) -> None:
    ends, later = after(3600), after(7200)
    first = give(alice, DAVE, "clerk", expires_at=ends, reason="Audit").json

    moved = give(alice, DAVE, "clerk", expires_at=later)
    assert (moved.status_code, moved.json["reason"]) == (200, "Audit")
    assert told(stage, "assignment.updated") == (
        {"role": "clerk", "expires_at": ends},
        {"role": "clerk", "expires_at": later},
    )
    endless = give(alice, DAVE, "clerk", expires_at=None, reason=None)
    assert endless.json == {**first, "expires_at": None, "reason": None}
    assert len(stage.events("assignment.updated")) == 2


def test_an_end_that_is_set_changes_the_row_and_raises_the_users_version(stage: Stage, alice: Caller) -> None:
    path = f"/v1/users/{stage.user_id(DAVE)}"
    give(alice, DAVE, "clerk")
    tag = alice.get(path).headers["ETag"]

    give(alice, DAVE, "clerk", expires_at=after(60))

    assert alice.get(path).headers["ETag"] != tag
    rows = "SELECT count(*) FROM assignments a JOIN roles r ON r.id = a.role_id WHERE r.name = 'clerk'"
    assert stage.query(rows) == [(1,)]


def test_another_mode_ends_the_row_and_begins_another(stage: Stage, alice: Caller, frozen: Traveller) -> None:
    first = give(alice, DAVE, "clerk", reason="Audit").json
    frozen.shift(10)

    changed = give(alice, DAVE, "clerk", mode="eligible", max_duration=90)

    assert (changed.status_code, changed.json["mode"], changed.json["reason"]) == (200, "eligible", "Audit")
    assert changed.json["starts_at"] > first["starts_at"]
    rows = "SELECT a.mode, a.valid_to FROM assignments a JOIN roles r ON r.id = a.role_id WHERE r.name = 'clerk' ORDER BY a.valid_from"
    assert [(mode, end is None) for mode, end in stage.query(rows)] == [("active", False), ("eligible", True)]
    back = give(alice, DAVE, "clerk", mode="active").json
    assert (back["mode"], back["max_duration"]) == ("active", None)


def test_of_another_mode_at_the_same_moment_nothing_of_the_old_one_is_left(
    stage: Stage, alice: Caller
) -> None:
    starts = after(3600)
    give(alice, DAVE, "clerk", starts_at=starts)

    changed = give(alice, DAVE, "clerk", mode="eligible")

    assert (moment(changed.json["starts_at"]), changed.json["mode"]) == (moment(starts), "eligible")
    assert held(alice) == changed.json
    empty = "SELECT count(*) FROM assignments WHERE valid_from = valid_to"
    assert stage.query(empty) == [(1,)]


def test_what_has_not_begun_may_begin_at_another_time_or_now(alice: Caller) -> None:
    give(alice, DAVE, "clerk", starts_at=after(3600), expires_at=after(7200))

    assert give(alice, DAVE, "clerk", starts_at=after(1800)).status_code == 200
    assert "clerk" not in alice.stage.as_(DAVE).get("/v1/me").json["roles"]
    assert give(alice, DAVE, "clerk", starts_at=None).status_code == 200
    assert "clerk" in alice.stage.as_(DAVE).get("/v1/me").json["roles"]


def test_to_repeat_a_request_is_to_change_nothing_however_late(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    terms = {"starts_at": after(60), "expires_at": after(800), "mode": "eligible"}
    assert give(alice, DAVE, "clerk", **terms).status_code == 201
    events = len(stage.events())

    for seconds in (0, 59, 200):
        frozen.shift(seconds)
        assert give(alice, DAVE, "clerk", **terms).status_code == 200
    assert len(stage.events()) == events


def test_a_moment_ago_is_now(alice: Caller) -> None:
    assert give(alice, DAVE, "clerk", starts_at=after(-59)).status_code == 201

    assert give(alice, DAVE, "clerk", starts_at=after(-30)).status_code == 200
    assert held(alice)["starts_at"] == held(alice)["assigned_at"]


def test_taking_away_what_has_not_begun_leaves_nothing_of_it(stage: Stage, alice: Caller) -> None:
    give(alice, DAVE, "clerk", starts_at=after(3600))

    assert take(alice, DAVE, "clerk").status_code == 204

    assert held(alice) is None
    assert take(alice, DAVE, "clerk").json["code"] == "assignment.not_found"
    assert give(alice, DAVE, "clerk").status_code == 201


@pytest.mark.parametrize("way", ["user", "role"])
def test_who_or_what_is_deleted_has_no_future_either(stage: Stage, alice: Caller, way: str) -> None:
    give(alice, DAVE, "clerk", starts_at=after(3600))
    path = f"/v1/users/{stage.user_id(DAVE)}" if way == "user" else "/v1/roles/clerk?force=true"

    assert alice.delete_now(path).status_code == 204

    rows = (
        "SELECT count(*) FROM assignments WHERE valid_from > assigned_at OR valid_to IS NULL AND user_id = "
    )
    mine = "(SELECT id FROM users WHERE username = 'dave')"
    assert stage.query(rows + mine) == [(0,)]


REFUSED: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a beginning in the past": ({}, {"starts_at": "-61"}, "/starts_at starts_at.past"),
    "an end in the past": ({}, {"expires_at": "-1"}, "/expires_at expires_at.past"),
    "an end at this moment": ({}, {"expires_at": "0"}, "/expires_at expires_at.past"),
    "an end before the beginning": (
        {},
        {"starts_at": "60", "expires_at": "60"},
        "/expires_at expires_at.before_start",
    ),
    "a beginning after the end there is": (
        {"starts_at": "60", "expires_at": "120"},
        {"starts_at": "120"},
        "/starts_at expires_at.before_start",
    ),
    "to begin again what has begun": ({"reason": "x"}, {"starts_at": "60"}, "/starts_at starts_at.begun"),
}


@pytest.mark.parametrize(("present", "wish", "fault"), REFUSED.values(), ids=REFUSED)
def test_terms_that_cannot_be(
    stage: Stage, alice: Caller, present: dict[str, str], wish: dict[str, str], fault: str
) -> None:
    def at(terms: dict[str, str]) -> dict[str, str]:
        return {name: v if name == "reason" else after(float(v)) for name, v in terms.items()}

    if present:
        give(alice, DAVE, "clerk", **at(present))
    before, events = held(alice), len(stage.events())

    answer = give(alice, DAVE, "clerk", **at(wish))

    assert answer.status_code == 422
    assert [f"{error['pointer']} {error['code']}" for error in answer.json["errors"]] == [fault]
    assert (held(alice), len(stage.events())) == (before, events)


@pytest.mark.parametrize(
    ("wish", "pointer"),
    [
        ({"max_duration": 600}, "/max_duration"),
        ({"max_duration": 600, "mode": "active"}, "/max_duration"),
        ({"max_duration": 59, "mode": "eligible"}, "/max_duration"),
        ({"max_duration": 86401, "mode": "eligible"}, "/max_duration"),
        ({"max_duration": 90.5, "mode": "eligible"}, "/max_duration"),
        ({"mode": "passive"}, "/mode"),
        ({"mode": None}, "/mode"),
        ({"expires_at": "tomorrow"}, "/expires_at"),
        ({"expires_at": "2027-01-01T00:00:00"}, "/expires_at"),
        ({"valid_to": "2027-01-01T00:00:00Z"}, "/valid_to"),
    ],
)
def test_terms_that_are_none(alice: Caller, wish: dict[str, Any], pointer: str) -> None:
    answer = give(alice, DAVE, "clerk", **wish)

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)
    assert held(alice) is None


def test_a_service_account_has_roles_for_a_time_but_none_to_activate(stage: Stage, alice: Caller) -> None:
    robot = alice.post("/v1/service-accounts", json={"name": "robot"}).json["id"]
    path, ends = f"/v1/service-accounts/{robot}/roles/clerk", after(3600)

    refused = alice.put(path, json={"mode": "eligible"})

    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "mode.not_eligible")
    assert alice.put(path, json={"expires_at": ends}).status_code == 201
    assert alice.put(path, json={"mode": "active", "expires_at": None}).json["expires_at"] is None
    assert stage.events("assignment.updated")[-1]["target_type"] == "service_account"


LONGER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a later end": ({"expires_at": 3600}, {"expires_at": 3601}),
    "no end": ({"expires_at": 3600}, {"expires_at": None}),
    "an earlier beginning": ({"starts_at": 3600}, {"starts_at": 3599}),
    "active instead of eligible": ({"mode": "eligible"}, {"mode": "active"}),
    "longer activations": ({"mode": "eligible", "max_duration": 60}, {"max_duration": 61}),
    "activations as long as any": ({"mode": "eligible", "max_duration": 60}, {"max_duration": None}),
}


def terms(wish: dict[str, Any]) -> dict[str, Any]:
    moments = {name: after(v) for name, v in wish.items() if name.endswith("_at") and v is not None}
    return {**wish, **moments}


@pytest.mark.parametrize(("present", "wish"), LONGER.values(), ids=LONGER)
def test_who_makes_an_assignment_count_for_more_hands_it_out(
    stage: Stage, alice: Caller, present: dict[str, Any], wish: dict[str, Any]
) -> None:
    make_role(alice, "treasurer", "payments:release")
    given = give(alice, DAVE, "treasurer", **terms(present)).json

    refused = give(stage.as_(BOB), DAVE, "treasurer", **terms(wish))

    assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert refused.json["missing"] == ["payments:release"]
    assert held(alice, "treasurer") == given


SHORTER: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "an end": ({}, {"expires_at": 3600}),
    "an earlier end": ({"expires_at": 3600}, {"expires_at": 3599}),
    "a later beginning": ({"starts_at": 3600}, {"starts_at": 3601}),
    "eligible instead of active": ({}, {"mode": "eligible", "max_duration": 60}),
    "shorter activations": ({"mode": "eligible"}, {"max_duration": 60}),
}


@pytest.mark.parametrize(("present", "wish"), SHORTER.values(), ids=SHORTER)
def test_who_holds_what_dave_holds_may_make_it_count_for_less(
    stage: Stage, alice: Caller, present: dict[str, Any], wish: dict[str, Any]
) -> None:
    give(alice, DAVE, "clerk", **terms(present))

    assert give(stage.as_(BOB), DAVE, "clerk", **terms(wish)).status_code == 200
    assert stage.events("assignment.updated")[-1]["actor_name"] == "bob"


@pytest.mark.parametrize(("present", "wish"), SHORTER.values(), ids=SHORTER)
def test_nobody_makes_the_assignment_of_somebody_stronger_count_for_less(
    stage: Stage, alice: Caller, present: dict[str, Any], wish: dict[str, Any]
) -> None:
    make_role(alice, "treasurer", "payments:release")
    give(alice, DAVE, "treasurer", **terms(present))

    refused = give(stage.as_(BOB), DAVE, "treasurer", **terms(wish))

    assert (refused.status_code, refused.json["code"]) == (403, "target.stronger")


def test_who_may_only_take_away_cannot_change_terms(stage: Stage, alice: Caller) -> None:
    give(alice, DAVE, "clerk")

    assert (
        give(stage.as_(CAROL), DAVE, "clerk", expires_at=after(60)).json["required"] == "assignments:create"
    )


@pytest.mark.parametrize("seconds", [59, 86401])
def test_a_document_cannot_ask_for_more_than_a_body_could(seconds: int) -> None:
    with pytest.raises(Invalid) as refused:
        Terms(mode="eligible", max_duration=seconds).settled(None, clock.now())

    assert [fault.pointer for fault in refused.value.faults] == ["/max_duration"]
