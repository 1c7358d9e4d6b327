"""The Authorization header as clients and proxies really write it: nothing, too little, or more than one (RFC 6750 section 3.1)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from werkzeug.datastructures import Headers

from rbac_api.verifier import Verifier
from tests.builders import Stage
from tests.cast import ALICE, DAVE

NOTHING = (
    "",
    " ",
    "Bearer",
    "Bearer ",
    "bearer",
    "BEARER   ",
    "Bearer\t",
    "  Bearer  ",
    "Basic",
    "Basic eDp5",
    "Token abc",
    "Negotiate",
)
NOTHING += ('Digest username="dave", realm="x", nonce="a, b"',)


def several(token: str) -> list[list[str]]:
    """Headers that a request carries, each list one request."""
    return [
        [f"Bearer {token}", f"Bearer {token}"],
        [f"Bearer {token}", "Bearer other"],
        [f"bearer {token}", f"BEARER {token}"],
        ["Basic eDp5", f"Bearer {token}"],
        [f"Bearer {token}", "Basic eDp5"],
        [f"Bearer {token}", 'Digest username="x"'],
        ['Digest username="x"', f"Bearer {token}"],
        [f"Bearer {token}", ""],
        [f"Bearer {token}", "Bearer"],
        ["Bearer", f"Bearer {token}"],
        [f"Bearer {token},Bearer {token}"],
        [f"Bearer {token} , Bearer {token}"],
        ["Bearer one", "Bearer two"],
    ]


def ask(app: Flask, path: str, values: list[str], method: str = "GET", **options: Any) -> Any:
    headers = Headers([("Authorization", value) for value in values])
    return app.test_client().open(path, method=method, headers=headers, **options)


@pytest.mark.parametrize("header", NOTHING)
def test_without_credentials_the_challenge_names_no_error(stage: Stage, header: str) -> None:
    for method, path in (
        ("GET", "/v1/me"),
        ("GET", "/v1/users"),
        ("POST", "/v1/roles"),
        ("GET", "/access/v1/x"),
    ):
        answer = ask(stage.app, path, [header], method)
        if answer.status_code != 404:
            assert answer.status_code == 401
            assert "error=" not in answer.headers["WWW-Authenticate"]
            assert answer.json["code"] == "token.missing"


def test_two_sets_of_credentials_are_a_bad_request_wherever_one_is_asked_for(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    before = stage.query("SELECT count(*) FROM trail_events")
    for values in several(dave.tokens["access_token"]):
        for method, path in (("GET", "/v1/me"), ("PATCH", "/v1/me"), ("POST", "/v1/auth/logout")):
            answer = ask(stage.app, path, values, method, json={} if method == "PATCH" else None)
            assert (answer.status_code, answer.json["code"]) == (400, "credentials.repeated"), values
            assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
            assert answer.headers["Cache-Control"] == "no-store"
    assert stage.query("SELECT count(*) FROM trail_events") == before
    assert dave.get("/v1/me").status_code == 200


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_oauth_endpoints_say_so_in_their_own_form(stage: Stage, path: str) -> None:
    token = stage.as_(ALICE).tokens["access_token"]
    form = {"grant_type": "client_credentials", "token": token}
    for values in several(token):
        answer = ask(stage.app, path, values, "POST", data=form)
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), values


def test_a_refresh_token_in_two_headers_is_refused_too(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    for values in several(dave.tokens["refresh_token"]):
        answer = ask(stage.app, "/v1/auth/logout", values, "POST")
        assert answer.status_code == 400


def test_the_verifier_of_other_services_reads_the_header_in_the_same_way() -> None:
    verifier, app = Verifier("http://127.0.0.1:9", "rbac-api"), Flask("other")
    app.add_url_rule("/", view_func=verifier.signed_in(lambda: "in"))
    for values in several("a.b.c"):
        if not any(value.startswith("Basic") for value in values):
            answer = ask(app, "/", values)
            assert (answer.status_code, answer.json["code"]) == (400, "credentials.repeated"), values
            assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]
    for header in NOTHING:
        answer = ask(app, "/", [header])
        assert (answer.status_code, answer.json["code"]) == (401, "token.missing")
        assert "error=" not in answer.headers["WWW-Authenticate"]
    verifier.close()
