"""A refresh token that comes back: an honest retry gets the same successor, anything else ends the session."""

from __future__ import annotations

import pytest
from time_machine import Traveller

from tests.builders import OpenNode, Stage
from tests.capabilities.signin.crowd import answers_to, claims, end_of, lineage, refresh
from tests.cast import CAROL, DAVE

LEEWAY = 10


def test_dave_whose_answer_was_lost_gets_the_same_successor_again(stage: Stage, frozen: Traveller) -> None:
    token = stage.as_(DAVE).tokens["refresh_token"]
    lost = refresh(stage, token).json
    frozen.shift(LEEWAY - 1)

    again = refresh(stage, token)

    assert again.status_code == 200
    assert claims(again.json["refresh_token"]) == claims(lost["refresh_token"])
    assert again.json["access_token"] != lost["access_token"]
    assert answers_to(stage, again.json) == (200, 200)
    assert [event["outcome"] for event in stage.events("token.rotated")] == ["success", "success"]


def test_the_second_last_token_ends_daves_session_even_inside_the_leeway(
    stage: Stage, frozen: Traveller
) -> None:
    first = stage.as_(DAVE).tokens
    newest = refresh(stage, refresh(stage, first["refresh_token"]).json["refresh_token"]).json

    replay = refresh(stage, first["refresh_token"])

    assert (replay.status_code, replay.json["code"]) == (401, "token.reused")
    assert answers_to(stage, newest) == (401, 401)
    assert end_of(stage, first["session_id"]) == "reuse-detected"


def test_repeating_does_not_move_the_deadline(stage: Stage, frozen: Traveller) -> None:
    tokens = stage.as_(DAVE).tokens
    successor = claims(refresh(stage, tokens["refresh_token"]).json["refresh_token"])["jti"]

    for step in (LEEWAY - 1, 0.9, 0.099):
        frozen.shift(step)
        again = refresh(stage, tokens["refresh_token"])
        assert claims(again.json["refresh_token"])["jti"] == successor
    frozen.shift(0.001)

    assert refresh(stage, tokens["refresh_token"]).json["code"] == "token.reused"
    assert end_of(stage, tokens["session_id"]) == "reuse-detected"


@pytest.mark.parametrize("replayed", range(4))
def test_a_replay_of_any_generation_ends_that_session_and_no_other(
    stage: Stage, frozen: Traveller, replayed: int
) -> None:
    other = stage.as_(DAVE).tokens
    generations = [stage.as_(DAVE).tokens]
    for _ in range(4):
        generations.append(refresh(stage, generations[-1]["refresh_token"]).json)
    frozen.shift(LEEWAY)

    replay = refresh(stage, generations[replayed]["refresh_token"])

    assert (replay.status_code, replay.json["code"]) == (401, "token.reused")
    assert [answers_to(stage, tokens) for tokens in generations] == [(401, 401)] * 5
    assert answers_to(stage, other) == (200, 200)


def test_a_replay_leaves_a_row_in_the_trail_without_the_token(stage: Stage, frozen: Traveller) -> None:
    tokens = stage.as_(DAVE).tokens
    refresh(stage, tokens["refresh_token"])
    frozen.shift(LEEWAY)

    refresh(stage, tokens["refresh_token"])

    (event,) = stage.events("token.reused")
    assert (event["actor_type"], event["outcome"], event["ip"]) == ("anonymous", "refused", "127.0.0.1")
    assert (event["target_type"], event["target_name"]) == ("session", "dave")
    seen = stage.as_(CAROL).get(f"/v1/audit/events/{event['seq']}")
    assert seen.json["target"]["id"] == tokens["session_id"]
    assert tokens["refresh_token"].rpartition(".")[2] not in seen.text


def test_a_replay_is_recognised_after_a_restart(stage: Stage, frozen: Traveller, node: OpenNode) -> None:
    tokens = stage.as_(DAVE).tokens
    newest = refresh(stage, tokens["refresh_token"]).json
    frozen.shift(LEEWAY)

    restarted = node()

    replay = refresh(restarted, tokens["refresh_token"])

    assert replay.json["code"] == "token.reused"
    assert answers_to(restarted, newest) == (401, 401)
    assert answers_to(stage, newest) == (401, 401)


@pytest.mark.parametrize("replayed", range(4))
def test_the_order_is_known_when_everything_happens_in_one_second(
    stage: Stage, frozen: Traveller, replayed: int
) -> None:
    generations = [stage.as_(DAVE).tokens]
    for _ in range(5):
        generations.append(refresh(stage, generations[-1]["refresh_token"]).json)
    assert lineage(stage, generations[0]["session_id"]) == [(n, n < 6) for n in range(1, 7)]

    replay = refresh(stage, generations[replayed]["refresh_token"])

    assert replay.json["code"] == "token.reused"
    assert answers_to(stage, generations[-1]) == (401, 401)


def test_an_expired_token_is_refused_inside_the_leeway_too(stage: Stage, frozen: Traveller) -> None:
    tokens = stage.as_(DAVE).tokens
    frozen.shift(tokens["refresh_expires_in"] - 1)
    newest = refresh(stage, tokens["refresh_token"]).json
    frozen.shift(2)

    late = refresh(stage, tokens["refresh_token"])

    assert (late.status_code, late.json["code"]) == (401, "token.expired")
    assert answers_to(stage, newest) == (200, 200)


def test_guessing_does_not_burn_daves_session(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    head, _, signature = tokens["refresh_token"].rpartition(".")

    wrong = "B" if signature[0] == "A" else "A"

    for guess in range(100):
        forged = f"{head}.{wrong * (guess % 40)}{signature[guess % 40 :]}" if guess % 40 else f"{head}.AAAA"
        assert refresh(stage, forged).json["code"] == "token.invalid"

    assert answers_to(stage, tokens) == (200, 200)
