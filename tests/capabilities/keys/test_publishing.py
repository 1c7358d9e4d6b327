"""When a new key signs: never before every cache of the public keys knows it, unless somebody says that it must."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from time_machine import Traveller

from rbac_api.guard.tokens.keys import Keyring
from tests.builders import OpenNode, Stage
from tests.capabilities.keys.test_keys import AT_ONCE, kid_of, published, states
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, BOB, CAROL, DAVE

LEAD = 305  # RBAC_JWKS_SECONDS and RBAC_CLOCK_LEEWAY_SECONDS


def max_age(stage: Stage) -> int:
    header = stage.caller().get("/.well-known/jwks.json").headers["Cache-Control"]
    found = re.search(r"max-age=(\d+)", header)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("seconds", [300, 7])
def test_no_token_names_a_key_that_an_obedient_cache_may_not_know(
    stage: Stage, node: OpenNode, frozen: Traveller, seconds: int
) -> None:
    own = node(jwks_seconds=seconds)
    cached, alice = published(own), own.as_(ALICE)
    lasts = max_age(own)
    answer = alice.post("/v1/keys/rotate")

    assert (answer.status_code, answer.json["state"], answer.json["verifies_until"]) == (201, "next", None)
    assert published(own) == cached | {answer.json["kid"]}
    frozen.shift(lasts)
    assert kid_of(own.as_(DAVE).tokens) in cached
    assert kid_of(refresh(own, alice.tokens["refresh_token"]).json) in cached
    frozen.shift(6)
    assert kid_of(own.as_(DAVE).tokens) == answer.json["kid"]
    assert states(own) == ["active", "retired"]


def test_the_old_key_verifies_on_after_the_new_one_has_begun(stage: Stage, frozen: Traveller) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/keys/rotate")
    frozen.shift(LEAD - 1)
    last = stage.as_(DAVE)
    frozen.shift(2)

    assert last.get("/v1/me").status_code == 200
    frozen.shift(3590)
    renewed = refresh(stage, last.tokens["refresh_token"])
    assert renewed.status_code == 200
    assert kid_of(renewed.json) != kid_of(last.tokens)


def test_a_rotation_by_itself_publishes_in_time_too(stage: Stage, node: OpenNode, frozen: Traveller) -> None:
    own = node(key_rotation=1000)
    frozen.shift(1000)
    for _ in range(40):
        cached = published(own)
        frozen.shift(max_age(own))
        assert kid_of(own.as_(BOB).tokens) in cached
    assert states(own).count("active") == 1
    assert len(stage.events("key.rotated")) >= 10


def test_an_emergency_signs_at_once_and_what_waited_never_signs(stage: Stage, frozen: Traveller) -> None:
    alice = stage.as_(ALICE)
    waiting = alice.post("/v1/keys/rotate").json["kid"]
    frozen.shift(1)
    answer = alice.post("/v1/keys/rotate", json=AT_ONCE)

    assert (answer.status_code, answer.json["state"]) == (201, "active")
    assert kid_of(stage.as_(DAVE).tokens) == answer.json["kid"]
    assert waiting not in published(stage)
    assert alice.get("/v1/me").status_code == 200
    frozen.shift(LEAD + 1)
    assert kid_of(stage.as_(DAVE).tokens) == answer.json["kid"]
    assert states(stage) == ["active", "retired", "retired"]


def test_a_key_that_waits_may_be_withdrawn_and_the_one_that_signs_goes_on(
    stage: Stage, frozen: Traveller
) -> None:
    alice = stage.as_(ALICE)
    waiting = alice.post("/v1/keys/rotate").json["kid"]

    assert alice.delete(f"/v1/keys/{waiting}").status_code == 204

    frozen.shift(LEAD + 1)
    assert kid_of(stage.as_(DAVE).tokens) == kid_of(alice.tokens)
    assert states(stage) == ["withdrawn", "active"]
    assert alice.get("/v1/me").status_code == 200


def test_keys_that_were_asked_for_one_after_the_other_sign_one_after_the_other(
    stage: Stage, frozen: Traveller
) -> None:
    alice = stage.as_(ALICE)
    first = alice.post("/v1/keys/rotate").json["kid"]
    frozen.shift(100)
    second = alice.post("/v1/keys/rotate").json["kid"]

    assert states(stage) == ["next", "next", "active"]
    frozen.shift(LEAD - 100 + 1)
    assert kid_of(stage.as_(CAROL).tokens) == first
    frozen.shift(100)
    assert kid_of(stage.as_(CAROL).tokens) == second


def test_a_node_whose_clock_is_behind_has_a_key_to_sign_with_after_an_emergency(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    alice, slow = stage.as_(ALICE), node()
    old = kid_of(alice.tokens)
    new = alice.post("/v1/keys/rotate", json=AT_ONCE).json["kid"]
    alice.tokens = refresh(stage, alice.tokens["refresh_token"]).json
    alice.delete(f"/v1/keys/{old}")

    frozen.shift(-3)

    assert kid_of(slow.as_(DAVE).tokens) == new


@pytest.mark.parametrize("body", [{"emergency": "yes"}, {"emergency": 1}, {"at_once": True}, []])
def test_what_is_no_answer_to_the_question_rotates_nothing(stage: Stage, body: object) -> None:
    assert stage.as_(ALICE).post("/v1/keys/rotate", json=body).status_code in (400, 422)
    assert states(stage) == ["active"]


def test_a_ring_that_signs_with_the_newest_key_at_once_would_break_the_promise(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin."""
    cached = published(stage)
    monkeypatch.setattr(Keyring, "lead", lambda _: timedelta(0))
    stage.as_(ALICE).post("/v1/keys/rotate")
    assert kid_of(stage.as_(DAVE).tokens) not in cached
