"""Signing keys: their names, what is published of them, where they are kept, and what happens when they cannot be opened."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from rbac_api.capabilities.keys.service import ensure_key, list_keys
from rbac_api.capabilities.operation.diagnosis import diagnose
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.tokens.keys import Keyring, NoSigningKey
from rbac_api.guard.tokens.signing import generate_pem, key_from_pem, shared_secret_key, thumbprint
from rbac_api.sealing import SealBroken
from rbac_api.settings import Settings
from tests.builders import OpenNode, Stage, settings_for
from tests.cast import ALICE, BOB, PASSWORD
from tests.guard.forgery import Model

ASYMMETRIC = ("EdDSA", "ES256", "RS256")
OTHER_SECRET = "Yw7qLk2ZrT9mXc4vBn6pGd8sHf1jKa3eUo5iQx0t"
# RFC 7638 section 3.1, and RFC 8037 appendix A.3
RFC_7638 = {
    "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W"
    "-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt"
    "-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
}  # fmt: skip
RFC_8037 = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}


def test_a_thumbprint_is_the_rfcs_own() -> None:
    assert thumbprint(RFC_7638) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert thumbprint(RFC_8037) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_published_key_has_public_members_only(algorithm: str) -> None:
    members = {"EdDSA": {"crv", "x"}, "ES256": {"crv", "x", "y"}, "RS256": {"n", "e"}}[algorithm]

    jwk = key_from_pem(generate_pem(algorithm), algorithm).jwk or {}

    assert jwk.keys() == {"kty", "kid", "use", "alg"} | members
    assert jwk["kid"] == thumbprint(jwk)
    assert (jwk["use"], jwk["alg"]) == ("sig", algorithm)


def test_the_name_of_a_shared_secret_tells_nothing_of_it() -> None:
    settings = settings_for("sqlite:////tmp/unused.db", signing_algorithm="HS256")

    key = shared_secret_key(settings)

    plain = base64.urlsafe_b64encode(settings.secret_key.encode()).rstrip(b"=").decode()
    assert key.kid != thumbprint({"kty": "oct", "k": plain})
    assert key.jwk is None


def test_a_private_key_lies_sealed_in_its_row(stage: Stage) -> None:
    rows = stage.query("SELECT kid, algorithm, public_jwk, private_sealed FROM signing_keys")
    key = stage.guard.keyring.active()
    raw = key.private.private_bytes_raw()

    assert [row[0] for row in rows] == [key.kid]
    assert json.loads(rows[0][2]) == key.jwk
    sealed = base64.urlsafe_b64decode(rows[0][3])
    assert raw not in sealed
    assert b"PRIVATE" not in sealed


def codes(stage: Stage, caller: Any) -> list[tuple[int, str]]:
    """What somebody is told who has good tokens and the right password."""
    refresh = {"refresh_token": caller.tokens["refresh_token"]}
    answers = [
        caller.get("/v1/me"),
        caller.get("/v1/users"),
        caller.post("/v1/auth/refresh", json=refresh),
        caller.get("/.well-known/jwks.json"),
    ]
    return [(answer.status_code, answer.json["code"]) for answer in answers]


def test_another_instance_secret_is_named_and_never_a_500(stage: Stage, node: OpenNode) -> None:
    tokens = stage.as_(ALICE).tokens
    wrong = node(secret_key=OTHER_SECRET)
    caller = wrong.caller()
    caller.tokens = tokens

    told = codes(wrong, caller)
    ready = caller.get("/readyz")

    assert told == [(503, "seal.broken")] * 4
    assert caller.get("/v1/me").headers["Retry-After"]
    assert ready.status_code == 503
    failing = [check for check in ready.json["checks"] if not check["ok"]]
    assert [check["name"] for check in failing] == ["signing key"]
    assert "RBAC_SECRET_KEY" in failing[0]["detail"]


def test_the_doctor_names_the_secret_too(stage: Stage, node: OpenNode) -> None:
    wrong = node(secret_key=OTHER_SECRET)

    with operator_unit(wrong.settings, wrong.database, writes=False) as clearance:
        findings = {finding.name: finding for finding in diagnose(clearance)}

    assert not findings["signing key"].ok
    assert "RBAC_SECRET_KEY" in findings["signing key"].detail


@pytest.mark.parametrize(
    "damage",
    [
        "private_sealed = ''",
        "private_sealed = '!!!'",
        "private_sealed = 'AAAA'",
        "private_sealed = substr(private_sealed, 1, 40)",
        "algorithm = 'RS256'",
        "algorithm = 'HS256'",
    ],
)
def test_a_damaged_key_row_is_named_and_never_a_500(stage: Stage, damage: str) -> None:
    alice = stage.as_(ALICE)
    stage.execute(f"UPDATE signing_keys SET {damage}")

    assert codes(stage, alice) == [(503, "seal.broken")] * 4
    signin = stage.caller().post("/v1/auth/login", json={"username": "alice", "password": PASSWORD})
    assert (signin.status_code, signin.json["code"]) == (503, "seal.broken")


def test_without_any_key_nobody_signs_in_and_the_answer_says_what_to_do(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    stage.execute("DELETE FROM signing_keys")

    answer = stage.caller().post("/v1/auth/login", json={"username": "alice", "password": PASSWORD})

    assert (answer.status_code, answer.json["code"]) == (503, "key.absent")
    assert "rbac-api init" in answer.json["detail"]
    assert alice.get("/v1/me").json["code"] == "token.invalid"
    assert alice.get("/readyz").status_code == 503


def test_a_key_is_known_by_its_own_thumbprint_whatever_its_row_says(stage: Stage) -> None:
    stage.execute("UPDATE signing_keys SET kid = 'renamed'")

    assert stage.as_(ALICE).get("/v1/me").status_code == 200


def test_a_key_that_is_there_is_not_made_again(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        assert ensure_key(clearance) is False
        listed = list_keys(clearance)

    assert [(key["algorithm"], key["state"], key["kept_in"]) for key in listed] == [
        ("EdDSA", "active", "database")
    ]


def test_a_new_algorithm_signs_at_once_and_the_old_key_goes_on_verifying(
    stage: Stage, node: OpenNode
) -> None:
    old = stage.as_(ALICE)
    newer = node(signing_algorithm="ES256")
    with operator_unit(newer.settings, newer.database) as clearance:
        assert ensure_key(clearance) is True

    fresh = newer.as_(BOB)

    assert Model(fresh.tokens["access_token"], None).header["alg"] == "ES256"
    carried = newer.caller()
    carried.tokens = old.tokens
    assert carried.get("/v1/me").status_code == 200
    assert [key["alg"] for key in newer.caller().get("/.well-known/jwks.json").json["keys"]] == [
        "EdDSA",
        "ES256",
    ]
    assert len(stage.events("key.created")) == 2


def test_a_token_of_a_key_just_made_by_another_node_is_good_here_at_once(
    stage: Stage, node: OpenNode
) -> None:
    assert stage.as_(ALICE).get("/v1/me").status_code == 200
    newer = node(signing_algorithm="ES256")
    with operator_unit(newer.settings, newer.database) as clearance:
        ensure_key(clearance)
    bob = stage.caller()
    bob.tokens = newer.as_(BOB).tokens

    assert bob.get("/v1/me").status_code == 200
    assert (
        bob.post("/v1/auth/refresh", json={"refresh_token": bob.tokens["refresh_token"]}).status_code == 200
    )


class ForgetfulRing(Keyring):
    """A worker that hears of a change just while it reads the keys from before it."""

    def _load(self, connection: Any) -> dict[str, Any]:
        found = super()._load(connection)
        if self.interrupt:
            self.interrupt = False
            self.forget()
        return found

    interrupt = False


def test_keys_read_before_a_change_are_not_remembered_after_it(stage: Stage) -> None:
    ring = ForgetfulRing(stage.settings, stage.database)
    ring.interrupt = True
    before = ring.keys()
    stage.execute("DELETE FROM signing_keys")

    assert len(before) == 1
    assert ring.keys() == {}
    with pytest.raises(NoSigningKey):
        ring.active()


class NaiveRing(ForgetfulRing):
    """The vulnerable twin: remembers whatever it read."""

    def keys(self, connection: Any = None) -> dict[str, Any]:
        if self._keys is None:
            self._keys = self._load(connection)
        return self._keys


def test_a_naive_ring_would_keep_a_withdrawn_key_for_ever(stage: Stage) -> None:
    ring = NaiveRing(stage.settings, stage.database)
    ring.interrupt = True
    ring.keys()
    stage.execute("DELETE FROM signing_keys")

    assert len(ring.keys()) == 1


def test_a_remembered_token_dies_with_its_key(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    assert alice.get("/v1/me").status_code == 200
    stage.execute("DELETE FROM signing_keys")

    answer = alice.get("/v1/me")

    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_key_from_the_settings_signs_and_none_is_kept_in_sql(
    stage: Stage, node: OpenNode, algorithm: str
) -> None:
    pem = generate_pem(algorithm)
    stage.execute("DELETE FROM signing_keys")
    own = node(signing_algorithm=algorithm, signing_key=pem.decode())

    bob = own.as_(BOB)

    assert Model(bob.tokens["access_token"], None).header["kid"] == key_from_pem(pem, algorithm).kid
    assert bob.get("/v1/me").status_code == 200
    with operator_unit(own.settings, own.database) as clearance:
        assert ensure_key(clearance) is False
        assert [key["kept_in"] for key in list_keys(clearance)] == ["settings"]
    assert stage.query("SELECT count(*) FROM signing_keys") == [(0,)]


def test_a_key_may_come_as_text_or_from_a_file(tmp_path: Path) -> None:
    pem = generate_pem("ES256").decode()
    (tmp_path / "signing.pem").write_text(pem)
    environ = {"RBAC_SIGNING_ALGORITHM": "ES256", "RBAC_DATA_DIR": str(tmp_path)}

    by_text = Settings.from_environment({**environ, "RBAC_SIGNING_KEY": pem})
    by_file = Settings.from_environment({**environ, "RBAC_SIGNING_KEY_FILE": str(tmp_path / "signing.pem")})

    assert by_text.signing_key.strip() == by_file.signing_key == pem.strip()


def pem_of(key: Any, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    made: bytes = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return made.decode()


def public_pem_of(key: Any) -> str:
    form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    made: bytes = key.public_key().public_bytes(*form)
    return made.decode()


WRONG_KEYS = {
    "no key at all": ("EdDSA", lambda: "not a key"),
    "a public key": ("EdDSA", lambda: public_pem_of(ed25519.Ed25519PrivateKey.generate())),
    "an encrypted key": ("EdDSA", lambda: pem_of(ed25519.Ed25519PrivateKey.generate(), b"password")),
    "an EC key for EdDSA": ("EdDSA", lambda: pem_of(ec.generate_private_key(ec.SECP256R1()))),
    "an Ed25519 key for ES256": ("ES256", lambda: pem_of(ed25519.Ed25519PrivateKey.generate())),
    "the curve P-384 for ES256": ("ES256", lambda: pem_of(ec.generate_private_key(ec.SECP384R1()))),
    "1024 bits for RS256": ("RS256", lambda: pem_of(rsa.generate_private_key(65537, 1024))),  # noqa: S505
    "an EC key for RS256": ("RS256", lambda: pem_of(ec.generate_private_key(ec.SECP256R1()))),
    "any key for HS256": ("HS256", lambda: pem_of(ed25519.Ed25519PrivateKey.generate())),
}


@pytest.mark.parametrize("wrong", WRONG_KEYS)
def test_a_key_that_does_not_fit_is_refused_at_the_start(wrong: str) -> None:
    algorithm, make = WRONG_KEYS[wrong]
    pem = make()

    faults = settings_for("sqlite:////tmp/unused.db", signing_algorithm=algorithm, signing_key=pem).faults()

    assert len(faults) == 1
    assert faults[0].startswith("RBAC_SIGNING_KEY ")
    assert pem.splitlines()[-1] not in faults[0]


def test_an_unreadable_row_is_told_apart_from_a_wrong_setting(stage: Stage) -> None:
    stage.execute("UPDATE signing_keys SET algorithm = 'ES256'")

    with pytest.raises(SealBroken) as caught:
        stage.guard.keyring.keys()

    assert "signing_keys was altered" in (caught.value.internal or "")
