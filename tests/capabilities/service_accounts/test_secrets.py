"""Secrets of service accounts: shown once, few at a time, withdrawn with what was begun with them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from time_machine import Traveller

from rbac_api import clock
from tests.builders import Stage
from tests.capabilities.oauth.robot import as_robot, ask_token, basic, make_robot
from tests.cast import ALICE

UNKNOWN = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"


def test_a_secret_is_shown_once_and_known_by_its_form(stage: Stage) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)

    answer = alice.post(f"{made.path}/secrets", json={})

    assert set(answer.json) == {"id", "client_secret", "created_at", "expires_at"}
    assert answer.headers["Location"] == f"{made.path}/secrets/{answer.json['id']}"
    assert answer.json["client_secret"].startswith("rbac-client-")
    assert len(answer.json["client_secret"]) >= 12 + 43
    shown = alice.get(made.path).json["secrets"]
    assert [set(one) for one in shown] == [{"id", "created_at", "expires_at", "last_used_at"}] * 2
    assert answer.json["client_secret"] not in alice.get(made.path).text


def test_repeating_the_request_gives_the_same_secret_and_another_does_not(stage: Stage) -> None:
    made, alice, key = make_robot(stage), stage.as_(ALICE), {"Idempotency-Key": "once"}

    texts = [
        alice.post(f"{made.path}/secrets", headers=headers).json["client_secret"]
        for headers in (key, key, {})
    ]

    assert texts[0] == texts[1] != texts[2]


def test_two_secrets_work_side_by_side_and_one_is_withdrawn_without_a_pause(stage: Stage) -> None:
    made, alice = make_robot(stage, "auditor"), stage.as_(ALICE)
    second = alice.post(f"{made.path}/secrets").json
    old, form = as_robot(stage, made), {"grant_type": "client_credentials"}
    renewed = stage.caller()
    renewed.tokens = renewed.post(
        "/oauth/token", data=form, headers=basic(made.id, second["client_secret"])
    ).json

    assert alice.delete(f"{made.path}/secrets/{made.secret_id}").status_code == 204

    assert old.get("/v1/users").json["code"] == "token.revoked"
    assert renewed.get("/v1/users").status_code == 200
    assert ask_token(stage, made).status_code == 401
    event = stage.events("client_secret.withdrawn")[0]
    assert '"sessions_ended":1' in event["after"].replace(" ", "")
    assert [one["id"] for one in alice.get(made.path).json["secrets"]] == [second["id"]]


def test_a_secret_is_withdrawn_once_and_by_its_own_address(stage: Stage) -> None:
    made, other, alice = make_robot(stage), make_robot(stage, name="other-robot"), stage.as_(ALICE)

    for path in (f"{other.path}/secrets/{made.secret_id}", f"{made.path}/secrets/{UNKNOWN}"):
        assert alice.delete(path).json["code"] == "client_secret.not_found"
    assert alice.delete(f"/v1/service-accounts/{UNKNOWN}/secrets/{made.secret_id}").status_code == 404
    assert alice.delete(f"{made.path}/secrets/{made.secret_id}").status_code == 204
    assert alice.delete(f"{made.path}/secrets/{made.secret_id}").status_code == 404


def test_five_secrets_are_enough_and_expired_ones_do_not_count(stage: Stage, frozen: Traveller) -> None:
    made = make_robot(stage, expires_at=clock.rfc3339(clock.now() + timedelta(seconds=60)))
    for _ in range(4):
        assert stage.as_(ALICE).post(f"{made.path}/secrets").status_code == 201
    assert stage.as_(ALICE).post(f"{made.path}/secrets").json["code"] == "client_secret.too_many"

    frozen.shift(61)

    assert stage.as_(ALICE).post(f"{made.path}/secrets").status_code == 201


def test_a_secret_ends_after_a_year_at_the_latest(stage: Stage, frozen: Traveller) -> None:
    made, alice = make_robot(stage), stage.as_(ALICE)
    now = clock.now()

    assert (
        alice.get(made.path)
        .json["secrets"][0]["expires_at"]
        .startswith(f"{now + timedelta(days=365):%Y-%m-%d}")
    )
    for span, status in ((365 * 86400, 201), (365 * 86400 + 1, 422), (0, 422), (-1, 422)):
        body = {"expires_at": clock.rfc3339(now + timedelta(seconds=span))}
        answer = alice.post(f"{made.path}/secrets", json=body)
        assert answer.status_code == status, span
    assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [
        ("/expires_at", "expires_at.refused")
    ]


@pytest.mark.parametrize("value", ["soon", 5, "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:59", True, []])
def test_what_is_no_moment_is_refused(stage: Stage, value: object) -> None:
    made = make_robot(stage)

    assert stage.as_(ALICE).post(f"{made.path}/secrets", json={"expires_at": value}).status_code == 422


def test_a_robot_without_secrets_is_read_and_left_alone(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    assert alice.post(f"/v1/service-accounts/{UNKNOWN}/secrets").json["code"] == "service_account.not_found"
