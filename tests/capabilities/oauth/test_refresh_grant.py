"""Refreshing at the OAuth endpoint: the same exchange as at /v1/auth/refresh, in OAuth's words."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.oauth import service as oauth
from rbac_api.capabilities.signin import service as signin
from tests.builders import Stage
from tests.capabilities.oauth.robot import basic, claims, error, make_robot
from tests.capabilities.signin.crowd import answers_to
from tests.capabilities.signin.crowd import refresh as refresh_at_v1
from tests.cast import ALICE, DAVE, PASSWORD


def refresh(stage: Stage, token: str, headers: dict[str, str] | None = None, **form: str) -> Any:
    form = {"grant_type": "refresh_token", "refresh_token": token, **form}
    return stage.caller().post("/oauth/token", data=form, headers=headers or {})


def sign_in(stage: Stage, client_id: str) -> dict[str, Any]:
    body = {"username": "dave", "password": PASSWORD, "client_id": client_id}
    tokens: dict[str, Any] = stage.caller().post("/v1/auth/login", json=body).json
    return tokens


def test_dave_gets_a_new_pair_and_it_works_at_both_endpoints(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    answer = refresh(stage, dave.tokens["refresh_token"])

    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert claims(answer.json["refresh_token"])["gen"] == 2
    assert refresh_at_v1(stage, answer.json["refresh_token"]).json["session_id"] == dave.tokens["session_id"]


def test_it_is_the_very_same_exchange() -> None:
    assert oauth.refresh is signin.refresh


def test_within_the_leeway_a_repetition_gets_the_same_successor_at_either_endpoint(stage: Stage) -> None:
    token = stage.as_(DAVE).tokens["refresh_token"]

    first, second = refresh(stage, token), refresh_at_v1(stage, token)

    jtis = {claims(answer.json["refresh_token"])["jti"] for answer in (first, second)}
    assert len(jtis) == 1


def test_a_spent_token_that_comes_late_ends_the_session(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    tokens = refresh(stage, dave.tokens["refresh_token"]).json
    frozen.shift(11)

    assert error(refresh(stage, dave.tokens["refresh_token"])) == (400, "invalid_grant")
    assert answers_to(stage, tokens) == (401, 401)
    assert stage.events("token.reused")


def test_a_token_of_another_client_is_refused_and_not_spent(stage: Stage) -> None:
    tokens = sign_in(stage, "billing-app")
    robot = make_robot(stage)

    assert error(refresh(stage, tokens["refresh_token"], client_id="first-party")) == (400, "invalid_grant")
    assert error(refresh(stage, tokens["refresh_token"], robot.basic)) == (400, "invalid_grant")
    assert error(refresh(stage, tokens["refresh_token"], **robot.fields)) == (400, "invalid_grant")
    renewed = refresh(stage, tokens["refresh_token"], client_id="billing-app")
    assert claims(renewed.json["access_token"])["client_id"] == "billing-app"
    assert claims(renewed.json["refresh_token"])["gen"] == 2


def test_bad_credentials_are_not_overlooked_where_none_are_needed(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens

    assert error(refresh(stage, tokens["refresh_token"], basic("nobody", "x"))) == (401, "invalid_client")
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert error(refresh(stage, tokens["refresh_token"], bearer)) == (401, "invalid_client")
    assert answers_to(stage, tokens) == (200, 200)


@pytest.mark.parametrize(
    "text", ["x", "x.y.z", "é", "\ud800".encode("utf-8", "surrogatepass"), "a\0b"], ids=ascii
)
def test_what_is_no_refresh_token_is_no_grant(stage: Stage, text: Any) -> None:
    assert error(refresh(stage, text)) in ((400, "invalid_grant"), (400, "invalid_request"))


def test_neither_an_access_token_nor_a_dead_session_refreshes_anything(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    assert error(refresh(stage, dave.tokens["access_token"])) == (400, "invalid_grant")

    dave.post("/v1/auth/logout")

    assert error(refresh(stage, dave.tokens["refresh_token"])) == (400, "invalid_grant")


def test_a_disabled_user_refreshes_nothing(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})

    assert error(refresh(stage, dave.tokens["refresh_token"])) == (400, "invalid_grant")


def test_roles_are_read_anew_and_never_asked_for(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")

    assert error(refresh(stage, dave.tokens["refresh_token"], scope="admin")) == (400, "invalid_scope")
    renewed = refresh(stage, dave.tokens["refresh_token"], roles="admin")
    assert claims(renewed.json["access_token"])["roles"] == ["auditor"]
