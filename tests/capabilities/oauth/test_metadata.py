"""The server's metadata (RFC 8414): where everything is, under the configured issuer, and nothing that is not offered."""

from __future__ import annotations

from typing import Any

from tests.builders import Stage
from tests.capabilities.conftest import OpenNode

WHERE = "/.well-known/oauth-authorization-server"


def read(stage: Stage) -> dict[str, Any]:
    answer = stage.caller().get(WHERE)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    return found


def test_every_address_begins_with_the_issuer_and_answers(node: OpenNode) -> None:
    told = read(node(issuer="https://rbac.example.com/"))

    assert told["issuer"] == "https://rbac.example.com/"
    assert told["token_endpoint"] == "https://rbac.example.com/oauth/token"
    assert told["revocation_endpoint"] == "https://rbac.example.com/oauth/revoke"
    assert told["introspection_endpoint"] == "https://rbac.example.com/oauth/introspect"
    assert told["jwks_uri"] == "https://rbac.example.com/.well-known/jwks.json"


def test_no_password_grant_and_no_empty_list(stage: Stage) -> None:
    told = read(stage)

    assert told["grant_types_supported"] == ["client_credentials", "refresh_token"]
    assert told["response_types_supported"] == ["none"]
    assert [] not in told.values()
    assert "authorization_endpoint" not in told


def test_the_addresses_are_routes_of_this_service(stage: Stage) -> None:
    told = read(stage)
    routes = {rule.rule for rule in stage.app.url_map.iter_rules()}

    for name in ("token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"):
        assert told[name].removeprefix(told["issuer"]) in routes
    assert told["service_documentation"].endswith("/docs")


def test_where_a_shared_secret_signs_there_are_no_public_keys(node: OpenNode) -> None:
    told = read(node(signing_algorithm="HS256", docs=False))

    assert "jwks_uri" not in told
    assert "service_documentation" not in told


def test_it_may_be_kept_for_a_while(stage: Stage) -> None:
    answer = stage.caller().get(WHERE)

    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.mimetype == "application/json"
    assert stage.caller().get(f"{WHERE}?x=1").status_code == 422
