"""Signing in with some of one's roles: the session can do what they can, and nothing beyond (INCITS 359, CreateSession)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from time_machine import Traveller

from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import after, at, begin_with, give, make_role, take, told, try_with
from tests.capabilities.second_factor.device import enrolled
from tests.capabilities.signin.crowd import claims, end_of, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY


@pytest.fixture
def alice(stage: Stage, frozen: Traveller) -> Caller:
    """Alice, who has given Bob a second role beside his own."""
    found = stage.as_(ALICE)
    make_role(found, "clerk", "payments:release")
    make_role(found, "chief", inherits="clerk")
    give(found, BOB, "chief")
    return found


def test_bob_begins_as_chief_alone_and_can_do_nothing_that_only_his_other_role_may(
    stage: Stage, node: OpenNode, alice: Caller
) -> None:
    bob = begin_with(stage, BOB, "chief")
    there = at(node(), bob)

    me = bob.get("/v1/me").json

    assert (me["roles"], me["permissions"]) == (["chief", "clerk"], ["payments:release"])
    assert me["session"]["roles"] == ["chief"]
    assert claims(bob.tokens["access_token"])["roles"] == ["chief", "clerk"]
    assert "Authz-Stale" not in bob.get("/v1/me").headers
    for caller in (bob, there):
        refused = caller.get("/v1/users")
        assert (refused.status_code, refused.json["required"]) == (403, "users:read")
    assert stage.as_(BOB).get("/v1/users").status_code == 200


def test_an_inherited_role_is_chosen_without_the_one_that_it_comes_through(
    stage: Stage, alice: Caller
) -> None:
    assert begin_with(stage, BOB, "clerk", "clerk").get("/v1/me").json["roles"] == ["clerk"]


def test_bob_begins_with_no_role_at_all(stage: Stage, alice: Caller) -> None:
    bob = begin_with(stage, BOB)

    assert (bob.get("/v1/me").json["roles"], bob.get("/v1/me").json["session"]["roles"]) == ([], [])
    assert claims(bob.tokens["access_token"])["roles"] == []
    assert bob.get("/v1/me/sessions").json["items"][0]["roles"] == []


def test_what_he_chose_stands_in_the_trail_and_in_the_list(stage: Stage, alice: Caller) -> None:
    bob = begin_with(stage, BOB, "chief")
    stage.as_(BOB)

    events = [json.loads(event["after"]) for event in stage.events("signin.succeeded")]
    assert [event.get("roles") for event in events[-2:]] == [["chief"], None]
    listed = alice.get("/v1/sessions?user=bob").json["items"]
    assert {session["id"]: session["roles"] for session in listed}[bob.tokens["session_id"]] == ["chief"]
    assert sorted(str(session["roles"]) for session in listed) == ["None", "['chief']"]


def test_refreshing_neither_widens_nor_loses_the_choice(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    bob = begin_with(stage, BOB, "chief")

    for _ in range(2):  # the second is the repetition of the first
        again = refresh(stage, bob.tokens["refresh_token"]).json
        assert claims(again["access_token"])["roles"] == ["chief", "clerk"]
        caller = stage.caller()
        caller.tokens = again
        assert caller.get("/v1/users").status_code == 403


def test_a_browser_chooses_too(stage: Stage, alice: Caller) -> None:
    body = {"username": "bob", "password": "tulip lantern gravel 42", "roles": ["chief"]}

    answer = stage.app.test_client().post("/v1/auth/login?mode=cookie", json=body)

    session = alice.get(f"/v1/sessions/{answer.json['session_id']}").json  # type: ignore[index]
    assert (answer.status_code, session["roles"]) == (200, ["chief"])


def test_a_role_lost_and_given_again_counts_again_and_one_given_later_does_not(
    stage: Stage, alice: Caller
) -> None:
    bob = begin_with(stage, BOB, "chief")
    assert take(alice, BOB, "chief").status_code == 204
    assert bob.get("/v1/me").json["roles"] == []

    give(alice, BOB, "chief")
    give(alice, BOB, "auditor")

    assert bob.get("/v1/me").json["roles"] == ["chief", "clerk"]


def test_nobody_hands_out_by_a_role_she_left_at_home(stage: Stage, alice: Caller) -> None:
    make_role(alice, "giver", "assignments:create", "users:read")
    make_role(alice, "treasurer", "payments:release")
    give(alice, CAROL, "giver")
    give(alice, CAROL, "treasurer")
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/treasurer"

    refused = begin_with(stage, CAROL, "giver").put(path)

    assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert stage.as_(CAROL).put(path).status_code == 201


def test_an_administrator_who_left_admin_at_home_still_counts_as_the_last_one(stage: Stage) -> None:
    begin_with(stage, ALICE)

    assert take(stage.as_(ALICE), ALICE, "admin").json["code"] == "admin.last"


@pytest.mark.parametrize(
    ("chosen", "lacking"),
    [
        (["admin"], ["admin"]),
        (["chief", "auditor", "no-such-role"], ["auditor", "no-such-role"]),
        (["later"], ["later"]),
        (["maybe"], ["maybe"]),
    ],
)
def test_roles_that_are_not_his_at_this_moment_are_refused_and_no_session_begins(
    stage: Stage, alice: Caller, chosen: list[str], lacking: list[str]
) -> None:
    make_role(alice, "later")
    make_role(alice, "maybe")
    give(alice, BOB, "later", starts_at=after(60))
    give(alice, BOB, "maybe", mode="eligible")
    sessions = stage.query("SELECT count(*) FROM sessions")

    answer = try_with(stage, BOB, chosen)

    assert (answer.status_code, answer.json["code"]) == (403, "roles.not_authorized")
    assert answer.json["roles"] == lacking
    assert stage.query("SELECT count(*) FROM sessions") == sessions
    event = stage.events("access.refused")[-1]
    assert (event["actor_name"], told(stage, "access.refused")[1]["code"]) == ("bob", "roles.not_authorized")


def test_a_role_that_asks_for_a_second_factor_is_not_his_without_one(stage: Stage, alice: Caller) -> None:
    enrolled(alice)
    stage.execute("UPDATE roles SET requires_mfa = TRUE WHERE name = 'clerk'")

    assert try_with(stage, BOB, ["clerk"]).json["roles"] == ["clerk"]
    assert try_with(stage, BOB, ["chief"]).status_code == 200


def test_roles_that_may_not_be_active_together_are_refused_and_each_alone_is_not(
    stage: Stage, alice: Caller
) -> None:
    make_role(alice, "treasurer")
    give(alice, BOB, "treasurer")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "treasurer"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201

    refused = try_with(stage, BOB, ["chief", "treasurer"])

    assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated")
    assert refused.json["constraint"] == "apart"
    assert begin_with(stage, BOB, "chief").get("/v1/me").json["roles"] == ["chief", "clerk"]
    assert begin_with(stage, BOB, "treasurer").get("/v1/me").json["roles"] == ["treasurer"]


ATTEMPTS: dict[str, Any] = {
    "a role that exists": ["admin"],
    "a role that does not": ["no-such-role"],
    "his own": ["role-manager"],
    "none": [],
}


def test_before_the_right_password_roles_tell_nothing(stage: Stage, alice: Caller) -> None:
    enrolled(stage.as_(CAROL))
    answers = [
        try_with(stage, person, roles, password)
        for roles in ATTEMPTS.values()
        for person, password in ((BOB, "not the password"), (MALLORY, "tulip lantern gravel 42"))
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(401, "login.failed")}
    assert len({answer.json["detail"] for answer in answers}) == 1
    incomplete = [try_with(stage, CAROL, roles) for roles in ATTEMPTS.values()]
    assert {answer.json["code"] for answer in incomplete} == {"mfa.required"}
    wrong = [try_with(stage, CAROL, roles, otp="000000") for roles in ATTEMPTS.values()]
    assert {answer.json["code"] for answer in wrong} == {"login.failed"}


def test_a_refused_choice_spends_no_code(stage: Stage, alice: Caller, frozen: Traveller) -> None:
    device = enrolled(stage.as_(CAROL))
    frozen.shift(60)

    assert try_with(stage, CAROL, ["admin"], otp=device.code()).status_code == 403
    assert try_with(stage, CAROL, ["auditor"], otp=device.code()).status_code == 200


@pytest.mark.parametrize("roles", [None, "admin", [1], ["-admin"], ["a b"], ["x"] * 201, {"admin": True}])
def test_what_is_no_list_of_roles_is_invalid_whatever_the_password(stage: Stage, roles: Any) -> None:
    for password in ("tulip lantern gravel 42", "not the password"):
        answer = try_with(stage, BOB, roles, password)
        assert (answer.status_code, answer.json["code"]) == (422, "request.invalid")


def test_introspection_tells_the_roles_of_that_session(stage: Stage, alice: Caller) -> None:
    robot = alice.post("/v1/service-accounts", json={"name": "robot"}).json["id"]
    make_role(alice, "looker", "tokens:introspect")
    alice.put(f"/v1/service-accounts/{robot}/roles/looker")
    secret = alice.post(f"/v1/service-accounts/{robot}/secrets").json["client_secret"]
    bob = begin_with(stage, BOB, "clerk")

    form = {"token": bob.tokens["access_token"], "client_id": robot, "client_secret": secret}
    found = stage.caller().post("/oauth/introspect", data=form).json

    assert (found["active"], found["roles"]) == (True, ["clerk"])
    assert end_of(stage, bob.tokens["session_id"]) is None
