"""Revoking (RFC 7009): by whose token it is, by its client, or by those who may revoke sessions; for others without effect."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.guard.tokens.token import Authority, Issue
from tests.builders import Caller, Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.oauth.robot import as_robot, basic, claims, error, make_robot
from tests.capabilities.signin.crowd import answers_to
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD


def revoke(caller: Caller, token: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    return caller.post("/oauth/revoke", data={"token": token, **more}, headers=headers)


def test_dave_revokes_his_access_token_and_keeps_his_session(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answer = revoke(dave, dave.tokens["access_token"])

    assert (answer.status_code, answer.data) == (200, b"")
    refused = dave.get("/v1/me")
    assert (refused.status_code, refused.json["code"]) == (401, "token.revoked")
    renewed = stage.caller().post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    dave.tokens = renewed.json
    assert dave.get("/v1/me").status_code == 200
    assert [event["target_name"] for event in stage.events("token.revoked")] == ["dave"]


def test_dave_revokes_his_refresh_token_and_with_it_his_session(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    assert revoke(dave, dave.tokens["refresh_token"]).status_code == 200

    assert answers_to(stage, dave.tokens) == (401, 401)
    assert [event["reason"] for event in stage.events("session.ended")] == ["logout"]


def test_revoking_again_changes_nothing_more(stage: Stage) -> None:
    dave, alice = stage.as_(DAVE), stage.as_(ALICE)
    for kind in ("access_token", "refresh_token"):
        assert revoke(alice, dave.tokens[kind]).status_code == 200
        count = len(stage.events())
        assert revoke(alice, dave.tokens[kind]).status_code == 200
        assert len(stage.events()) == count


@pytest.mark.parametrize("hint", ["access_token", "refresh_token", "id_token", "é", "\0"], ids=ascii)
def test_a_wrong_hint_changes_nothing(stage: Stage, hint: str) -> None:
    for kind in ("access_token", "refresh_token"):
        dave = stage.as_(DAVE)
        assert revoke(dave, dave.tokens[kind], token_type_hint=hint).status_code == 200
        assert dave.get("/v1/me").status_code == 401


@pytest.mark.parametrize("person", [BOB, CAROL, DAVE], ids=lambda person: person.username)
def test_nobody_revokes_the_token_of_somebody_stronger(stage: Stage, person: Any) -> None:
    alice, caller = stage.as_(ALICE), stage.as_(person)
    for kind in ("access_token", "refresh_token"):
        assert error(revoke(caller, alice.tokens[kind])) == (400, "unauthorized_client")
        assert error(revoke(caller, alice.tokens[kind], client_id="first-party"))[0] == 400
    assert answers_to(stage, alice.tokens) == (200, 200)
    assert stage.events("token.revoked") == []


def test_bob_revokes_daves_tokens_since_he_may_revoke_sessions(stage: Stage) -> None:
    dave, bob = stage.as_(DAVE), stage.as_(BOB)

    assert revoke(bob, dave.tokens["access_token"]).status_code == 200
    assert dave.get("/v1/me").status_code == 401
    assert revoke(bob, dave.tokens["refresh_token"]).status_code == 200
    assert answers_to(stage, dave.tokens) == (401, 401)
    assert [event["reason"] for event in stage.events("session.ended")] == ["admin"]


def test_an_app_without_a_secret_revokes_what_was_issued_to_it(stage: Stage) -> None:
    body = {"username": "dave", "password": PASSWORD, "client_id": "billing-app"}
    tokens = stage.caller().post("/v1/auth/login", json=body).json

    assert error(revoke(stage.caller(), tokens["refresh_token"])) == (401, "invalid_client")
    other = revoke(stage.caller(), tokens["refresh_token"], client_id="first-party")
    assert error(other) == (400, "unauthorized_client")
    assert answers_to(stage, tokens)[0] == 200
    tokens = stage.caller().post("/v1/auth/login", json=body).json
    assert revoke(stage.caller(), tokens["refresh_token"], client_id="billing-app").status_code == 200
    assert answers_to(stage, tokens) == (401, 401)


def test_a_robot_revokes_its_own_token_and_nobody_elses(stage: Stage) -> None:
    made, other = make_robot(stage, "auditor"), make_robot(stage, name="other-robot")
    robot, dave = as_robot(stage, made), stage.as_(DAVE)
    token = robot.tokens["access_token"]

    for caller, options in (
        (stage.caller(), {"headers": other.basic}),
        (stage.caller(), {"client_id": made.id}),
    ):
        assert error(revoke(caller, token, **options))[1] in ("unauthorized_client", "invalid_client")
    assert error(revoke(stage.caller(), dave.tokens["refresh_token"], headers=made.basic))[0] == 400
    assert robot.get("/v1/users").status_code == 200
    assert revoke(stage.caller(), token, headers=made.basic).status_code == 200
    assert robot.get("/v1/users").json["code"] == "token.revoked"
    assert stage.as_(CAROL).get(f"/v1/sessions?user={made.id}").json["items"] == []


def test_a_robot_revokes_with_its_token_as_well(stage: Stage) -> None:
    robot = as_robot(stage, make_robot(stage, "auditor"))

    assert revoke(robot, robot.tokens["access_token"]).status_code == 200
    assert robot.get("/v1/users").status_code == 401


@pytest.mark.parametrize("token", ["x", "x.y.z", "é", "\0", "eyJhbGciOiJub25lIn0.e30."], ids=ascii)
def test_a_token_that_is_none_is_revoked_already(stage: Stage, token: str) -> None:
    assert revoke(stage.as_(DAVE), token).status_code == 200


def test_tokens_whose_time_is_up_are_revoked_already(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    frozen.shift(3601)
    count = len(stage.events())
    for kind in ("access_token", "refresh_token"):
        assert revoke(stage.caller(), dave.tokens[kind], client_id="first-party").status_code == 200
    assert len(stage.events()) == count


def test_a_token_of_nobody_is_revoked_already(stage: Stage) -> None:
    said = claims(stage.as_(DAVE).tokens["access_token"])
    nobody = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
    issue = Issue(
        nobody, said["sid"], said["jti"], said["client_id"], said["iat"], said["exp"], said["auth_time"]
    )
    with stage.app.app_context():
        token = stage.guard.bearer.issue_access(issue, Authority((), 1))

    assert revoke(stage.as_(ALICE), token).status_code == 200
    assert stage.events("token.revoked") == []


def test_who_revokes_must_be_somebody_good(stage: Stage) -> None:
    dave, gone = stage.as_(DAVE), stage.as_(ALICE)
    gone.post("/v1/auth/logout")

    assert error(revoke(gone, dave.tokens["access_token"])) == (401, "invalid_token")
    assert error(revoke(stage.caller(), dave.tokens["access_token"], headers=basic("a", "b")))[0] == 401
    assert error(stage.as_(DAVE).post("/oauth/revoke", data={})) == (400, "invalid_request")
    assert dave.get("/v1/me").status_code == 200


def test_of_another_issuers_tokens_nothing_is_revoked_or_refreshed(stage: Stage, node: OpenNode) -> None:
    stranger = node(issuer="https://elsewhere.example.com")
    dave, foreign = stage.as_(DAVE), stranger.as_(DAVE)

    for kind in ("access_token", "refresh_token"):
        assert revoke(dave, foreign.tokens[kind]).status_code == 200
    form = {"grant_type": "refresh_token", "refresh_token": foreign.tokens["refresh_token"]}
    assert error(stage.caller().post("/oauth/token", data=form)) == (400, "invalid_grant")
    assert answers_to(stranger, foreign.tokens) == (200, 200)


def test_who_revokes_with_a_dead_token_is_noticed(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")

    assert error(revoke(dave, dave.tokens["refresh_token"])) == (401, "invalid_token")
    assert [event["action"] for event in stage.events("incident.opened")] == ["incident.opened"]
