"""Another algorithm or another key in the settings: what was handed out before is honoured until it has run out, and then no longer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from time_machine import Traveller

from rbac_api.cli.prepare import operator_unit, prepare
from rbac_api.guard.tokens.signing import generate_pem
from tests.builders import OpenNode, Stage, settings_for
from tests.capabilities.keys.test_keys import kid_of
from tests.capabilities.signin.crowd import answers_to
from tests.cast import ALICE, BOB, DAVE
from tests.guard.forgery import Model
from tests.guard.test_keyring import OTHER_SECRET, pem_of, public_pem_of

PEMS = {algorithm: generate_pem(algorithm).decode() for algorithm in ("EdDSA", "ES256")}
SETTINGS: dict[str, dict[str, Any]] = {
    "own EdDSA": {"signing_algorithm": "EdDSA"},
    "own ES256": {"signing_algorithm": "ES256"},
    "HS256": {"signing_algorithm": "HS256"},
    "a key for EdDSA": {"signing_algorithm": "EdDSA", "signing_key": PEMS["EdDSA"]},
    "another key for EdDSA": {"signing_algorithm": "EdDSA", "signing_key": generate_pem("EdDSA").decode()},
}
CHANGES = [(before, after) for before in SETTINGS for after in SETTINGS if before != after]


@pytest.fixture
def with_settings(node: OpenNode) -> Callable[..., Stage]:
    """A node that was started with settings of this kind."""

    def started(kind: str, **changes: Any) -> Stage:
        own = node(**SETTINGS[kind], **changes)
        prepare(own.settings, own.database)
        return own

    return started


@pytest.mark.parametrize(("before", "after"), CHANGES)
def test_nobody_is_signed_out_by_a_change_of_the_key(
    with_settings: Callable[..., Stage], before: str, after: str
) -> None:
    dave = with_settings(before).as_(DAVE)
    new = with_settings(after)

    assert answers_to(new, dave.tokens) == (200, 200)
    bob = new.as_(BOB)
    assert kid_of(bob.tokens) != kid_of(dave.tokens)
    assert answers_to(new, bob.tokens) == (200, 200)


@pytest.mark.parametrize("before", ["HS256", "a key for EdDSA"])
def test_a_replaced_key_verifies_until_its_last_token_has_expired_and_no_longer(
    with_settings: Callable[..., Stage], frozen: Traveller, before: str
) -> None:
    old = with_settings(before)
    dave = old.as_(DAVE)
    endless = Model(dave.tokens["access_token"], old.guard.keyring.active()).with_claims(exp=1 << 33)
    new = with_settings("own ES256")
    caller = new.caller()
    caller.tokens = {"access_token": endless}

    frozen.shift(3600)
    assert caller.get("/v1/me").status_code == 200
    frozen.shift(6)

    assert caller.get("/v1/me").json["code"] == "token.invalid"
    shown = {key["kid"]: key for key in new.as_(ALICE).get("/v1/keys").json["items"]}
    key = shown[kid_of(dave.tokens)]
    assert (key["state"], key["kept_in"]) == ("retired", "settings")
    assert kid_of(dave.tokens) not in {
        jwk["kid"] for jwk in caller.get("/.well-known/jwks.json").json["keys"]
    }


@pytest.mark.parametrize("before", ["HS256", "a key for EdDSA"])
def test_a_replaced_key_is_withdrawn_for_good(with_settings: Callable[..., Stage], before: str) -> None:
    dave = with_settings(before).as_(DAVE)
    new = with_settings("own ES256")
    alice = new.as_(ALICE)

    assert alice.delete(f"/v1/keys/{kid_of(dave.tokens)}").status_code == 204

    assert answers_to(new, dave.tokens) == (401, 401)
    assert alice.get(f"/v1/keys/{kid_of(dave.tokens)}").json["state"] == "withdrawn"
    assert alice.get(f"/v1/sessions/{dave.tokens['session_id']}").json["state"] == "ended"
    assert alice.delete(f"/v1/keys/{kid_of(dave.tokens)}").status_code == 204
    back = with_settings(before)
    refused = back.caller().post("/v1/auth/login", json={"username": "dave", "password": "x"})
    assert answers_to(back, dave.tokens) == (401, 401)
    assert refused.status_code in (401, 503)
    assert "was withdrawn" in str(back.caller().get("/readyz").json["checks"])


def test_the_tokens_of_a_node_that_has_the_new_key_already_are_good_at_one_that_has_not(
    with_settings: Callable[..., Stage],
) -> None:
    old, new = with_settings("a key for EdDSA"), with_settings("another key for EdDSA")
    assert answers_to(old, old.as_(DAVE).tokens) == (200, 200)
    assert answers_to(old, new.as_(DAVE).tokens) == (200, 200)
    assert answers_to(new, old.as_(DAVE).tokens) == (200, 200)


def test_nobody_puts_a_verification_key_of_her_own_into_the_database(
    stage: Stage, with_settings: Callable[..., Stage]
) -> None:
    with_settings("a key for EdDSA").as_(DAVE)
    stage.execute("UPDATE key_uses SET public_sealed = 'AAAA' WHERE public_sealed IS NOT NULL")
    answer = stage.caller().get("/.well-known/jwks.json")
    assert (answer.status_code, answer.json["code"]) == (503, "seal.broken")


TWO = {
    "two private keys": PEMS["EdDSA"] + generate_pem("EdDSA").decode(),
    "a private key, then its public one": PEMS["EdDSA"] + public_pem_of(ed25519.Ed25519PrivateKey.generate()),
    "the public key first": public_pem_of(ed25519.Ed25519PrivateKey.generate()) + PEMS["EdDSA"],
    "keys of two kinds": PEMS["EdDSA"] + PEMS["ES256"],
}


@pytest.mark.parametrize("pair", TWO)
def test_two_keys_in_one_text_are_refused_and_not_half_used(pair: str) -> None:
    (fault,) = settings_for("sqlite:////tmp/unused.db", signing_key=TWO[pair]).faults()
    assert fault.startswith("RBAC_SIGNING_KEY holds 2 keys")
    assert "keep the one private key" in fault


def test_the_parameters_that_openssl_writes_before_a_key_are_no_second_key() -> None:
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    pem = parameters + pem_of(ec.generate_private_key(ec.SECP256R1()))
    assert settings_for("sqlite:////tmp/unused.db", signing_algorithm="ES256", signing_key=pem).faults() == []


def test_what_a_replaced_key_signed_is_withdrawn_from_a_shell_too(
    stage: Stage, with_settings: Callable[..., Stage]
) -> None:
    from rbac_api.capabilities.keys.service import withdraw_key

    dave = with_settings("a key for EdDSA").as_(DAVE)
    with operator_unit(stage.settings, stage.database) as clearance:
        withdraw_key(clearance, kid_of(dave.tokens))
    assert answers_to(stage, dave.tokens) == (401, 401)


def test_with_another_secret_the_shared_key_of_before_is_not_ours(
    stage: Stage, with_settings: Callable[..., Stage], node: OpenNode
) -> None:
    dave = with_settings("HS256").as_(DAVE)
    stage.execute("DELETE FROM signing_keys")
    other = node(signing_algorithm="HS256", secret_key=OTHER_SECRET)
    assert answers_to(other, dave.tokens) == (401, 401)
