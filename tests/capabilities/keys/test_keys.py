"""Signing keys over HTTP: who may see and change them, and what a change does to the tokens that are out."""

from __future__ import annotations

from typing import Any

import pytest
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.keys import queries
from rbac_api.capabilities.keys.service import ensure_key
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.tokens.keys import Keyring, verifies
from rbac_api.guard.tokens.signing import generate_pem, key_from_pem
from tests.builders import Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.signin.crowd import answers_to, refresh, together
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD
from tests.guard.forgery import Model

ROTATIONS = 8
AT_ONCE = {"emergency": True}


def kid_of(tokens: dict[str, Any]) -> str:
    return str(Model(tokens["access_token"], None).header["kid"])


def states(stage: Stage) -> list[str]:
    return [key["state"] for key in stage.as_(CAROL).get("/v1/keys").json["items"]]


def published(stage: Stage) -> set[str]:
    return {key["kid"] for key in stage.caller().get("/.well-known/jwks.json").json["keys"]}


def test_after_a_rotation_a_new_key_signs_and_nobody_was_signed_out(stage: Stage, nodes: list[Stage]) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    before = kid_of(alice.tokens)

    answer = alice.post("/v1/keys/rotate", json=AT_ONCE)

    assert (answer.status_code, answer.headers["Location"]) == (201, f"/v1/keys/{answer.json['kid']}")
    assert alice.get(answer.headers["Location"]).json == answer.json
    assert (answer.json["state"], answer.json["verifies_until"]) == ("active", None)
    for node in nodes:
        assert node.caller().client.get("/v1/me", headers=dave.headers).status_code == 200
        assert kid_of(node.as_(BOB).tokens) == answer.json["kid"]
        assert published(node) == {before, answer.json["kid"]}
    assert kid_of(refresh(nodes[-1], dave.tokens["refresh_token"]).json) == answer.json["kid"]
    assert states(stage) == ["active", "retired"]


def test_a_withdrawn_keys_tokens_are_dead_at_once_on_every_worker(stage: Stage, nodes: list[Stage]) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    old = kid_of(dave.tokens)
    for node in nodes:
        assert (
            node.caller().client.get("/v1/me", headers=dave.headers).status_code == 200
        )  # so it is remembered
    alice.post("/v1/keys/rotate", json=AT_ONCE)
    alice.tokens = refresh(stage, alice.tokens["refresh_token"]).json

    assert alice.delete(f"/v1/keys/{old}").status_code == 204

    for node in nodes:
        assert answers_to(node, dave.tokens) == (401, 401)
        assert published(node) == {kid_of(alice.tokens)}
    assert alice.get("/v1/me").status_code == 200
    assert stage.query("SELECT private_sealed FROM signing_keys WHERE kid = ?", old) == [("",)]
    assert stage.query("SELECT kind FROM revocations WHERE value = ?", old) == [("kid",)]
    assert alice.delete(f"/v1/keys/{old}").status_code == 204
    assert [event["actor_name"] for event in stage.events("key.withdrawn")] == ["alice"]
    assert states(stage) == ["active", "withdrawn"]


