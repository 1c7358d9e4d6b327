"""Asking about a token (RFC 7662): the truth of this moment, for those who may ask, and about a bad one nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.roles.service import create_role
from rbac_api.cli.prepare import operator_unit
from tests.builders import Caller, Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.oauth.robot import Robot, as_robot, claims, error, make_robot
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, CAROL, DAVE, PASSWORD

INACTIVE = b'{"active":false}'


def gatekeeper(stage: Stage) -> Robot:
    """A service account that may ask, and nothing else."""
    role = {"name": "gatekeeper", "permissions": ["tokens:introspect"]}
    assert stage.as_(ALICE).post("/v1/roles", json=role).status_code == 201
    return make_robot(stage, "gatekeeper", name="gate-robot")


def ask(stage: Stage, robot: Robot, token: str, **more: str) -> Any:
    return stage.caller().post("/oauth/introspect", data={"token": token, **more}, headers=robot.basic)


def test_of_a_good_access_token_everything_is_said_that_it_says_itself(stage: Stage) -> None:
    dave, gate = stage.as_(DAVE), gatekeeper(stage)

    answer = ask(stage, gate, dave.tokens["access_token"])

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    said = claims(dave.tokens["access_token"])
    said.pop("av")
    assert answer.json == {"active": True, "username": "dave", "token_type": "Bearer", **said}


def test_of_a_good_refresh_token_it_is_said_that_it_is_one(stage: Stage) -> None:
    dave, gate = stage.as_(DAVE), gatekeeper(stage)

    answer = ask(stage, gate, dave.tokens["refresh_token"], token_type_hint="access_token")

    assert (answer.json["active"], answer.json["type"], answer.json["sub"]) == (
        True,
        "refresh",
        stage.user_id(DAVE),
    )
    assert "token_type" not in answer.json
    assert "roles" not in answer.json


def test_it_says_how_many_roles_do_not_fit_into_a_token(stage: Stage) -> None:
    names = [f"role-{number:02}-".ljust(100, "x") for number in range(40)]
    with operator_unit(stage.settings, stage.database) as clearance:
        for name in names:
            create_role(clearance, {"name": name, "description": "One of many."})
            assign_role(clearance, stage.user_id(DAVE), name)
    dave, gate = stage.as_(DAVE), gatekeeper(stage)
    answer = ask(stage, gate, dave.tokens["access_token"]).json
    assert (answer["roles"], answer["roles_omitted"]) == (names[:19], 21)
    stage.as_(ALICE).delete(f"/v1/users/{stage.user_id(DAVE)}/roles/{names[0]}")
    answer = ask(stage, gate, dave.tokens["access_token"]).json
    assert (answer["roles"], answer["roles_omitted"]) == (names[1:20], 20)


def test_roles_are_those_of_this_moment(stage: Stage) -> None:
    dave, gate = stage.as_(DAVE), gatekeeper(stage)
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")

    assert ask(stage, gate, dave.tokens["access_token"]).json["roles"] == ["auditor"]


def signed_out(stage: Stage, dave: Caller) -> None:
    dave.post("/v1/auth/logout")


def disabled(stage: Stage, dave: Caller) -> None:
    stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})


def deleted(stage: Stage, dave: Caller) -> None:
    stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id(DAVE)}")


def revoked(stage: Stage, dave: Caller) -> None:
    for kind in ("access_token", "refresh_token"):
        stage.as_(ALICE).post("/oauth/revoke", data={"token": dave.tokens[kind]})


@pytest.mark.parametrize("end", [signed_out, disabled, deleted, revoked], ids=lambda end: end.__name__)
def test_of_a_dead_token_nothing_is_said(stage: Stage, end: Any) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    assert ask(stage, gate, dave.tokens["access_token"]).json["active"] is True

    end(stage, dave)

    for kind in ("access_token", "refresh_token"):
        answer = ask(stage, gate, dave.tokens[kind])
        assert (answer.status_code, answer.data) == (200, INACTIVE)


def test_an_access_token_revoked_alone_leaves_the_refresh_token_good(stage: Stage) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    dave.post("/oauth/revoke", data={"token": dave.tokens["access_token"]})

    assert ask(stage, gate, dave.tokens["access_token"]).data == INACTIVE
    assert ask(stage, gate, dave.tokens["refresh_token"]).json["active"] is True


def test_a_spent_refresh_token_is_dead_and_its_successor_is_not(stage: Stage) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    renewed = refresh(stage, dave.tokens["refresh_token"]).json

    assert ask(stage, gate, dave.tokens["refresh_token"]).data == INACTIVE
    assert ask(stage, gate, renewed["refresh_token"]).json["active"] is True


def test_time_makes_tokens_inactive(stage: Stage, frozen: Traveller) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    frozen.shift(901)
    assert ask(stage, gate, dave.tokens["access_token"]).data == INACTIVE
    assert ask(stage, gate, dave.tokens["refresh_token"]).json["active"] is True
    frozen.shift(3600)
    assert ask(stage, gate, dave.tokens["refresh_token"]).data == INACTIVE


@pytest.mark.parametrize(
    "token", ["x", "x.y.z", "\0", "é", "e30.e30.e30", "x" * 9000], ids=lambda t: ascii(t)[:12]
)
def test_of_what_is_no_token_nothing_is_said(stage: Stage, token: str) -> None:
    assert ask(stage, gatekeeper(stage), token).data == INACTIVE


def test_of_another_issuers_token_nothing_is_said(stage: Stage, node: OpenNode) -> None:
    gate, stranger = gatekeeper(stage), node(issuer="https://elsewhere.example.com")
    foreign = stranger.as_(DAVE).tokens

    for kind in ("access_token", "refresh_token"):
        assert ask(stage, gate, foreign[kind]).data == INACTIVE


def test_a_signature_that_is_not_ours_says_nothing(stage: Stage) -> None:
    gate, token = gatekeeper(stage), stage.as_(DAVE).tokens["access_token"]
    forged = token[:-8] + ("AAAAAAAA" if not token.endswith("AAAAAAAA") else "BBBBBBBB")

    assert ask(stage, gate, forged).data == INACTIVE


def test_who_may_not_ask_is_told_401_by_credentials_as_by_token(stage: Stage) -> None:
    dave, robot = stage.as_(DAVE), make_robot(stage)
    token = dave.tokens["access_token"]

    by_secret = ask(stage, robot, token)
    by_token = dave.post("/oauth/introspect", data={"token": token})
    by_nothing = stage.caller().post("/oauth/introspect", data={"token": token})

    assert error(by_secret) == (401, "unauthorized_client")
    assert by_secret.headers["WWW-Authenticate"].startswith("Basic ")
    assert error(by_token) == (401, "insufficient_scope")
    assert by_token.headers["WWW-Authenticate"].startswith("Bearer ")
    assert error(by_nothing) == (401, "invalid_client")
    assert len(stage.events("access.refused")) == 2


def test_an_auditor_may_not_ask_since_asking_is_not_reading(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    assert error(carol.post("/oauth/introspect", data={"token": "x"})) == (401, "insufficient_scope")


def test_alice_asks_with_her_own_token(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)

    answer = alice.post("/oauth/introspect", data={"token": dave.tokens["access_token"]})
    assert answer.json["username"] == "dave"
    assert error(alice.post("/oauth/introspect", data={})) == (400, "invalid_request")


def test_who_may_ask_is_decided_anew_each_time(stage: Stage) -> None:
    gate, alice = gatekeeper(stage), stage.as_(ALICE)
    assert ask(stage, gate, "x").data == INACTIVE

    alice.delete(f"{gate.path}/roles/gatekeeper")
    assert error(ask(stage, gate, "x")) == (401, "unauthorized_client")


def test_a_robots_token_is_told_of_as_a_persons_is(stage: Stage) -> None:
    gate, robot = gatekeeper(stage), make_robot(stage, "auditor")
    token = as_robot(stage, robot).tokens["access_token"]

    told = ask(stage, gate, token).json
    assert (told["active"], told["client_id"], told["sub"]) == (True, robot.id, robot.id)
    assert (told["username"], told["roles"]) == (robot.name, ["auditor"])


def test_asking_leaves_no_event(stage: Stage) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    count = len(stage.events())

    ask(stage, gate, dave.tokens["access_token"])

    assert len(stage.events()) == count


def test_the_answer_agrees_with_what_a_route_would_say(stage: Stage) -> None:
    gate, dave = gatekeeper(stage), stage.as_(DAVE)
    token = dave.tokens["access_token"]
    for end in (lambda: None, lambda: revoked(stage, dave), lambda: signed_out(stage, dave)):
        end()
        accepted = dave.get("/v1/me").status_code == 200
        assert ask(stage, gate, token).json["active"] is accepted


def test_who_must_choose_a_password_first_asks_about_nothing_and_revokes_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    path = alice.post("/v1/users", json={"username": "erin", "password": PASSWORD}).headers["Location"]
    alice.put(f"{path}/roles/admin")
    erin = stage.as_("erin")

    for place in ("introspect", "revoke"):
        answer = erin.post(f"/oauth/{place}", data={"token": alice.tokens["access_token"]})
        assert error(answer) == (401, "insufficient_scope")
    assert alice.get("/v1/me").status_code == 200
