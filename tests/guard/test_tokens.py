"""What stands in a token, who can verify it, and what the library is not allowed to do with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.roles.service import create_role
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.errors import TokenExpired, TokenInvalid
from rbac_api.guard.tokens import jwt as bearer
from tests.builders import Stage
from tests.cast import ALICE, BOB, DAVE
from tests.guard.conftest import StageFor
from tests.guard.forgery import Model

SHARED = {"iss", "aud", "sub", "client_id", "iat", "nbf", "exp", "jti", "sid", "auth_time", "type"}
ASYMMETRIC = ("EdDSA", "ES256", "RS256")


def taken_apart(stage: Stage, person: Any, kind: str = "access") -> Model:
    return Model(stage.as_(person).tokens[f"{kind}_token"], stage.guard.keyring.active())


def test_bobs_access_token_says_what_the_contract_says_and_no_more(stage: Stage) -> None:
    bob = stage.as_(BOB)
    model = Model(bob.tokens["access_token"], stage.guard.keyring.active())
    claims = model.payload

    assert model.header == {"typ": "at+jwt", "alg": "EdDSA", "kid": model.key.kid}
    assert claims.keys() == SHARED | {"roles", "av"}
    assert (claims["roles"], claims["type"], claims["sub"]) == (
        ["role-manager"],
        "access",
        stage.user_id(BOB),
    )
    assert (claims["iss"], claims["aud"]) == ("http://127.0.0.1:8000", "rbac-api")
    assert (claims["sid"], claims["client_id"]) == (bob.tokens["session_id"], "first-party")
    assert claims["exp"] - claims["iat"] == bob.tokens["expires_in"] == 900
    assert "bob" not in json.dumps(claims)


def test_bobs_refresh_token_is_for_this_service_alone(stage: Stage) -> None:
    model = taken_apart(stage, BOB, "refresh")

    assert model.header["typ"] == "rt+jwt"
    assert model.payload.keys() == SHARED | {"gen"}
    assert model.payload["aud"] == model.payload["iss"] == "http://127.0.0.1:8000"
    assert (model.payload["type"], model.payload["gen"]) == ("refresh", 1)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_another_service_verifies_with_the_published_keys_alone(stage_for: StageFor, algorithm: str) -> None:
    stage = stage_for(algorithm)
    token = stage.as_(BOB).tokens["access_token"]
    published = stage.caller().get("/.well-known/jwks.json").text

    keys = {key.key_id: key for key in jwt.PyJWKSet.from_json(published).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(
        token, key, algorithms=[algorithm], audience="rbac-api", issuer="http://127.0.0.1:8000",
        options={"require": ["exp", "iat", "sub", "jti"], "strict_aud": True},
    )  # fmt: skip

    assert claims["roles"] == ["role-manager"]


def test_with_a_shared_secret_whoever_has_it_verifies_and_nothing_is_published(stage_for: StageFor) -> None:
    stage = stage_for("HS256")
    token = stage.as_(BOB).tokens["access_token"]

    claims = jwt.decode(token, stage.settings.secret_key, algorithms=["HS256"], audience="rbac-api")

    assert claims["roles"] == ["role-manager"]
    assert stage.caller().get("/.well-known/jwks.json").json == {"keys": []}


def test_alices_roles_never_leak_into_daves_token(stage: Stage) -> None:
    manager = stage.app.extensions["flask-jwt-extended"]
    order = [ALICE, DAVE, BOB, DAVE]

    roles = [taken_apart(stage, person).payload["roles"] for person in order]

    assert roles == [["admin"], [], ["role-manager"], []]
    assert manager._user_claims_callback("x") is not manager._user_claims_callback("x")


def test_the_library_left_to_itself_leaks_them() -> None:
    app, remembered = Flask("twin"), {}  # type: ignore[var-annotated]
    app.config["JWT_SECRET_KEY"] = "a secret that is long enough for anybody"
    manager = JWTManager(app)
    manager.additional_claims_loader(lambda _identity: remembered)

    with app.app_context():
        create_access_token("alice", additional_claims={"roles": ["admin"]})
        daves = create_access_token("dave")

    assert jwt.decode(daves, options={"verify_signature": False})["roles"] == ["admin"]


@pytest.mark.parametrize(
    "claims", [None, {"roles": ["admin"]}, {"exp": 4102444800}, {"sub": "somebody else"}]
)
def test_other_code_in_the_application_cannot_have_a_token_signed(stage: Stage, claims: Any) -> None:
    with stage.app.app_context(), pytest.raises(ValueError, match="fixed"):
        create_access_token(stage.user_id(ALICE), additional_claims=claims)


@pytest.fixture
def meddler(stage: Stage) -> Iterator[JWTManager]:
    """Somebody who registers claims of his own with the library."""
    manager = stage.app.extensions["flask-jwt-extended"]
    before = manager._user_claims_callback
    yield manager
    manager._user_claims_callback = before


def test_reserved_claims_cannot_be_overridden_by_a_loader(stage: Stage, meddler: JWTManager) -> None:
    meddler.additional_claims_loader(
        lambda _identity: {"sub": "alice", "type": "refresh", "roles": ["admin"], "aud": "*", "mail": "x@y"}
    )

    claims = taken_apart(stage, DAVE).payload

    assert (claims["sub"], claims["type"]) == (stage.user_id(DAVE), "access")
    assert (claims["roles"], claims["aud"], "mail" in claims) == ([], "rbac-api", False)


def test_somebody_with_a_hundred_and_fifty_long_role_names_can_still_call(stage: Stage) -> None:
    names = [f"role-{number:03}-".ljust(63, "x") for number in range(150)]
    with operator_unit(stage.settings, stage.database) as clearance:
        for name in names:
            create_role(clearance, {"name": name, "description": "One of many."})
            assign_role(clearance, stage.user_id(DAVE), name)

    dave = stage.as_(DAVE)
    me = dave.get("/v1/me")

    assert (me.status_code, me.json["roles"]) == (200, names)
    assert len(dave.tokens["access_token"]) < bearer.MAX_TOKEN_LENGTH


def test_an_expired_token_says_to_refresh_and_never_comes_back(stage: Stage) -> None:
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        carol = stage.as_(BOB)
        clock.shift(899)
        assert carol.get("/v1/me").status_code == 200
        clock.shift(1)
        answer = carol.get("/v1/me")
        clock.shift(-60)
        within = carol.get("/v1/me")

    assert (answer.status_code, answer.json["code"]) == (401, "token.expired")
    assert "/v1/auth/refresh" in answer.json["detail"]
    assert within.status_code == 200, (
        "the clock was set back: the token is in its time again, and its session lives"
    )


@pytest.mark.parametrize("late", [0, 1, 4])
def test_what_is_forgiven_of_two_clocks_does_not_make_a_token_live_longer(stage: Stage, late: int) -> None:
    with time_machine.travel("2026-11-22T12:00:00Z", tick=False) as clock:
        bob = stage.as_(BOB)
        clock.shift(900 + late)
        first = bob.get("/v1/me")

    assert (first.status_code, first.json["code"]) == (401, "token.expired")


@pytest.mark.parametrize(("seconds", "refused"), [(4, None), (6, TokenInvalid)])
def test_a_token_of_a_node_whose_clock_is_ahead(stage: Stage, seconds: int, refused: Any) -> None:
    model = taken_apart(stage, BOB)
    ahead = {name: model.payload[name] + seconds for name in ("iat", "nbf")}
    with stage.app.app_context():
        if refused:
            with pytest.raises(refused):
                stage.guard.bearer.verify_token(model.with_claims(**ahead), "access")
        else:
            assert stage.guard.bearer.verify_token(
                model.with_claims(**ahead), "access"
            ).subject == stage.user_id(BOB)


def test_an_expired_forgery_is_invalid_and_not_merely_late(stage: Stage) -> None:
    model = taken_apart(stage, BOB)
    late = {**model.payload, "exp": 1}
    with stage.app.app_context():
        with pytest.raises(TokenInvalid):
            stage.guard.bearer.verify_token(model.signed(payload=late, key=model.stranger), "access")
        with pytest.raises(TokenExpired):
            stage.guard.bearer.verify_token(model.signed(payload=late), "access")


def test_an_expired_token_is_forgotten_when_others_come(stage: Stage) -> None:
    daves, remembered = [stage.as_(DAVE) for _ in range(4)], stage.guard.bearer._remembered
    for dave in daves:
        dave.get("/v1/me")
    assert len(remembered) == 4

    with time_machine.travel(clock.now() + timedelta(seconds=stage.settings.access_token_seconds + 1)):
        for left in (3, 2, 3):  # two expired ones each time, while there are any
            assert stage.as_(DAVE).get("/v1/me").status_code == 200
            assert len(remembered) == left


def test_what_is_remembered_of_tokens_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bearer, "MAX_REMEMBERED", 2)
    callers = [stage.as_(person) for person in (ALICE, BOB, DAVE)]

    statuses = [caller.get("/v1/me").status_code for caller in callers * 2]

    assert statuses == [200] * 6
    assert len(stage.guard.bearer._remembered) == 2
