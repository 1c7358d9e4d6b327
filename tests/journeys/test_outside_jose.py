"""Tokens and the feed, verified by a JOSE library that knows the RFCs and nothing of this service (joserfc)."""

from __future__ import annotations

from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, InvalidClaimError, InvalidKeyIdError
from joserfc.jwk import KeySet

from rbac_api.capabilities.keys.service import ensure_key
from rbac_api.cli.prepare import operator_unit
from tests.builders import Caller, OpenNode, Stage
from tests.cast import ALICE, CAROL

# The contract calls it EdDSA; RFC 9864 would call it Ed25519, which few libraries know yet.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
ALGORITHMS = ["EdDSA", "ES256", "RS256"]


@pytest.fixture(params=ALGORITHMS)
def signing(request: pytest.FixtureRequest, stage: Stage, node: OpenNode) -> Stage:
    """A node that signs with each algorithm in turn."""
    found = node(signing_algorithm=request.param)
    with operator_unit(found.settings, found.database) as clearance:
        ensure_key(clearance)
    return found


def published(caller: Caller) -> KeySet:
    return KeySet.import_key_set(caller.get("/.well-known/jwks.json").json)


def verified(caller: Caller, text: str, **expected: Any) -> Any:
    """The token, if the library takes it for one of the issuer's, for this audience, of this moment."""
    token = jwt.decode(text, published(caller), algorithms=ALGORITHMS)
    issuer = caller.stage.settings.issuer_url
    claims = {"iss": issuer, "aud": "rbac-api", **expected}
    rules: Any = {name: {"essential": True, "value": value} for name, value in claims.items()}
    jwt.JWTClaimsRegistry(exp={"essential": True}, **rules).validate(token.claims)
    return token


def test_carols_token_verifies_offline_and_says_her_roles(signing: Stage) -> None:
    carol = signing.as_(CAROL)

    token = verified(carol, carol.tokens["access_token"], sub=signing.user_id(CAROL))

    assert token.header["typ"] == "at+jwt"
    assert token.header["alg"] == signing.settings.signing_algorithm
    assert token.claims["roles"] == carol.get("/v1/me").json["roles"]


def test_a_changed_token_and_one_for_somebody_else_do_not(signing: Stage) -> None:
    carol = signing.as_(CAROL)
    head, body, signature = carol.tokens["access_token"].split(".")
    changed = f"{head}.{body}.{('B' if signature[0] == 'A' else 'A')}{signature[1:]}"

    with pytest.raises(BadSignatureError):
        verified(carol, changed)
    with pytest.raises(InvalidClaimError):
        verified(carol, carol.tokens["access_token"], aud="another-service")
    with pytest.raises(InvalidClaimError):
        verified(carol, carol.tokens["refresh_token"])


def test_the_feed_verifies_and_names_the_session_that_alice_ended(signing: Stage) -> None:
    carol, alice = signing.as_(CAROL), signing.as_(ALICE)
    alice.delete(f"/v1/sessions/{carol.tokens['session_id']}")

    text = alice.get("/.well-known/revocations").text
    feed = jws.deserialize_compact(text, published(alice), algorithms=ALGORITHMS)

    assert feed.headers()["typ"] == "revocations+jwt"
    told = jwt.decode(text, published(alice), algorithms=ALGORITHMS).claims
    assert told["iss"] == signing.settings.issuer_url
    assert carol.tokens["session_id"] in told["sids"]


def test_after_a_rotation_both_keys_verify_and_after_a_withdrawal_the_old_one_is_gone(signing: Stage) -> None:
    carol, alice = signing.as_(CAROL), signing.as_(ALICE)
    before = verified(carol, carol.tokens["access_token"]).header["kid"]
    alice.post("/v1/keys/rotate", json={"emergency": True})
    later = signing.as_(ALICE)

    assert verified(later, carol.tokens["access_token"]).header["kid"] == before
    assert verified(later, later.tokens["access_token"]).header["kid"] != before
    later.delete(f"/v1/keys/{before}")
    with pytest.raises(InvalidKeyIdError):
        verified(later, carol.tokens["access_token"])
