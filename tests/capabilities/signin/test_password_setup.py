"""Choosing a password with a setup token."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller
from werkzeug.test import TestResponse

from rbac_api.capabilities.users import queries
from tests.builders import Stage
from tests.capabilities.signin.crowd import answers_to, end_of, together
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD


def choose(stage: Stage, token: str, password: str = NEW_PASSWORD) -> TestResponse:
    return stage.caller().post("/v1/auth/password-setup", json={"token": token, "new_password": password})


def reset(stage: Stage) -> str:
    """Alice resets Dave's password and hands him this token."""
    answer = stage.as_(ALICE).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")
    token: str = answer.json["token"]
    return token


def signs_in(stage: Stage, username: str, password: str) -> bool:
    body = {"username": username, "password": password}
    return stage.caller().post("/v1/auth/login", json=body).status_code == 200


def test_erin_is_invited_and_chooses_a_password_of_her_own(stage: Stage) -> None:
    invited = stage.as_(ALICE).post("/v1/users", json={"username": "erin"}).json
    assert not signs_in(stage, "erin", NEW_PASSWORD)

    answer = choose(stage, invited["password_setup"]["token"])

    assert (answer.status_code, answer.data) == (204, b"")
    erin = stage.as_("erin", NEW_PASSWORD)
    assert erin.tokens["password_change_required"] is False
    assert erin.get("/v1/users").json["code"] == "access.denied"
    (event,) = stage.events("password.set")
    assert (event["actor_type"], event["target_name"]) == ("anonymous", "erin")


def test_a_setup_token_ends_the_sessions_that_began_since_it_was_made(stage: Stage) -> None:
    token = reset(stage)
    choose(stage, token)
    dave = stage.as_(DAVE, NEW_PASSWORD)
    second = reset(stage)
    assert end_of(stage, dave.tokens["session_id"]) == "password-change"

    choose(stage, second, PASSWORD)

    assert answers_to(stage, dave.tokens) == (401, 401)
    assert signs_in(stage, "dave", PASSWORD)


def test_a_setup_token_is_spent_once(stage: Stage) -> None:
    token = reset(stage)
    assert choose(stage, token).status_code == 204

    again = choose(stage, token, PASSWORD)

    assert (again.status_code, again.json["code"]) == (401, "setup_token.invalid")
    assert signs_in(stage, "dave", NEW_PASSWORD)


def test_a_password_that_is_refused_does_not_spend_the_token(stage: Stage) -> None:
    token = reset(stage)

    refused = choose(stage, token, "short")

    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/new_password")
    assert choose(stage, token).status_code == 204


def test_a_newer_setup_token_overtakes_the_older(stage: Stage) -> None:
    older, newer = reset(stage), reset(stage)

    assert choose(stage, older).status_code == 401
    assert choose(stage, newer).status_code == 204


def test_a_setup_token_is_good_for_a_day(stage: Stage, frozen: Traveller) -> None:
    token = reset(stage)
    frozen.shift(86_400)

    assert choose(stage, token).json["code"] == "setup_token.invalid"


@pytest.mark.parametrize("token", ["rbac-setup-", "x", "rbac-setup-" + "A" * 43])
def test_a_made_up_setup_token_is_refused(stage: Stage, token: str) -> None:
    assert choose(stage, token).json["code"] == "setup_token.invalid"


def test_the_setup_token_of_somebody_disabled_opens_nothing(stage: Stage) -> None:
    token = reset(stage)
    stage.as_(ALICE).patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})

    assert choose(stage, token).status_code == 401


def winners(stage: Stage) -> list[bool]:
    """Ten spend one setup token at once, each with a password of her own: whose password signs Dave in afterwards."""
    token, passwords = reset(stage), [f"{NEW_PASSWORD} {number}" for number in range(10)]
    answers = together(10, lambda number: choose(stage, token, passwords[number]).status_code)
    assert set(answers) <= {204, 401}
    return [status == 204 for status in answers]


def test_of_ten_who_spend_one_setup_token_at_once_one_succeeds(stage: Stage) -> None:
    found = winners(stage)

    assert found.count(True) == 1
    assert signs_in(stage, "dave", f"{NEW_PASSWORD} {found.index(True)}")


def test_if_the_token_were_looked_at_only_before_hashing_several_would_succeed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    find = queries.find_password_setup
    monkeypatch.setattr(
        queries, "find_password_setup", lambda *given: seen.setdefault(given[1], find(*given))
    )

    assert winners(stage).count(True) > 1
