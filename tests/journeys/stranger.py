"""Somebody who has read only the README, speaking HTTP to the service as she started it.

Every step carries a request id of its own, so that it can be looked up in the trail afterwards.
"""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from tests.cast import NEW_PASSWORD
from tests.faults.calls import Answer, call
from tests.servers.service import Service

HERS = "teapot orchard sleeves 77"
ROLE = "people-reader"


class Stranger:
    """The administrator of five minutes, and Ingrid of the example company, in one person."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.steps: list[str] = []
        self.token: str | None = None
        self.hers: dict[str, Any] = {}
        self.her_id = ""

    def does(
        self, step: str, method: str, path: str, body: Any = None, *, token: str | None = None
    ) -> Answer:
        """One step, as the administrator unless a token says otherwise."""
        self.steps.append(step)
        with closing(self.service.connect()) as line:
            return call(line, method, path, token or self.token, body, X_Request_ID=step)

    def signs_in(self, step: str, username: str, password: str) -> dict[str, Any]:
        answer = self.does(
            step, "POST", "/v1/auth/login", {"username": username, "password": password}, token="none"
        )
        assert answer.status == 200, answer.body
        tokens: dict[str, Any] = answer.json
        return tokens

    def becomes_administrator(self) -> None:
        """With the one-time password from the first run's welcome, which she must change first."""
        shown = re.search("One-time password: (.+)", self.service.output())
        assert shown
        tokens = self.signs_in("first-sign-in", "admin", shown[1])
        self.token = tokens["access_token"]
        assert tokens["password_change_required"] is True
        assert self.does("too-early", "GET", "/v1/users").json["code"] == "password.change_required"
        change = {"current_password": shown[1], "new_password": NEW_PASSWORD}
        assert self.does("own-password", "POST", "/v1/me/password", change).status == 204

    def gives_a_role(self) -> None:
        """A new role with a permission, for somebody of the example company."""
        role = {"name": ROLE, "description": "Reads people.", "permissions": ["users:read"]}
        assert self.does("new-role", "POST", "/v1/roles", role).status == 201
        people = self.does("people", "GET", "/v1/users?q=ingrid").json["items"]
        self.her_id, self.her_name = people[0]["id"], people[0]["username"]
        assert self.does("give-role", "PUT", f"/v1/users/{self.her_id}/roles/{ROLE}").status == 201

    def lets_her_choose_a_password(self) -> None:
        """With a setup token, which works once."""
        token = self.does("reset", "POST", f"/v1/users/{self.her_id}/password-reset").json["token"]
        body = {"token": token, "new_password": HERS}
        assert self.does("setup", "POST", "/v1/auth/password-setup", body, token="none").status == 204
        assert self.does("setup-again", "POST", "/v1/auth/password-setup", body, token="none").status >= 400

    def signs_her_in(self) -> None:
        self.hers = self.signs_in("her-sign-in", self.her_name, HERS)
        assert self.hers["password_change_required"] is False

    def revokes_her_session(self) -> None:
        assert self.does("revoke", "DELETE", f"/v1/sessions/{self.hers['session_id']}").status == 204

    def finds(self) -> dict[str, list[str]]:
        """What the trail tells of each step: its actions, by request id."""
        found: dict[str, list[str]] = {}
        for event in self.does("trail", "GET", "/v1/audit/events?limit=200").json["items"]:
            found.setdefault(event["request_id"], []).append(event["action"])
        return found