def test_sessions_that_had_no_newer_tokens_end_with_the_key(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    old = kid_of(dave.tokens)
    alice.post("/v1/keys/rotate", json=AT_ONCE)
    alice.tokens, carol = refresh(stage, alice.tokens["refresh_token"]).json, stage.as_(CAROL)

    alice.delete(f"/v1/keys/{old}")

    ended = alice.get(f"/v1/sessions/{dave.tokens['session_id']}").json
    told = (ended["state"], ended["end_reason"], ended["ended_by"]["id"])
    assert told == ("ended", "admin", stage.user_id(ALICE))
    listed = {item["id"] for item in carol.get("/v1/sessions").json["items"]}
    assert listed == {alice.tokens["session_id"], carol.tokens["session_id"]}
    assert stage.events("key.withdrawn")[0]["after"] == '{"sessions_ended":1}'


def test_of_an_algorithm_given_up_nobody_knows_which_sessions_it_signed_last(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    key = generate_pem("ES256")
    made = key_from_pem(key, "ES256")
    with operator_unit(stage.settings, stage.database) as clearance:
        row = {
            "kid": made.kid,
            "algorithm": "ES256",
            "public_jwk": "{}",
            "private_sealed": "x",
            "created_at": clock.now(),
        }
        queries.add_key(clearance.connection, row)

    assert alice.delete(f"/v1/keys/{made.kid}").status_code == 204
    assert alice.get("/v1/me").status_code == 200


def test_the_key_that_signs_is_not_withdrawn_and_an_unknown_one_is_not_found(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for kid, told in ((kid_of(alice.tokens), (409, "key.active")), ("unknown", (404, "key.not_found"))):
        answer = alice.delete(f"/v1/keys/{kid}")
        assert (answer.status_code, answer.json["code"]) == told
    assert alice.get("/v1/keys/unknown").json["code"] == "key.not_found"
    assert alice.get("/v1/me").status_code == 200


@pytest.mark.parametrize("external", ["HS256", "EdDSA"])
def test_a_key_from_the_settings_is_shown_and_left_alone(stage: Stage, node: OpenNode, external: str) -> None:
    pem = generate_pem("EdDSA").decode() if external == "EdDSA" else ""
    own = node(signing_algorithm=external, signing_key=pem)
    dave, alice = stage.as_(DAVE), own.as_(ALICE)

    key, own_key = sorted(alice.get("/v1/keys").json["items"], key=lambda each: each["state"])

    assert own_key["kid"] == kid_of(dave.tokens) in published(own)
    assert (own_key["state"], own_key["kept_in"]) == ("retired", "database")
    assert (key["kid"], key["kept_in"], key["created_at"]) == (kid_of(alice.tokens), "settings", None)
    assert alice.get(f"/v1/keys/{key['kid']}").json == key
    for answer in (alice.post("/v1/keys/rotate"), alice.delete(f"/v1/keys/{key['kid']}")):
        assert (answer.status_code, answer.json["code"]) == (409, "key.external")


def test_carol_sees_keys_and_changes_none_and_dave_sees_none(stage: Stage) -> None:
    carol, dave = stage.as_(CAROL), stage.as_(DAVE)
    kid = kid_of(carol.tokens)

    assert carol.get("/v1/keys").status_code == 200
    assert (
        dave.get("/v1/keys").json["required"] == dave.get(f"/v1/keys/{kid}").json["required"] == "keys:read"
    )
    for caller in (carol, dave):
        assert caller.post("/v1/keys/rotate", json=AT_ONCE).json["required"] == "keys:rotate"
        assert caller.delete(f"/v1/keys/{kid}").json["required"] == "keys:rotate"
    assert states(stage) == ["active"]


def test_no_answer_and_no_event_holds_a_part_of_a_private_key(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    raw = Model("", stage.guard.keyring.active()).key.private.private_bytes_raw()
    answers = [
        alice.post("/v1/keys/rotate", json=AT_ONCE),
        alice.get("/v1/keys"),
        alice.get("/.well-known/jwks.json"),
    ]
    text = b"".join(answer.data for answer in answers) + repr(stage.events()).encode()

    for row in stage.query("SELECT private_sealed FROM signing_keys"):
        assert row[0].encode() not in text
    assert raw.hex().encode() not in text
    assert b"PRIVATE" not in text
    assert b'"d"' not in text


def test_a_rotation_repeated_with_its_idempotency_key_is_one_rotation(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first, second = (
        alice.post("/v1/keys/rotate", json=AT_ONCE, headers={"Idempotency-Key": "monday"}) for _ in range(2)
    )

    assert first.json == second.json
    assert states(stage) == ["active", "retired"]


def test_keys_are_listed_newest_first_by_pages(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for _ in range(2):
        alice.post("/v1/keys/rotate", json=AT_ONCE)
    whole = alice.get("/v1/keys?count=true").json

    pages, cursor = [], ""
    while cursor is not None:
        page = alice.get(f"/v1/keys?limit=1{cursor and f'&cursor={cursor}'}").json
        pages, cursor = pages + page["items"], page["next"]

    assert pages == whole["items"]
    assert (whole["total"], whole["next"]) == (3, None)
    moments = [key["created_at"] for key in pages]
    assert moments == sorted(moments, reverse=True)


def test_a_retired_key_verifies_until_its_last_token_has_expired_and_no_longer(
    stage: Stage, frozen: Traveller
) -> None:
    alice = stage.as_(ALICE)
    old, alice_key = kid_of(alice.tokens), stage.guard.keyring.active()
    alice.post("/v1/keys/rotate", json=AT_ONCE)
    lasting = Model(alice.tokens["access_token"], alice_key).with_claims(exp=(1 << 33))  # a thief has the key
    lifetime = stage.settings.refresh_token_seconds + stage.settings.clock_leeway_seconds

    frozen.shift(stage.settings.refresh_token_seconds - 1)
    assert refresh(stage, alice.tokens["refresh_token"]).status_code == 200
    assert old in published(stage)
    frozen.shift(lifetime - stage.settings.refresh_token_seconds + 1)
    caller = stage.caller()
    caller.tokens = {"access_token": lasting}

    assert caller.get("/v1/me").json["code"] == "token.invalid"
    assert old not in published(stage)


def rotate_together(stage: Stage) -> list[str]:
    """So many rotations at once; the states of all keys afterwards."""
    callers = [stage.as_(ALICE) for _ in range(ROTATIONS)]
    answers = together(
        ROTATIONS, lambda number: callers[number].post("/v1/keys/rotate", json=AT_ONCE).status_code
    )
    assert answers == [201] * ROTATIONS
    return states(stage)


def test_of_many_rotations_at_once_one_key_is_left_that_signs(stage: Stage) -> None:
    assert sorted(rotate_together(stage)) == ["active"] + ["retired"] * ROTATIONS


def late(stage: Stage, other: Stage) -> int:
    """What a worker that has not heard of anything yet answers to a token signed with a key just made elsewhere."""
    assert other.as_(BOB).get("/v1/me").status_code == 200
    other.guard.snapshot.gate.unchanged = lambda: True
    stage.as_(ALICE).post("/v1/keys/rotate", json=AT_ONCE)
    dave = other.caller()
    dave.tokens = stage.as_(DAVE).tokens
    status = dave.get("/v1/me").status_code
    assert answers_to(other, dave.tokens)[1] == (200 if status == 200 else 401)
    return int(status)


def test_a_token_that_is_quicker_than_the_news_of_its_key_is_good(stage: Stage, node: OpenNode) -> None:
    assert late(stage, node()) == 200


def test_a_worker_that_trusts_its_memory_alone_would_refuse_it(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin."""
    monkeypatch.setattr(Keyring, "_look_again", lambda *_: None)
    assert late(stage, node()) == 401


def test_names_that_no_key_can_have_are_not_asked_of_the_database(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Keyring, "_look_again", lambda _self, kid: asked.append(kid))
    for kid in ("../../etc/passwd", "' OR 1=1 --", "k" * 44, "", 1, None, ["k"], "A" * 43):
        assert stage.guard.keyring.find(kid, "EdDSA") is None
    assert asked == ["A" * 43]


def test_a_row_under_another_keys_name_is_not_that_key(stage: Stage) -> None:
    stage.execute(f"UPDATE signing_keys SET kid = '{'A' * 43}'")
    assert stage.guard.keyring.find("A" * 43, "EdDSA") is None


def test_a_key_that_is_old_enough_gives_way_to_one_that_was_published_long_before(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    own = node(key_rotation=600)
    assert (
        stage.as_(ALICE).post("/v1/keys/rotate", json=AT_ONCE).status_code == 201
    )  # the stage's own may be old
    before = own.as_(DAVE)
    frozen.shift(600 - 305 + 1)  # the lead, and a second
    meanwhile = own.as_(BOB)
    waiting = published(own) - {kid_of(before.tokens)}
    frozen.shift(305)
    after = own.as_(CAROL)

    assert kid_of(before.tokens) == kid_of(meanwhile.tokens) != kid_of(after.tokens)
    assert kid_of(after.tokens) in waiting
    for caller in (before, meanwhile, after):
        assert caller.get("/v1/me").status_code == 200
    assert refresh(own, meanwhile.tokens["refresh_token"]).status_code == 200
    assert [event["actor_type"] for event in stage.events("key.rotated")] == ["user", "system"]


def test_many_who_sign_in_when_it_is_due_rotate_once(stage: Stage, node: OpenNode, frozen: Traveller) -> None:
    crowd = [node(key_rotation=600) for _ in range(2)]
    frozen.shift(601)
    body = {"username": "dave", "password": PASSWORD}
    statuses = together(
        8, lambda n: crowd[n % 2].app.test_client().post("/v1/auth/login", json=body).status_code
    )

    assert statuses == [200] * 8
    assert states(stage) == ["next", "active"]


def test_keys_from_the_settings_are_not_rotated_by_themselves(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    own = node(key_rotation=600, signing_key=generate_pem("EdDSA").decode())
    frozen.shift(601)
    assert own.as_(DAVE).get("/v1/me").status_code == 200
    assert stage.events("key.rotated") == []


def test_a_retired_key_is_not_missed_and_a_withdrawn_one_is_replaced(stage: Stage) -> None:
    stage.as_(ALICE).post("/v1/keys/rotate", json=AT_ONCE)
    with operator_unit(stage.settings, stage.database) as clearance:
        assert ensure_key(clearance) is False
    stage.execute("UPDATE signing_keys SET withdrawn_at = created_at")
    with operator_unit(stage.settings, stage.database) as clearance:
        assert ensure_key(clearance) is True
    assert stage.as_(DAVE).get("/v1/me").status_code == 200


def test_the_public_keys_are_tagged_and_may_be_kept_for_a_while(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = alice.get("/.well-known/jwks.json")
    known = {"If-None-Match": first.headers["ETag"]}

    assert first.headers["Cache-Control"] == "public, max-age=300"
    assert alice.get("/.well-known/jwks.json", headers=known).status_code == 304
    alice.post("/v1/keys/rotate", json=AT_ONCE)
    assert alice.get("/.well-known/jwks.json", headers=known).status_code == 200


def test_the_public_keys_are_those_of_this_moment_though_no_news_has_come(
    stage: Stage, node: OpenNode
) -> None:
    other = node()
    published(other)
    other.guard.snapshot.gate.unchanged = lambda: True
    new = stage.as_(ALICE).post("/v1/keys/rotate", json=AT_ONCE).json["kid"]
    assert new in published(other)


def test_an_unsealed_key_fits_its_name(stage: Stage) -> None:
    key = stage.guard.keyring.active()
    assert key_from_pem(generate_pem("EdDSA"), "EdDSA").kid != key.kid
    assert verifies(key)
    assert key.created_at is not None


def test_rotating_has_an_address_of_its_own(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    answers = [
        alice.client.open("/v1/keys/rotate", method=method, headers=alice.headers)
        for method in ("GET", "DELETE")
    ]

    assert [(answer.status_code, answer.headers["Allow"]) for answer in answers] == [
        (405, "OPTIONS, POST")
    ] * 2
    assert alice.client.get("/v1/keys/rotate2", headers=alice.headers).json["code"] == "key.not_found"
