"""Exchanging a refresh token."""

from __future__ import annotations

import pytest
from time_machine import Traveller

from rbac_api.guard.tokens.token import Issue
from tests.builders import OpenNode, Stage
from tests.capabilities.signin.crowd import answers_to, claims, lineage, refresh
from tests.cast import ALICE, DAVE

HOURS = 3600


def mint(stage: Stage, token: str, **changes: str) -> str:
    """A refresh token signed by this service itself that says something else."""
    said = {**claims(token), **changes}
    issue = Issue(
        said["sub"], said["sid"], said["jti"], said["client_id"], said["iat"], said["exp"], said["auth_time"]
    )
    with stage.app.app_context():
        minted: str = stage.guard.bearer.issue_refresh(issue, said["gen"])
    return minted


def test_dave_sends_his_refresh_token_in_the_body(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    answer = refresh(stage, dave.tokens["refresh_token"])

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["session_id"] == dave.tokens["session_id"]
    assert claims(answer.json["refresh_token"])["gen"] == 2
    assert answers_to(stage, answer.json) == (200, 200)


def test_dave_sends_his_refresh_token_as_bearer(stage: Stage) -> None:
    bearer = {"Authorization": f"Bearer {stage.as_(DAVE).tokens['refresh_token']}"}

    assert stage.caller().post("/v1/auth/refresh", headers=bearer).status_code == 200
    assert stage.caller().post("/v1/auth/refresh", headers=bearer, json={}).status_code == 200


def test_without_any_token_there_is_nothing_to_refresh(stage: Stage) -> None:
    answer = stage.caller().post("/v1/auth/refresh", json={})

    assert (answer.status_code, answer.json["code"]) == (401, "token.missing")
    assert "error=" not in answer.headers["WWW-Authenticate"]


def test_an_access_token_refreshes_nothing(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens

    assert refresh(stage, tokens["access_token"]).json["code"] == "token.invalid"
    assert answers_to(stage, tokens) == (200, 200)


@pytest.mark.parametrize("claim", ["jti", "sid", "sub", "client_id"])
def test_a_signed_token_that_does_not_fit_its_record_is_refused(stage: Stage, claim: str) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    foreign = {
        "jti": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57",
        "sid": alice.tokens["session_id"],
        "sub": stage.user_id(ALICE),
        "client_id": "another",
    }

    answer = refresh(stage, mint(stage, dave.tokens["refresh_token"], **{claim: foreign[claim]}))

    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")
    assert answers_to(stage, dave.tokens) == answers_to(stage, alice.tokens) == (200, 200)


def test_the_old_access_token_goes_on_until_it_expires(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    newer = refresh(stage, dave.tokens["refresh_token"]).json
    assert dave.get("/v1/me").status_code == 200
    frozen.shift(900)

    late = dave.get("/v1/me")

    assert (late.status_code, late.json["code"]) == (401, "token.expired")
    assert "refresh" in late.json["detail"]
    assert refresh(stage, newer["refresh_token"]).status_code == 200


def test_a_session_that_idles_too_long_is_over(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    frozen.shift(dave.tokens["refresh_expires_in"])

    assert refresh(stage, dave.tokens["refresh_token"]).json["code"] == "token.expired"
    session = stage.as_(ALICE).get(f"/v1/sessions/{dave.tokens['session_id']}").json
    assert (session["state"], session["end_reason"], session["ended_by"]) == ("ended", "idle", None)
    assert session["ended_at"] == session["expires_at"]


def test_no_number_of_refreshes_extends_the_session_beyond_its_absolute_end(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    tokens, began = dave.tokens, claims(dave.tokens["access_token"])["auth_time"]
    for _ in range(14):
        frozen.shift(50 * 60)
        tokens = refresh(stage, tokens["refresh_token"]).json
        assert claims(tokens["refresh_token"])["exp"] <= began + 12 * HOURS
        assert claims(tokens["access_token"])["exp"] <= began + 12 * HOURS
        assert claims(tokens["access_token"])["auth_time"] == began
    assert tokens["expires_in"] == 900
    assert tokens["refresh_expires_in"] == 12 * HOURS - 14 * 50 * 60
    frozen.shift(tokens["refresh_expires_in"])

    assert refresh(stage, tokens["refresh_token"]).json["code"] == "token.expired"
    session = stage.as_(ALICE).get(f"/v1/sessions/{tokens['session_id']}").json
    assert (session["state"], session["end_reason"]) == ("ended", "expired")


def test_near_the_absolute_end_the_access_token_is_cut_short(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    brief = node(session_seconds=3700)
    tokens = brief.as_(DAVE).tokens
    frozen.shift(3500)

    last = refresh(brief, tokens["refresh_token"]).json

    assert (last["expires_in"], last["refresh_expires_in"]) == (200, 200)


def test_refreshing_brings_the_roles_up_to_date(stage: Stage) -> None:
    dave, alice = stage.as_(DAVE), stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")

    newer = refresh(stage, dave.tokens["refresh_token"]).json

    before, after = claims(dave.tokens["access_token"]), claims(newer["access_token"])
    assert (before["roles"], after["roles"]) == ([], ["auditor"])
    assert after["av"] > before["av"]
    assert dave.get("/v1/me").headers["Authz-Stale"] == "true"
    dave.tokens = newer
    assert "Authz-Stale" not in dave.get("/v1/me").headers


def test_without_a_leeway_every_second_use_is_a_replay(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    strict = node(refresh_leeway_seconds=0)
    tokens = strict.as_(DAVE).tokens
    refresh(strict, tokens["refresh_token"])

    assert refresh(strict, tokens["refresh_token"]).json["code"] == "token.reused"


def test_dave_who_was_disabled_behind_the_services_back_cannot_refresh(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'dave'")

    assert refresh(stage, tokens["refresh_token"]).json["code"] == "token.revoked"
    assert lineage(stage, tokens["session_id"]) == [(1, False)]


def test_a_session_whose_row_went_ahead_of_its_token_is_left_alone(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    stage.execute("UPDATE sessions SET generation = 7")

    answer = refresh(stage, tokens["refresh_token"])

    assert (answer.status_code, answer.json["code"]) == (503, "database.unavailable")
    assert lineage(stage, tokens["session_id"]) == [(1, False)]
    assert stage.events("token.rotated") == []
