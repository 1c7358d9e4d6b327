"""How the OAuth endpoints speak: form-encoded, each parameter once, every error in OAuth's own form."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.oauth.robot import basic, error, make_robot
from tests.cast import DAVE, PASSWORD

FORM = "application/x-www-form-urlencoded"
ENDPOINTS = ("/oauth/token", "/oauth/revoke", "/oauth/introspect")


def post(stage: Stage, body: Any) -> Any:
    return stage.caller().post("/oauth/token", data=body, content_type=FORM, headers=make_robot(stage).basic)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("grant_type=password&username=dave&password=x", "unsupported_grant_type"),
        ("grant_type=authorization_code&code=x", "unsupported_grant_type"),
        ("grant_type=Client_Credentials", "unsupported_grant_type"),
        ("grant_type=client_credentials%00", "unsupported_grant_type"),
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=refresh_token&refresh_token=", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&x=1&x=2", "invalid_request"),
        ("grant_type=client_credentials&x=%FF", "invalid_request"),
        ("grant_type=client_credentials&x=%ED%A0%80", "invalid_request"),
        ("grant_type=client_credentials&x=é", "invalid_request"),
        ("&".join(f"x{number}=1" for number in range(100)), "invalid_request"),
        ("grant_type=client_credentials&scope=users:read", "invalid_scope"),
    ],
)
def test_a_bad_request_is_told_what_is_bad(stage: Stage, body: str, expected: str) -> None:
    assert error(post(stage, body.encode())) == (400, expected)


@pytest.mark.parametrize("more", ["", "&scope=", "&resource=x", "&%00=%00", "&audience=rbac-api", "&"])
def test_parameters_that_are_unknown_or_empty_are_left_alone(stage: Stage, more: str) -> None:
    assert post(stage, f"grant_type=client_credentials{more}").status_code == 200


def test_a_password_opens_nothing_here_although_it_is_right(stage: Stage) -> None:
    form = {"grant_type": "password", "username": "dave", "password": PASSWORD, "client_id": "first-party"}

    assert error(stage.caller().post("/oauth/token", data=form)) == (400, "unsupported_grant_type")
    assert stage.query("SELECT count(*) FROM sessions") == [(0,)]


@pytest.mark.parametrize("path", ENDPOINTS)
def test_errors_of_every_layer_have_one_form(stage: Stage, path: str) -> None:
    caller = stage.caller()

    for method in ("GET", "PUT", "DELETE", "PATCH"):
        refused = caller.call(method, path)
        assert error(refused) == (405, "invalid_request")
        assert refused.headers["Allow"] == "OPTIONS, POST"
    for kind in ("application/json", "text/plain", None):
        assert error(caller.post(path, data=b"a=b", content_type=kind)) == (415, "invalid_request")
    assert error(caller.post(path, data={"x": "y" * 70_000})) == (413, "invalid_request")
    assert error(caller.get("/oauth/nothing")) == (404, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_missing_table_is_told_in_the_same_form(stage: Stage, path: str) -> None:
    robot = make_robot(stage)
    stage.execute("ALTER TABLE client_secrets RENAME TO elsewhere")
    try:
        refused = stage.caller().post(path, data={"token": "x"}, headers=robot.basic)
    finally:
        stage.execute("ALTER TABLE elsewhere RENAME TO client_secrets")

    assert error(refused) == (503, "temporarily_unavailable")
    assert int(refused.headers["Retry-After"]) >= 1


def test_an_unexpected_failure_is_told_in_the_same_form(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.guard, "clients", None)
    monkeypatch.setitem(stage.app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = stage.caller().client.post("/oauth/token", headers=basic("a", "b"))

    assert error(answer) == (500, "server_error")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_attempts_are_counted_before_anything_else(node: OpenNode, path: str) -> None:
    strict = node(token_limit="3 per year")
    for _ in range(3):
        assert strict.caller().post(path, data={"token": "x"}).status_code in (400, 401)

    answer = strict.caller().post(path, data={"token": "x"})

    assert error(answer) == (429, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["RateLimit-Policy"] == '"token";q=3;w=31104000'


def test_a_browsers_cookie_is_nobody_here(stage: Stage) -> None:
    token = stage.as_(DAVE).tokens["access_token"]
    caller = stage.caller()
    caller.client.set_cookie("__Host-rbac-access", token, secure=True)

    assert error(caller.post("/oauth/revoke", data={"token": token})) == (401, "invalid_client")


def test_descriptions_are_in_the_characters_that_oauth_allows(stage: Stage) -> None:
    for path in ENDPOINTS:
        answer = stage.caller().post(path, data={})
        assert all(
            " " <= letter <= "~" and letter not in '"\\' for letter in answer.json["error_description"]
        )
