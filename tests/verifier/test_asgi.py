"""The dependency for FastAPI and Starlette: the same callers are let through as under the decorators for Flask."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from rbac_verifier.asgi import AsgiVerifier
from tests import coroutines
from tests.cast import ALICE, CAROL, DAVE
from tests.verifier.conftest import Field

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fastapi" / "app.py"
DENIAL: dict[str, Any] = {"websocket.http.response": {}}
CASES = [
    (None, 401, "token.missing", 'Bearer realm="rbac-api"'),
    ("Basic YTpi, Bearer x", 400, "credentials.repeated", "invalid_request"),
    ("Bearer x", 401, "token.invalid", "invalid_token"),
]


class Client:
    """Calls an ASGI application in this process."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def get(self, path: str, headers: Any = ()) -> httpx.Response:
        return coroutines.run(self._request("GET", path, headers))

    def post(self, path: str, headers: Any = ()) -> httpx.Response:
        return coroutines.run(self._request("POST", path, headers))

    async def _request(self, method: str, path: str, headers: Any) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://t") as client:
            return await client.request(method, path, headers=headers)

    def websocket(self, path: str, headers: dict[str, str]) -> list[dict[str, Any]]:
        """What is sent to a client that opens a WebSocket."""
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "websocket",
            "path": path,
            "headers": pairs,
            "query_string": b"",
            "extensions": DENIAL,
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(event: dict[str, Any]) -> None:
            sent.append(event)

        coroutines.run(self.app(scope, receive, send))
        return sent


@pytest.fixture
def theirs(field: Field) -> Client:
    """The example, as it stands in the documentation."""
    return Client(runpy.run_path(str(EXAMPLE))["create_app"](field.make(AsgiVerifier)))


@pytest.fixture
def plain(field: Field) -> Client:
    """An application of Starlette alone, which does not register the verifier."""
    verifier = field.make(AsgiVerifier)

    async def endpoint(request: Request) -> JSONResponse:
        return JSONResponse({"of": (await verifier.signed_in(request)).user_id})

    async def talk(socket: WebSocket) -> None:
        caller = await verifier.signed_in(socket)
        await socket.accept()
        await socket.send_text(caller.user_id)

    return Client(Starlette(routes=[Route("/orders", endpoint), WebSocketRoute("/talk", talk)]))


def test_fastapi_knows_who_has_a_good_token_and_the_role_counts(field: Field, theirs: Client) -> None:
    field.stage.as_(ALICE).post("/v1/roles", json={"name": "clerk"})
    field.stage.as_(ALICE).put(f"/v1/users/{field.stage.user_id(DAVE)}/roles/clerk")
    dave, carol = field.stage.as_(DAVE), field.stage.as_(CAROL)

    assert theirs.get("/orders", headers=carol.headers).json() == {"of": field.stage.user_id(CAROL)}
    shipped = theirs.post("/orders/7/shipment", headers=dave.headers)
    assert (shipped.status_code, shipped.json()["by"]) == (201, field.stage.user_id(DAVE))
    refused = theirs.post("/orders/7/shipment", headers=carol.headers)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert (refused.json()["code"], refused.json()["required_role"]) == ("access.denied", "clerk")


@pytest.mark.parametrize(("header", "status", "code", "challenge"), CASES)
def test_fastapi_refuses_with_problem_documents(
    theirs: Client, header: str | None, status: int, code: str, challenge: str
) -> None:
    answer = theirs.get("/orders", headers={"Authorization": header} if header else {})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert challenge in answer.headers["www-authenticate"]
    assert answer.headers["cache-control"] == "no-store"


def test_two_authorization_headers_are_refused(field: Field, theirs: Client) -> None:
    good = field.stage.as_(CAROL).headers["Authorization"]

    answer = theirs.get("/orders", headers=[("Authorization", good), ("Authorization", good)])

    assert (answer.status_code, answer.json()["code"]) == (400, "credentials.repeated")


@pytest.mark.parametrize(("header", "status", "_code", "challenge"), CASES)
def test_an_application_that_registers_nothing_still_refuses_with_status_and_challenge(
    plain: Client, header: str | None, status: int, _code: str, challenge: str
) -> None:
    answer = plain.get("/orders", headers={"Authorization": header} if header else {})

    assert answer.status_code == status
    assert challenge in answer.headers["www-authenticate"]
    assert answer.text


def test_a_websocket_is_refused_before_it_is_accepted(field: Field, plain: Client) -> None:
    carol = field.stage.as_(CAROL)

    accepted, told = plain.websocket("/talk", {"Authorization": carol.headers["Authorization"]})
    refused = plain.websocket("/talk", {})

    assert (accepted["type"], told["text"]) == ("websocket.accept", field.stage.user_id(CAROL))
    assert (refused[0]["type"], refused[0]["status"]) == ("websocket.http.response.start", 401)
    assert "websocket.accept" not in [event["type"] for event in refused]


def test_what_cannot_be_a_role_is_refused_where_it_is_written(field: Field) -> None:
    with pytest.raises(ValueError, match="not a role name"):
        field.make(AsgiVerifier).requires_role("no role")
