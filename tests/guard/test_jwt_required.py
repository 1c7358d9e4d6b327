"""The library's own decorator on a route added to an application of ours gives our answers and is as strict as we are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from flask_jwt_extended import JWTManager, get_jwt_identity, jwt_required
from werkzeug.test import TestResponse

from rbac_api.factory import close_app, create_app
from tests.builders import Stage
from tests.cast import BOB, DAVE
from tests.guard.forgery import Model, forgeries


def add_routes(app: Flask) -> None:
    app.add_url_rule("/theirs", "theirs", jwt_required()(get_jwt_identity))
    app.add_url_rule("/fresh", "fresh", jwt_required(fresh=True)(get_jwt_identity))
    app.add_url_rule("/maybe", "maybe", jwt_required(optional=True)(lambda: get_jwt_identity() or "nobody"))
    app.add_url_rule("/refresh", "refresh", jwt_required(refresh=True)(get_jwt_identity))


@pytest.fixture
def theirs(stage: Stage) -> Iterator[FlaskClient]:
    """An application of ours on the stage's database, with routes added."""
    app = create_app(stage.settings)
    add_routes(app)
    yield app.test_client()
    close_app(app)


def ask(client: FlaskClient, token: str | None, path: str = "/theirs") -> TestResponse:
    return client.get(
        path, environ_overrides={"HTTP_AUTHORIZATION": f"Bearer {token}"} if token is not None else {}
    )


def test_bobs_token_opens_their_route(stage: Stage, theirs: FlaskClient) -> None:
    answer = ask(theirs, stage.as_(BOB).tokens["access_token"])

    assert (answer.status_code, answer.text) == (200, stage.user_id(BOB))


def test_without_a_token_their_route_says_what_ours_would(stage: Stage, theirs: FlaskClient) -> None:
    mine, ours = ask(theirs, None), stage.caller().get("/v1/me")

    assert [mine.json[name] for name in ("code", "title", "detail", "status")] == [
        ours.json[name] for name in ("code", "title", "detail", "status")
    ]
    assert mine.headers["WWW-Authenticate"] == ours.headers["WWW-Authenticate"]
    assert ask(theirs, None, "/maybe").text == "nobody"


def test_a_revoked_token_is_refused_at_once(stage: Stage, theirs: FlaskClient) -> None:
    dave = stage.as_(DAVE)
    assert ask(theirs, dave.tokens["access_token"]).status_code == 200
    dave.post("/v1/auth/logout")

    answer = ask(theirs, dave.tokens["access_token"])

    assert (answer.status_code, answer.json["code"]) == (401, "token.revoked")


def test_a_token_anywhere_but_in_the_header_opens_no_route_of_theirs(
    stage: Stage, theirs: FlaskClient
) -> None:
    """A route may name other places to the library: a browser would send the cookie for any page, and an address is logged."""
    anywhere = jwt_required(locations=["cookies", "query_string", "json", "headers"])(get_jwt_identity)
    theirs.application.add_url_rule("/anywhere", "anywhere", anywhere, methods=["GET", "POST"])
    token = stage.as_(BOB).tokens["access_token"]
    cookie = {"HTTP_COOKIE": f"access_token_cookie={token}"}

    answers = [
        theirs.get("/anywhere", environ_overrides=cookie),
        theirs.get("/anywhere", query_string={"jwt": token}),
        theirs.post("/anywhere", json={"access_token": token}),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [(401, "token.missing")] * 3
    assert ask(theirs, token, "/anywhere").text == stage.user_id(BOB)


def test_an_expired_token_is_told_so(stage: Stage, theirs: FlaskClient) -> None:
    token = stage.as_(DAVE).tokens["access_token"]

    with time_machine.travel(Model(token, None).payload["exp"] + 6, tick=False):
        answer = ask(theirs, token)

    assert (answer.status_code, answer.json["code"]) == (401, "token.expired")


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/fresh", "access"), ("/refresh", "access"), ("/refresh", "refresh"), ("/theirs", "refresh")],
)
def test_what_the_library_would_distinguish_is_simply_invalid(
    stage: Stage, theirs: FlaskClient, path: str, kind: str
) -> None:
    answer = ask(theirs, stage.as_(BOB).tokens[f"{kind}_token"], path)

    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")
    assert answer.mimetype == "application/problem+json"
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_a_user_their_lookup_does_not_find_is_invalid_too(stage: Stage, theirs: FlaskClient) -> None:
    manager: JWTManager = theirs.application.extensions["flask-jwt-extended"]
    manager.user_lookup_loader(lambda _header, _payload: None)

    answer = ask(theirs, stage.as_(BOB).tokens["access_token"])

    assert (answer.status_code, answer.json["code"]) == (401, "token.invalid")


def accepted(client: FlaskClient, model: Model) -> list[str]:
    answers = [(name, ask(client, token).status_code) for name, token in forgeries(model)]
    return [f"{name}: {status}" for name, status in answers if status != 401]


def test_no_forgery_opens_their_route(stage: Stage, theirs: FlaskClient) -> None:
    model = Model(stage.as_(BOB).tokens["access_token"], stage.guard.keyring.active())

    assert accepted(theirs, model) == []


def test_with_the_librarys_defaults_many_forgeries_would(stage: Stage) -> None:
    model = Model(stage.as_(BOB).tokens["access_token"], stage.guard.keyring.active())
    app = Flask("twin")
    app.config.update(
        JWT_ALGORITHM="EdDSA",
        JWT_PUBLIC_KEY=model.key.public,
        JWT_DECODE_AUDIENCE="rbac-api",
        JWT_DECODE_ISSUER=model.payload["iss"],
    )
    JWTManager(app)
    add_routes(app)

    assert len(accepted(app.test_client(), model)) > 30
