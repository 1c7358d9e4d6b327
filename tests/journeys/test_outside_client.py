"""A program written against the standards alone: Authlib, which knows nothing of this service but its address.

It reads the metadata, takes a token for a service account, refreshes a person's, asks about tokens and revokes them, over real HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from authlib.common.security import is_secure_transport
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.cast import PASSWORD
from tests.servers.places import server_folder
from tests.servers.service import Service

pytestmark = pytest.mark.outside

WELL_KNOWN = "/.well-known/oauth-authorization-server"
METHODS = ("client_secret_basic", "client_secret_post")


@pytest.fixture
def service(empty_url: str) -> Iterator[Service]:
    """The service as it is run, on each engine."""
    settings = {
        "RBAC_PASSWORD_COST": "10",
        "RBAC_SEED_EXAMPLE": "off",
        "RBAC_SECRET_KEY": "0123456789abcdef" * 4,
    }
    one = Service(
        server_folder("outside"),
        {**settings, "RBAC_DATABASE_URL": empty_url, "RBAC_ADMIN_PASSWORD": PASSWORD},
    )
    one.start()
    yield one
    one.end()


@pytest.fixture
def metadata(service: Service, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the service says of itself, held against RFC 8414 by the library."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")  # plain HTTP on the machine itself
    assert is_secure_transport(f"http://127.0.0.1:{service.port}")
    told: dict[str, str] = requests.get(f"http://127.0.0.1:{service.port}{WELL_KNOWN}", timeout=60).json()
    assert told["issuer"] == f"http://127.0.0.1:{service.port}"
    known = AuthorizationServerMetadata(told)
    for claim in known.REGISTRY_KEYS:
        if claim not in ("issuer", "jwks_uri"):  # which the library wants to be https whatever the setting
            getattr(known, f"validate_{claim}")()
    return told


class People:
    """The administrator, who makes service accounts with a plain HTTP client."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.tokens = self.call("POST", "/v1/auth/login", {"username": "admin", "password": PASSWORD})

    def call(self, method: str, path: str, body: Any = None) -> Any:
        tokens = getattr(self, "tokens", None)
        headers = {"Authorization": f"Bearer {tokens['access_token']}"} if tokens else {}
        answer = requests.request(method, self.issuer + path, json=body, headers=headers, timeout=60)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def robot(self, name: str, role: str) -> tuple[str, str]:
        """Client id and secret of a new service account with a role."""
        account = self.call("POST", "/v1/service-accounts", {"name": name})
        self.call("PUT", f"/v1/service-accounts/{account['id']}/roles/{role}")
        secret = self.call("POST", f"/v1/service-accounts/{account['id']}/secrets")
        return account["client_id"], secret["client_secret"]


def active(session: OAuth2Session, metadata: dict[str, str], token: str) -> dict[str, Any]:
    told: dict[str, Any] = session.introspect_token(metadata["introspection_endpoint"], token=token).json()
    return told


@pytest.mark.parametrize("method", METHODS)
def test_a_robot_takes_uses_asks_about_and_revokes_its_token(metadata: dict[str, str], method: str) -> None:
    admin = People(metadata["issuer"])
    session = OAuth2Session(*admin.robot("outside-robot", "admin"), token_endpoint_auth_method=method)

    token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 900)
    assert session.get(f"{metadata['issuer']}/v1/users", timeout=60).status_code == 200
    told = active(session, metadata, token["access_token"])
    assert (told["active"], told["username"]) == (True, "outside-robot")

    answer = session.revoke_token(metadata["revocation_endpoint"], token=token["access_token"])
    assert answer.status_code == 200
    refused = session.get(f"{metadata['issuer']}/v1/users", timeout=60)
    assert refused.json()["code"] == "token.revoked"
    assert active(session, metadata, token["access_token"]) == {"active": False}


def test_an_app_refreshes_and_revokes_what_a_person_signed_in_for(metadata: dict[str, str]) -> None:
    admin = People(metadata["issuer"])
    asker = OAuth2Session(*admin.robot("asking-robot", "admin"))
    app = OAuth2Session("first-party", token_endpoint_auth_method="none", token=admin.tokens)

    first = admin.tokens["refresh_token"]
    renewed = app.refresh_token(metadata["token_endpoint"], refresh_token=first)
    assert renewed["refresh_token"] != first
    assert app.get(f"{metadata['issuer']}/v1/me", timeout=60).json()["username"] == "admin"
    assert active(asker, metadata, renewed["refresh_token"])["type"] == "refresh"

    form = {"token": renewed["refresh_token"], "token_type_hint": "refresh_token"}
    assert app.revoke_token(metadata["revocation_endpoint"], **form).status_code == 200
    assert app.get(f"{metadata['issuer']}/v1/me", timeout=60).status_code == 401
    assert active(asker, metadata, renewed["access_token"]) == {"active": False}
    with pytest.raises(OAuthError, match="invalid_grant"):
        app.refresh_token(metadata["token_endpoint"], refresh_token=renewed["refresh_token"])


def test_the_library_understands_every_refusal(metadata: dict[str, str]) -> None:
    client_id, _ = People(metadata["issuer"]).robot("outside-robot", "auditor")
    stranger = OAuth2Session(client_id, "rbac-client-wrong")

    with pytest.raises(OAuthError, match="invalid_client"):
        stranger.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    with pytest.raises(OAuthError, match="unsupported_grant_type"):
        OAuth2Session("first-party", token_endpoint_auth_method="none").fetch_token(
            metadata["token_endpoint"], grant_type="password", username="admin", password=PASSWORD
        )
    answer = stranger.introspect_token(metadata["introspection_endpoint"], token="x")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
