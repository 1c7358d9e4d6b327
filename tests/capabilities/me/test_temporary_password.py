"""Signing in with a password that somebody else chose: until it is changed, next to nothing answers."""

from __future__ import annotations

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import claims, refresh
from tests.capabilities.signin.test_standing import guarded_operations
from tests.cast import ALICE, NEW_PASSWORD, PASSWORD

OPEN = {("GET", "/v1/me"), ("PATCH", "/v1/me"), ("POST", "/v1/me/password"), ("POST", "/v1/auth/logout")}


@pytest.fixture
def erin(stage: Stage) -> Caller:
    """Erin, an administrator to be, whose password Alice has chosen."""
    alice = stage.as_(ALICE)
    created = alice.post("/v1/users", json={"username": "erin", "password": PASSWORD}).json
    assert created["password_change_required"] is True
    assert alice.put(f"/v1/users/{created['id']}/roles/admin").status_code == 201
    return stage.as_("erin")


def test_erin_is_told_to_change_it_in_every_way(stage: Stage, erin: Caller) -> None:
    assert erin.tokens["password_change_required"] is True
    assert refresh(stage, erin.tokens["refresh_token"]).json["password_change_required"] is True
    assert erin.get("/v1/me").json["password_change_required"] is True


def test_nothing_else_answers_erin_though_she_is_an_administrator(stage: Stage, erin: Caller) -> None:
    assert claims(erin.tokens["access_token"])["roles"] == ["admin"]

    closed = [operation for operation in guarded_operations(stage) if operation not in OPEN]
    found = {operation: erin.call(*operation) for operation in closed}

    assert len(found) > 30
    assert {answer.status_code for answer in found.values()} == {403}
    told = {str(answer.json) for (_, path), answer in found.items() if path.startswith("/access/")}
    codes = {answer.json["code"] for (_, path), answer in found.items() if not path.startswith("/access/")}
    assert codes == {"password.change_required"}
    assert all("POST /v1/me/password" in sentence for sentence in told)


def test_erin_may_look_at_herself_change_her_profile_and_sign_out(stage: Stage, erin: Caller) -> None:
    assert erin.get("/v1/me").status_code == 200
    assert erin.patch("/v1/me", json={"display_name": "Erin"}).status_code == 200
    assert erin.post("/v1/auth/logout").status_code == 204
    assert erin.get("/v1/me").status_code == 401


def test_after_the_change_everything_answers_with_the_token_she_has(stage: Stage, erin: Caller) -> None:
    changed = erin.post("/v1/me/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD})

    assert changed.status_code == 204
    assert erin.get("/v1/users").status_code == 200
    assert refresh(stage, erin.tokens["refresh_token"]).json["password_change_required"] is False
    assert stage.as_("erin", NEW_PASSWORD).tokens["password_change_required"] is False


def test_the_password_that_alice_chose_does_not_become_erins_own_by_saying_so(
    stage: Stage, erin: Caller
) -> None:
    changed = erin.post("/v1/me/password", json={"current_password": PASSWORD, "new_password": PASSWORD})

    assert changed.json["errors"][0]["code"] == "password.unchanged"
    assert erin.get("/v1/users").json["code"] == "password.change_required"
