"""A service account on the stage, and the ways it speaks to the OAuth endpoints."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from tests.builders import Caller, Stage
from tests.cast import ALICE

ACCOUNTS = "/v1/service-accounts"


@dataclass(frozen=True)
class Robot:
    """A service account that Alice made, with one secret."""

    id: str
    name: str
    secret: str
    secret_id: str

    @property
    def path(self) -> str:
        return f"{ACCOUNTS}/{self.id}"

    @property
    def basic(self) -> dict[str, str]:
        """Its credentials by HTTP Basic."""
        return basic(self.id, self.secret)

    @property
    def fields(self) -> dict[str, str]:
        """Its credentials as form fields."""
        return {"client_id": self.id, "client_secret": self.secret}


def make_robot(stage: Stage, *roles: str, name: str = "invoice-robot", **terms: Any) -> Robot:
    """A new one with these roles; made by Alice."""
    alice = stage.as_(ALICE)
    account = alice.post(ACCOUNTS, json={"name": name})
    assert account.status_code == 201, account.text
    made = alice.post(f"{account.headers['Location']}/secrets", json=terms)
    assert made.status_code == 201, made.text
    for role in roles:
        assert alice.put(f"{account.headers['Location']}/roles/{role}").status_code == 201
    return Robot(account.json["id"], name, made.json["client_secret"], made.json["id"])


def basic(client_id: str, secret: str) -> dict[str, str]:
    """An Authorization header, each half form-urlencoded (RFC 6749 section 2.3.1)."""
    return raw_basic(f"{quote_plus(client_id)}:{quote_plus(secret)}".encode())


def raw_basic(text: bytes) -> dict[str, str]:
    """An Authorization header with just these bytes in it."""
    return {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


def ask_token(stage: Stage, robot: Robot, **more: str) -> Any:
    """The answer to a request for an access token."""
    form = {"grant_type": "client_credentials", **more}
    return stage.caller().post("/oauth/token", data=form, headers=robot.basic)


def as_robot(stage: Stage, robot: Robot) -> Caller:
    """The service account, signed in."""
    answer = ask_token(stage, robot)
    assert answer.status_code == 200, answer.text
    caller = stage.caller()
    caller.tokens = answer.json
    return caller


def error(answer: Any) -> tuple[int, str]:
    """Status and OAuth error of a refusal, which is in OAuth's form and kept by no cache."""
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"error", "error_description"}
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json["error"]


def claims(token: str) -> dict[str, Any]:
    """What a token says."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
