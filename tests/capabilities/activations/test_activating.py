"""Making roles active in a session: what may be, for how long, and that it ends with whatever it rests on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api import clock
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import (
    activate,
    after,
    at,
    begin_with,
    drop,
    give,
    make_role,
    take,
    told,
)
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE

A_MOMENT = timedelta(milliseconds=1)


@pytest.fixture
def alice(stage: Stage, frozen: Traveller) -> Caller:
    """Alice, who has made Dave an auditor whenever he needs to be."""
    found = stage.as_(ALICE)
    give(found, DAVE, "auditor", mode="eligible")
    return found


def listed(caller: Caller) -> dict[str, Any]:
    return {item["role"]: item for item in caller.get("/v1/me/activations").json["items"]}


def test_dave_makes_a_role_active_and_may_on_his_next_request_everywhere(
    stage: Stage, node: OpenNode, alice: Caller
) -> None:
    dave = stage.as_(DAVE)
    there = at(node(), dave)
    assert [caller.get("/v1/users").status_code for caller in (dave, there)] == [403, 403]

    made = activate(there, "auditor")

    assert (made.status_code, made.json) == (201, listed(dave)["auditor"])
    assert (made.json["mode"], made.json["active"], made.json["reason"]) == ("eligible", True, "Month-end")
    for caller in (dave, there):
        answer = caller.get("/v1/users")
        assert (answer.status_code, answer.headers["Authz-Stale"]) == (200, "true")
    assert dave.get("/v1/me").json["roles"] == ["auditor"]


def test_the_refreshed_token_carries_it_and_does_not_outlive_it(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    activate(dave, "auditor", 100)

    dave.tokens = refresh(stage, dave.tokens["refresh_token"]).json

    assert claims(dave.tokens["access_token"])["roles"] == ["auditor"]
    assert dave.tokens["expires_in"] in (99, 100)
    assert "Authz-Stale" not in dave.get("/v1/users").headers
    frozen.shift(101)
    assert claims(refresh(stage, dave.tokens["refresh_token"]).json["access_token"])["roles"] == []


def test_it_lasts_to_the_last_millisecond_and_not_a_moment_longer_at_either_node(
    stage: Stage, node: OpenNode, alice: Caller, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    there = at(node(), dave)
    activate(dave, "auditor", 60)

    frozen.shift(timedelta(seconds=60) - A_MOMENT)
    before = [caller.get("/v1/users").status_code for caller in (dave, there)]
    frozen.shift(A_MOMENT)
    since = [caller.get("/v1/users").status_code for caller in (dave, there)]

    assert (before, since) == ([200, 200], [403, 403])
    assert (
        listed(dave)["auditor"] | {"active": False, "until": None, "reason": None} == listed(dave)["auditor"]
    )


def test_one_session_of_daves_never_helps_another(stage: Stage, alice: Caller) -> None:
    first, second = stage.as_(DAVE), stage.as_(DAVE)

    activate(first, "auditor")
    third = stage.as_(DAVE)

    assert [caller.get("/v1/users").status_code for caller in (first, second, third)] == [200, 403, 403]
    assert [caller.get("/v1/me").json["roles"] for caller in (second, third)] == [[], []]
    assert drop(second, "auditor").json["code"] == "activation.not_found"
    assert first.get("/v1/users").status_code == 200


def test_what_dave_does_stands_in_the_trail(stage: Stage, alice: Caller) -> None:
    dave = stage.as_(DAVE)

    until = activate(dave, "auditor", 60).json["until"]
    again = activate(dave, "auditor", 120)
    drop(dave, "auditor")

    assert again.status_code == 200
    assert again.json["until"] > until
    created, ended = stage.events("activation.created"), stage.events("activation.ended")
    assert {(e["actor_name"], e["target_id"]) for e in (*created, *ended)} == {
        ("dave", dave.tokens["session_id"])
    }
    assert [event["reason"] for event in created] == ["Month-end"] * 2
    before, latest = told(stage, "activation.created")
    assert (before["role"], latest["role"]) == ("auditor", "auditor")
    assert datetime.fromisoformat(before["until"]) == datetime.fromisoformat(until)
    assert told(stage, "activation.ended") == ({"role": "auditor"}, None)


def test_dave_drops_it_and_may_no_more(stage: Stage, node: OpenNode, alice: Caller) -> None:
    dave = stage.as_(DAVE)
    there = at(node(), dave)
    activate(dave, "auditor")

    assert drop(dave, "auditor").status_code == 204

    assert [caller.get("/v1/users").status_code for caller in (dave, there)] == [403, 403]
    assert drop(dave, "auditor").status_code == 404
    assert activate(dave, "auditor").status_code == 201


Loss = Any
LOSSES: dict[str, Loss] = {
    "the assignment is taken away": lambda alice, _dave: take(alice, DAVE, "auditor"),
    "it becomes one with an end": lambda alice, _dave: give(alice, DAVE, "auditor", expires_at=after(1)),
    "the session is ended": lambda alice, dave: alice.delete(f"/v1/sessions/{dave.tokens['session_id']}"),
    "he signs out": lambda _alice, dave: dave.post("/v1/auth/logout"),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_it_ends_with_what_it_rests_on(
    stage: Stage, node: OpenNode, alice: Caller, frozen: Traveller, loss: Loss
) -> None:
    dave = stage.as_(DAVE)
    there = at(node(), dave)
    activate(dave, "auditor")
    assert there.get("/v1/users").status_code == 200

    assert loss(alice, dave).status_code < 300
    frozen.shift(1)

    assert {caller.get("/v1/users").status_code for caller in (dave, there)} <= {401, 403}


@pytest.mark.parametrize("terms", [{"mode": "eligible"}, {"mode": "eligible", "max_duration": 600}])
def test_an_assignment_given_again_brings_no_activation_back(
    stage: Stage, alice: Caller, frozen: Traveller, terms: dict[str, Any]
) -> None:
    dave = stage.as_(DAVE)
    activate(dave, "auditor")
    take(alice, DAVE, "auditor")
    frozen.shift(1)

    give(alice, DAVE, "auditor", **terms)

    assert dave.get("/v1/users").status_code == 403
    assert activate(dave, "auditor").status_code in (200, 201)
    assert dave.get("/v1/users").status_code == 200


def test_a_role_that_is_deleted_and_made_again_is_another(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk", "users:read")
    give(alice, DAVE, "clerk", mode="eligible")
    dave = stage.as_(DAVE)
    activate(dave, "clerk")
    assert dave.get("/v1/users").status_code == 200

    alice.delete_now("/v1/roles/clerk?force=true")
    assert dave.get("/v1/users").status_code == 403
    make_role(alice, "clerk", "users:read")
    give(alice, DAVE, "clerk", mode="eligible")

    assert dave.get("/v1/users").status_code == 403


LIMITS: dict[str, tuple[dict[str, Any], int, int]] = {
    "as configured": ({}, 28800, 28801),
    "as the assignment has it": ({"max_duration": 120}, 120, 121),
    "longer than configured": ({"max_duration": 43000}, 43000, 43001),
}


@pytest.mark.parametrize(("terms", "longest", "over"), LIMITS.values(), ids=LIMITS)
def test_no_longer_than_it_may_be(
    stage: Stage, alice: Caller, terms: dict[str, Any], longest: int, over: int
) -> None:
    give(alice, DAVE, "auditor", **terms)
    dave = stage.as_(DAVE)

    refused = activate(dave, "auditor", over)

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/duration")
    assert listed(dave)["auditor"]["max_duration"] == longest
    assert activate(dave, "auditor", longest).status_code == 201


def test_neither_longer_than_the_assignment_nor_than_the_session(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    ends = give(alice, DAVE, "auditor", expires_at=after(90)).json["expires_at"]
    dave = stage.as_(DAVE)

    assert activate(dave, "auditor", 600).json["until"] == ends
    assert listed(dave)["auditor"]["expires_at"] == ends
    give(alice, DAVE, "auditor", expires_at=None, max_duration=86400)
    made = activate(dave, "auditor", 86400).json["until"]
    assert datetime.fromisoformat(made) - datetime.fromisoformat(after(0)) <= timedelta(seconds=43200)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"duration": 60},
        {"reason": "x"},
        {"duration": 0, "reason": "x"},
        {"duration": 60, "reason": ""},
        {"duration": "60", "reason": "x"},
        {"duration": True, "reason": "x"},
        {"duration": 60, "reason": "x", "until": "2030-01-01T00:00:00Z"},
    ],
)
def test_duration_and_reason_are_asked_for(stage: Stage, alice: Caller, body: dict[str, Any]) -> None:
    assert stage.as_(DAVE).put("/v1/me/activations/auditor", json=body).status_code == 422


@pytest.mark.parametrize("role", ["admin", "no-such-role", "role-manager"])
def test_nobody_makes_active_what_nothing_allows_and_learns_nothing_of_what_there_is(
    stage: Stage, alice: Caller, role: str
) -> None:
    refused = activate(stage.as_(DAVE), role)

    assert (refused.status_code, refused.json["code"]) == (403, "activation.not_eligible")
    assert role not in refused.json["detail"]
    assert stage.events("access.refused")[-1]["actor_name"] == "dave"


def test_what_has_not_begun_or_is_over_cannot_be_made_active(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    make_role(alice, "clerk")
    give(alice, DAVE, "clerk", mode="eligible", starts_at=after(60), expires_at=after(120))
    dave, codes = stage.as_(DAVE), []

    for _ in range(3):
        codes.append(activate(dave, "clerk", 1).status_code)
        assert ("clerk" in listed(dave)) == (codes[-1] == 201)
        frozen.shift(60)

    assert codes == [403, 201, 403]


def test_an_eligible_chief_may_be_clerk_alone(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk", "invoices:read")
    make_role(alice, "chief", "invoices:approve", inherits="clerk")
    give(alice, DAVE, "chief", mode="eligible", max_duration=300)
    dave = stage.as_(DAVE)

    made = activate(dave, "clerk", 300)

    assert (made.status_code, made.json["max_duration"]) == (201, 300)
    assert dave.get("/v1/me").json["permissions"] == ["invoices:read"]
    assert [role for role, item in listed(dave).items() if item["active"]] == ["clerk"]
    activate(dave, "chief", 60)
    assert dave.get("/v1/me").json["roles"] == ["chief", "clerk"]


def test_of_two_ways_to_a_role_the_one_that_lasts_counts(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk")
    make_role(alice, "chief", inherits="clerk")
    ends = give(alice, DAVE, "clerk", mode="eligible", max_duration=7200, expires_at=after(3600)).json[
        "expires_at"
    ]
    give(alice, DAVE, "chief", mode="eligible", max_duration=120)
    dave = stage.as_(DAVE)

    assert activate(dave, "clerk", 7200).json["until"] == ends
    assert listed(dave)["clerk"]["expires_at"] is None


def test_with_a_subset_the_other_roles_can_be_made_active_and_dropped_again(
    stage: Stage, alice: Caller
) -> None:
    carol = begin_with(stage, CAROL)
    assert listed(carol)["auditor"] | {"mode": "active", "active": False} == listed(carol)["auditor"]

    assert activate(carol, "auditor").status_code == 201

    assert carol.get("/v1/users").status_code == 200
    assert drop(carol, "auditor").status_code == 204
    assert carol.get("/v1/users").status_code == 403


def test_carol_drops_what_she_has_by_default_and_goes_on_with_the_rest(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk", "invoices:read")
    give(alice, CAROL, "clerk")
    carol, other = stage.as_(CAROL), stage.as_(CAROL)

    assert drop(carol, "auditor").status_code == 204

    assert (carol.get("/v1/me").json["roles"], carol.get("/v1/me").json["session"]["roles"]) == (
        ["clerk"],
        ["clerk"],
    )
    assert carol.get("/v1/users").status_code == 403
    assert other.get("/v1/users").status_code == 200
    assert drop(carol, "clerk").status_code == 204
    assert drop(carol, "clerk").status_code == 404
    assert activate(carol, "auditor").status_code == 201
    assert carol.get("/v1/me").json["roles"] == ["auditor"]


def test_to_drop_one_of_the_defaults_leaves_what_was_made_active_as_it_is(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    make_role(alice, "clerk")
    give(alice, CAROL, "clerk", mode="eligible")
    carol = stage.as_(CAROL)
    activate(carol, "clerk", 60)

    drop(carol, "auditor")

    assert carol.get("/v1/me").json["roles"] == ["clerk"]
    frozen.shift(60)
    assert carol.get("/v1/me").json["roles"] == []


def test_a_dynamic_constraint_binds_what_is_made_active(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk")
    give(alice, CAROL, "clerk", mode="eligible")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["auditor", "clerk"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    carol = stage.as_(CAROL)

    refused = activate(carol, "clerk")

    assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated")
    assert refused.json["violations"][0]["roles"] == ["auditor", "clerk"]
    assert carol.get("/v1/me").json["roles"] == ["auditor"]
    drop(carol, "auditor")
    assert activate(carol, "clerk").status_code == 201
    assert activate(carol, "auditor").status_code == 409


def test_of_default_roles_that_are_kept_apart_carol_chooses_one(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk")
    give(alice, CAROL, "clerk")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["auditor", "clerk"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    carol = stage.as_(CAROL)
    assert carol.get("/v1/me").json["roles"] == []

    assert activate(carol, "auditor").status_code == 201

    assert carol.get("/v1/me").json["roles"] == ["auditor"]
    assert activate(carol, "clerk").status_code == 409


def test_a_role_that_asks_for_a_second_factor_is_made_active_only_with_one(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    weak = stage.as_(DAVE)
    device = enrolled(stage.as_(DAVE))
    frozen.shift(60)
    strong = strongly(stage, DAVE, device.code())
    stage.execute("UPDATE roles SET requires_mfa = TRUE WHERE name = 'auditor'")

    refused = activate(weak, "auditor")

    assert (refused.json["code"], listed(weak)) == ("activation.not_eligible", {})
    assert "auditor is effective only after signing in with a second factor" in refused.json["detail"]
    assert activate(strong, "auditor").status_code == 201
    assert strong.get("/v1/users").status_code == 200


def test_who_made_a_role_active_hands_out_what_it_holds_only_in_that_session(
    stage: Stage, alice: Caller
) -> None:
    make_role(alice, "giver", "assignments:create")
    make_role(alice, "treasurer", "payments:release")
    give(alice, CAROL, "giver")
    give(alice, CAROL, "treasurer", mode="eligible")
    carol, other, path = (
        stage.as_(CAROL),
        stage.as_(CAROL),
        f"/v1/users/{stage.user_id(DAVE)}/roles/treasurer",
    )
    take(alice, DAVE, "auditor")

    activate(carol, "treasurer")

    soon = {"expires_at": clock.rfc3339(clock.now() + timedelta(seconds=30))}
    assert other.put(path, json=soon).json["code"] == "escalation.denied"
    assert carol.put(path).json["code"] == "escalation.denied", "for longer than it is active"
    assert carol.put(path, json=soon).status_code == 201


def test_a_sign_in_long_ago_activates_nothing(stage: Stage, alice: Caller, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    for _ in range(5):
        frozen.shift(800)
        dave.tokens = refresh(stage, dave.tokens["refresh_token"]).json

    assert activate(dave, "auditor").json["code"] == "signin.too_old"
    assert activate(stage.as_(DAVE), "auditor").status_code == 201


def test_the_list_comes_in_pages_and_needs_a_person(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk")
    make_role(alice, "chief", inherits="clerk")
    give(alice, DAVE, "chief")
    dave = stage.as_(DAVE)

    first = dave.get("/v1/me/activations?limit=2&count=true").json
    rest = dave.get(f"/v1/me/activations?limit=2&cursor={first['next']}").json

    assert [item["role"] for item in (*first["items"], *rest["items"])] == ["auditor", "chief", "clerk"]
    assert (first["total"], rest["next"]) == (3, None)
    assert [item["active"] for item in (*first["items"], *rest["items"])] == [False, True, True]


def test_a_program_has_nothing_to_activate(stage: Stage, alice: Caller) -> None:
    robot = alice.post("/v1/service-accounts", json={"name": "robot"}).json["id"]
    alice.put(f"/v1/service-accounts/{robot}/roles/auditor")
    secret = alice.post(f"/v1/service-accounts/{robot}/secrets").json["client_secret"]
    form = {"grant_type": "client_credentials", "client_id": robot, "client_secret": secret}
    program = stage.caller()
    program.tokens = program.post("/oauth/token", data=form).json

    answers = [program.get("/v1/me/activations"), activate(program, "auditor"), drop(program, "auditor")]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(404, "user.not_found")}


@pytest.mark.parametrize("mode", ["active", "eligible"])
def test_nobody_gives_herself_for_longer_what_she_has_for_a_time(
    stage: Stage, alice: Caller, mode: str
) -> None:
    """Otherwise whoever may hand out roles would make her eligible one permanent, in the one hour in which it is active."""
    take(alice, DAVE, "auditor")
    make_role(alice, "giver", "assignments:create", "users:read")
    make_role(alice, "reader", "users:read")
    ends, later = after(600), after(601)
    give(alice, DAVE, "giver", mode=mode, expires_at=ends)
    dave, path = stage.as_(DAVE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    activate(dave, "giver")

    wishes: list[tuple[str, dict[str, Any]]] = [
        ("giver", {"mode": "active", "expires_at": None}), ("giver", {"expires_at": later}), ("reader", {}),
        ("reader", {"expires_at": later}), ("reader", {"mode": "eligible"}),
    ]  # fmt: skip
    for role, terms in wishes:
        refused = dave.put(f"{path}/{role}", json=terms)
        assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied"), (role, terms)
        assert "users:read" in refused.json["missing"]
    assert dave.put(f"{path}/giver").status_code == 200  # which changes nothing
    as_long = dave.put(f"{path}/reader", json={"expires_at": ends})
    assert as_long.status_code == (201 if mode == "active" else 403)
    assert dave.put(f"{path}/giver", json={"expires_at": after(60)}).status_code == 200


def test_what_she_has_without_an_end_she_may_give_herself_once_more(stage: Stage, alice: Caller) -> None:
    make_role(alice, "reader", "users:read")
    path = f"/v1/users/{stage.user_id(BOB)}/roles/reader"

    assert stage.as_(BOB).put(path).status_code == 201


def test_detached_verifiers_hear_of_a_role_that_was_dropped(stage: Stage, alice: Caller) -> None:
    dave = stage.as_(DAVE)
    activate(dave, "auditor")
    dave.tokens = refresh(stage, dave.tokens["refresh_token"]).json
    stale = claims(dave.tokens["access_token"])

    drop(dave, "auditor")

    renewed = claims(refresh(stage, dave.tokens["refresh_token"]).json["access_token"])
    assert (stale["roles"], renewed["roles"]) == (["auditor"], [])
    rows = stage.query("SELECT minimum FROM revocations WHERE kind = 'av' ORDER BY seq DESC")
    assert rows[0][0] == renewed["av"] == stale["av"] + 1
