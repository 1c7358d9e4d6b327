"""Metadata of an issuer with a path is where clients look for it (RFC 8414 sections 3.1 and 5)."""

from __future__ import annotations

import pytest

from tests.builders import OpenNode, Stage

WELL_KNOWN = ("oauth-authorization-server", "openid-configuration", "authzen-configuration")
ISSUERS = {
    "https://host.example/auth": "/auth",
    "https://host.example/auth/": "/auth",
    "https://host.example:8443/a/b%20c": "/a/b%20c",
}


@pytest.mark.parametrize("name", WELL_KNOWN)
@pytest.mark.parametrize("issuer", ISSUERS)
def test_the_path_of_the_issuer_stands_behind_the_well_known_name(
    node: OpenNode, issuer: str, name: str
) -> None:
    own, path = node(issuer=issuer), ISSUERS[issuer]
    client = own.app.test_client()
    plain = client.get(f"/.well-known/{name}")

    for address in (f"/.well-known/{name}{path}", f"{path}/.well-known/{name}"):
        answer = client.get(address)
        assert (answer.status_code, answer.json) == (200, plain.json)
        assert answer.headers["Cache-Control"] == plain.headers["Cache-Control"]
        assert client.post(address).status_code == 405
        assert client.get(f"{address}?x=1").status_code == 422
    assert client.get(f"/.well-known/{name}/another").status_code == 404


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_without_a_path_nothing_stands_behind_it(stage: Stage, name: str) -> None:
    client = stage.app.test_client()
    assert client.get(f"/.well-known/{name}").status_code == 200
    assert client.get(f"/.well-known/{name}/auth").status_code == 404


def test_an_openid_client_finds_the_same_and_is_promised_nothing_of_openid(stage: Stage) -> None:
    caller = stage.caller()
    found = caller.get("/.well-known/openid-configuration").json

    assert found == caller.get("/.well-known/oauth-authorization-server").json
    assert (
        not {"authorization_endpoint", "userinfo_endpoint", "id_token_signing_alg_values_supported"}
        & found.keys()
    )
