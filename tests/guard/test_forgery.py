"""Mallory forges tokens: every one is 401 with one body, and the honest one goes on working."""

from __future__ import annotations

import socket
from collections import defaultdict
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.contract.operations import operations
from tests.guard.conftest import StageFor
from tests.guard.forgery import Model, forgeries

ALGORITHMS = ("EdDSA", "ES256", "RS256", "HS256")
# Three routes of each kind: for anybody signed in, for holders of a permission, and those that write.
KINDS = (
    (("GET", "/v1/me"), ("GET", "/v1/me/sessions"), ("POST", "/v1/auth/logout")),
    (("GET", "/v1/users"), ("GET", "/v1/roles"), ("GET", "/v1/audit/events")),
    (("POST", "/v1/users"), ("POST", "/v1/roles"), ("DELETE", "/v1/sessions/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57")),
)  # fmt: skip
REFRESH = ((("POST", "/v1/auth/refresh"),),)
BODY_LIMIT = 8192  # a longer refresh token is 422 by the schema, before it is looked at


def answers(client: FlaskClient, method: str, path: str, token: str) -> tuple[int, dict[str, Any], Any]:
    """What a token in the Authorization header gets: status, body without its request id, challenge."""
    answer = client.open(path, method=method, environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {token}"})
    told = answer.json if isinstance(answer.json, dict) else {}
    body = {name: value for name, value in told.items() if name != "request_id"}
    return answer.status_code, body, answer.headers.get("WWW-Authenticate")


def taken(stage: Stage, kinds: Any, model: Model, *, about_keys: bool = False) -> list[str]:
    """The forgeries that are answered in any other way than plain nonsense is.  Each is tried at one route of each kind, by turns."""
    client = stage.app.test_client()
    refused = answers(client, *kinds[0][0], "nonsense")
    assert (refused[0], refused[1]["code"]) == (401, "token.invalid")
    tried = [
        (name, token, kind[turn % len(kind)])
        for turn, (name, token) in enumerate(forgeries(model, about_keys=about_keys))
        for kind in kinds
    ]
    return [f"{name} at {route}" for name, token, route in tried if answers(client, *route, token) != refused]


def model_of(stage: Stage, text: str) -> Model:
    return Model(text, stage.guard.keyring.active())


def facts(stage: Stage) -> list[Any]:
    """Everything a forged token could have changed."""
    return stage.query(  # an event may still wait to be linked
        "SELECT (SELECT count(*) FROM trail_events) + (SELECT count(*) FROM trail_outbox),"
        " (SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL)"
    )


def test_no_forged_access_token_passes_any_kind_of_route(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    model = model_of(stage, alice.tokens["access_token"])
    before = facts(stage)

    assert alice.get("/v1/me").status_code == 200
    assert len(forgeries(model)) >= 600
    assert taken(stage, KINDS, model) == []

    assert facts(stage) == before
    assert alice.get("/v1/me").json["username"] == "alice"


def test_no_forged_refresh_token_is_exchanged(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    model = model_of(stage, alice.tokens["refresh_token"])
    before = facts(stage)

    assert taken(stage, REFRESH, model) == []
    assert refused_bodies(stage, model) == []

    assert facts(stage) == before
    assert (
        alice.post(
            "/v1/auth/refresh", json={"refresh_token": model.text}, headers={"Authorization": ""}
        ).status_code
        == 200
    )


def refused_bodies(stage: Stage, model: Model) -> list[str]:
    """The forgeries that get through in the body instead of the header."""
    client = stage.app.test_client()
    sent = [
        (name, token)
        for name, token in forgeries(model)
        if 0 < len(token) <= BODY_LIMIT and "\0" not in token
    ]
    codes = [
        (name, client.post("/v1/auth/refresh", json={"refresh_token": token}).json["code"])
        for name, token in sent
    ]
    return [f"{name}: {code}" for name, code in codes if code != "token.invalid"]


@pytest.mark.parametrize("algorithm", ALGORITHMS[1:])
def test_no_forgery_passes_under_another_algorithm(stage_for: StageFor, algorithm: str) -> None:
    stage = stage_for(algorithm)
    alice = stage.as_(ALICE)
    access, refresh = (model_of(stage, alice.tokens[f"{kind}_token"]) for kind in ("access", "refresh"))

    assert access.header["alg"] == algorithm
    assert taken(stage, KINDS[:1], access, about_keys=True) == []
    assert taken(stage, REFRESH, refresh, about_keys=True) == []

    assert alice.get("/v1/me").status_code == 200


def test_a_hostile_header_opens_no_connection(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(stage, stage.as_(ALICE).tokens["access_token"])
    hostile = [token for name, token in forgeries(model) if "hostile_headers" in name or "kids" in name]
    opened: list[Any] = []
    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, lambda _self, *address: opened.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: opened.append(address))

    statuses = {answers(stage.app.test_client(), "GET", "/v1/me", token)[0] for token in hostile}

    assert len(hostile) > 40
    assert statuses == {401}
    assert opened == []


def test_a_refresh_token_opens_no_operation_but_refresh(stage: Stage) -> None:
    refresh_token, client = stage.as_(ALICE).tokens["refresh_token"], stage.app.test_client()
    names: dict[str, str] = defaultdict(lambda: "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", seq="1")
    guarded = [operation for operation in operations(stage.app) if not operation.public]

    statuses = {answers(client, each.method, each.at(names), refresh_token)[:1] for each in guarded}

    assert len(guarded) > 30
    assert statuses == {(401,)}


def test_an_access_token_is_no_refresh_token(stage: Stage) -> None:
    access_token = stage.as_(ALICE).tokens["access_token"]

    in_header = answers(stage.app.test_client(), "POST", "/v1/auth/refresh", access_token)
    in_body = stage.caller().post("/v1/auth/refresh", json={"refresh_token": access_token})

    assert (in_header[0], in_header[1]["code"]) == (401, "token.invalid")
    assert (in_body.status_code, in_body.json["code"]) == (401, "token.invalid")


@pytest.mark.parametrize(
    "spelling",
    [
        "Bearer {}=",
        "Bearer {}  ",
        "bearer {}",
        "BEARER  {}",
        "Basic YTpi, Bearer {}",
        "Bearer {}, Bearer {}",
        "Bearer {},Bearer x",
        "Bearer\t{}",
        "{}",
    ],
)
def test_no_spelling_revives_a_revoked_token(stage: Stage, spelling: str) -> None:
    dave = stage.as_(DAVE)
    token = dave.tokens["access_token"]
    assert dave.post("/v1/auth/logout").status_code == 204

    header = {"HTTP_AUTHORIZATION": spelling.replace("{}", token)}
    answer = stage.app.test_client().get("/v1/me", environ_overrides=header)

    assert answer.status_code == (400 if "," in spelling else 401)
    assert answer.json["code"] in {"token.revoked", "token.invalid", "token.missing", "credentials.repeated"}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_matched_in_any_case(stage: Stage, scheme: str) -> None:
    token = stage.as_(DAVE).tokens["access_token"]

    answer = Caller(stage).get("/v1/me", headers={"Authorization": f"{scheme} {token}"})

    assert answer.status_code == 200


def test_two_tokens_in_one_header_are_one_too_many(stage: Stage) -> None:
    token = stage.as_(DAVE).tokens["access_token"]

    answer = stage.caller().get("/v1/me", headers={"Authorization": f"Bearer {token}, Bearer {token}"})

    assert (answer.status_code, answer.json["code"]) == (400, "credentials.repeated")
