"""The applications below examples/, run as their pages say, verify what a running service issues and revokes."""

from __future__ import annotations

import json
import os
import shlex
import sys
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cast import PASSWORD
from tests.patience import eventually
from tests.servers.node import node_workshop
from tests.servers.places import free_port, server_folder
from tests.servers.service import SETTINGS, Service
from tests.servers.supervisor import Order, Supervised

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {  # folder → how its page starts it, with another port
    "flask": f"{sys.executable} -m flask --app app run --port PORT",
    "fastapi": f"{sys.executable} -m uvicorn --factory app:create_app --port PORT",
    "node": "node server.mjs",
}


@dataclass
class World:
    """A running service, and an example beside it that knows its address and nothing else."""

    service: Service
    orders: str
    log: Path

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    def post(self, path: str, body: Any = None, token: str = "", method: str = "POST") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = requests.request(method, f"{self.issuer}{path}", json=body, headers=headers, timeout=30)
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def sign_in(self, **more: str) -> dict[str, str]:
        body = {"username": "admin", "password": PASSWORD, **more}
        found: dict[str, str] = self.post("/v1/auth/login", body)
        return found

    def ask(self, token: str | None, path: str = "/orders", method: str = "GET") -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, f"{self.orders}{path}", headers=headers, timeout=30)


@contextmanager
def world(example: str) -> Iterator[World]:
    folder, issuing = server_folder("example"), server_folder("issuing")
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    settings = {**SETTINGS, "RBAC_DATA_DIR": str(issuing), "RBAC_ISSUER": issuer, "PORT": str(port)}
    service = Service(issuing, settings, warm=True)
    service.start()
    beside = free_port()
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PORT": str(beside),
        "RBAC_ISSUER": issuer, "RBAC_AUDIENCE": "rbac-api",
    }  # fmt: skip
    place = ROOT / "examples" / example
    if (place / "package-lock.json").exists():
        place = node_workshop(folder / "app", place)
    command = f"cd {shlex.quote(str(place))} && exec {COMMANDS[example].replace('PORT', str(beside))}"
    running = Supervised(Order(["bash", "-c", command], str(folder), environment=environment))
    made = World(service, f"http://127.0.0.1:{beside}", folder / "log")
    try:
        assert eventually(lambda: answers(made)), made.log.read_text()
        yield made
    finally:
        running.end()
        service.end()


def answers(made: World) -> bool:
    try:
        return made.ask(None).status_code == 401
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module", params=COMMANDS)
def beside(request: pytest.FixtureRequest) -> Iterator[World]:
    with world(request.param) as made:
        yield made


def test_a_signed_in_user_is_known_and_a_role_is_needed_to_ship(beside: World) -> None:
    tokens = beside.sign_in()
    me = requests.get(
        f"{beside.issuer}/v1/me", headers={"Authorization": f"Bearer {tokens['access_token']}"}, timeout=30
    ).json()

    seen = beside.ask(tokens["access_token"])
    refused = beside.ask(tokens["access_token"], "/orders/7/shipment", "POST")
    beside.post("/v1/roles", {"name": "clerk"}, tokens["access_token"])
    beside.post(f"/v1/users/{me['id']}/roles/clerk", None, tokens["access_token"], "PUT")
    shipped = beside.ask(beside.sign_in()["access_token"], "/orders/7/shipment", "POST")
    beside.post("/v1/domains", {"name": "acme"}, tokens["access_token"])
    of_a_domain = beside.ask(beside.sign_in(domain="acme")["access_token"], "/orders/7/shipment", "POST")

    assert (seen.status_code, seen.json()) == (200, {"of": me["id"]})
    assert (refused.status_code, refused.json()["code"]) == (403, "access.denied")
    assert (shipped.status_code, shipped.json()) == (201, {"shipped": 7, "by": me["id"]})
    assert of_a_domain.status_code in (401, 403)


def part(token: str, number: int, **changes: Any) -> str:
    """The token with changes in its header (0) or claims (1); the signature stays."""
    parts = token.split(".")
    content = json.loads(urlsafe_b64decode(parts[number] + "=="))
    parts[number] = urlsafe_b64encode(json.dumps({**content, **changes}).encode()).decode().rstrip("=")
    return ".".join(parts)


def test_nothing_but_an_access_token_of_this_issuer_opens_it(beside: World) -> None:
    tokens = beside.sign_in()
    good = tokens["access_token"]
    forged = {
        "no token": None,
        "a refresh token": tokens["refresh_token"],
        "other claims": part(good, 1, roles=["clerk"]),
        "no signature": part(good, 0, alg="none").rpartition(".")[0] + ".",
        "a shared secret": part(good, 0, alg="HS256"),
        "an unknown key": part(good, 0, kid="unknown"),
        "no token at all": "rubbish",
    }

    statuses = {name: beside.ask(token).status_code for name, token in forged.items()}

    assert statuses == dict.fromkeys(forged, 401)
    assert beside.ask(None).headers["WWW-Authenticate"].startswith("Bearer")
    assert beside.ask(good).status_code == 200


def test_a_token_is_refused_seconds_after_its_session_ended(beside: World) -> None:
    token, other = beside.sign_in()["access_token"], beside.sign_in()["access_token"]
    assert beside.ask(token).status_code == 200

    beside.post("/v1/auth/logout", None, token)

    assert eventually(lambda: beside.ask(token).status_code == 401)
    assert beside.ask(token).json()["code"] == "token.revoked"
    assert beside.ask(other).status_code == 200


def test_when_the_service_is_gone_nobody_is_let_in_on_old_knowledge(beside: World) -> None:
    """The last one of each example: the service does not come back."""
    token = beside.sign_in()["access_token"]
    assert beside.ask(token).status_code == 200

    beside.service.terminate()

    assert eventually(lambda: beside.ask(token).status_code == 503)
    assert int(beside.ask(token).headers["Retry-After"]) > 0


def test_every_example_is_run_here_and_has_a_page() -> None:
    folders = {path.name for path in (ROOT / "examples").iterdir() if path.is_dir()}

    assert folders == {
        *COMMANDS,
        "guarded-flask",
    }  # of which tests/guard/test_decorators.py tries every route
    for name, command in COMMANDS.items():
        page = (ROOT / "examples" / name / "README.md").read_text(encoding="utf-8")
        started = command.partition(" -m ")[2].partition("PORT")[0] or "npm start"
        assert started in page
