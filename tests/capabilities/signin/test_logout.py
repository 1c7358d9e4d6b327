"""Signing out."""

from __future__ import annotations

from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.signin.crowd import answers_to, end_of, refresh
from tests.cast import CAROL, DAVE


def test_dave_signs_out_and_both_tokens_are_dead_everywhere(stage: Stage, nodes: list[Stage]) -> None:
    dave = stage.as_(DAVE)
    newer = refresh(stage, dave.tokens["refresh_token"]).json
    assert [answers_to(node, dave.tokens)[0] for node in nodes] == [200] * len(nodes)

    answer = dave.post("/v1/auth/logout")

    assert (answer.status_code, answer.data) == (204, b"")
    for node in nodes:
        assert answers_to(node, dave.tokens) == answers_to(node, newer) == (401, 401)
    assert dave.get("/v1/me").json["code"] == "token.revoked"
    assert refresh(stage, newer["refresh_token"]).json["code"] == "token.revoked"


def test_signing_out_twice_changes_nothing(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    dave.post("/v1/auth/logout")
    before = stage.query("SELECT * FROM sessions")

    assert dave.post("/v1/auth/logout").status_code == 204
    assert stage.query("SELECT * FROM sessions") == before
    assert len(stage.events("session.ended")) == 1
    assert stage.query("SELECT count(*) FROM incidents") == [(0,)]


def test_daves_other_session_goes_on(stage: Stage) -> None:
    here, there = stage.as_(DAVE), stage.as_(DAVE)

    here.post("/v1/auth/logout")

    assert answers_to(stage, there.tokens) == (200, 200)
    assert end_of(stage, here.tokens["session_id"]) == "logout"


def test_the_auditor_sees_that_dave_signed_out_himself(stage: Stage) -> None:
    dave, carol = stage.as_(DAVE), stage.as_(CAROL)
    dave.post("/v1/auth/logout")

    session = carol.get(f"/v1/sessions/{dave.tokens['session_id']}").json

    assert (session["state"], session["end_reason"]) == ("ended", "logout")
    assert session["ended_by"] == {"type": "user", "id": stage.user_id(DAVE), "name": "dave"}
    listed = [item["id"] for item in carol.get("/v1/sessions").json["items"]]
    assert listed == [carol.tokens["session_id"]]
    (event,) = stage.events("session.ended")
    assert (event["actor_name"], event["target_name"], event["reason"]) == ("dave", "dave", "logout")


def test_a_revoked_access_token_stays_dead_until_long_after_its_expiry(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    dave.post("/v1/auth/logout")
    leeway = stage.settings.clock_leeway_seconds

    for step in (0, 899, 1, leeway - 1, 1, 1):
        frozen.shift(step)
        assert dave.get("/v1/me").status_code == 401


def test_an_access_token_that_was_not_revoked_gets_no_leeway_either(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    frozen.shift(899)
    assert dave.get("/v1/me").status_code in (200, 401)  # ``exp`` is in whole seconds
    frozen.shift(1)

    assert dave.get("/v1/me").json["code"] == "token.expired"
