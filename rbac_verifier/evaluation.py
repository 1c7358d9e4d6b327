"""Asks the service for a decision (OpenID AuthZEN Authorization API 1.0, section 6), as a service account.

Only for callers whose token does not name all of their roles.
"""

from __future__ import annotations

import base64
import json
import threading
from time import monotonic
from typing import Any
from urllib.parse import quote_plus

from rbac_verifier.fetch import Source, Unreachable, one_at_a_time

TOKEN_PATH, PATH = "/oauth/token", "/access/v1/evaluation"
EARLY = 10.0  # seconds before its end at which a token is replaced


class Evaluation:
    """Asks with an access token that it gets by client credentials (RFC 6749 section 4.4)."""

    def __init__(self, source: Source, client_id: str, client_secret: str) -> None:
        pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"  # RFC 6749 section 2.3.1
        self._basic = "Basic " + base64.b64encode(pair.encode()).decode()
        self._source = source
        self._getting = threading.Lock()
        self._token, self._ends = "", float("-inf")

    def permits(self, claims: dict[str, Any], permission: str, domain: str) -> bool:
        """Return True if the holder of a verified token may do what the permission names, in that session, at
        that domain.

        ``Unreachable`` if the service does not answer, or does not answer this service account.
        """
        body = json.dumps(_question(claims, permission, domain)).encode()
        status, answer = self._ask(body)
        if status == 401:  # the token was revoked, or its key withdrawn
            self._ends = float("-inf")
            status, answer = self._ask(body)
        decision = _object(answer).get("decision") if status == 200 else None
        if not isinstance(decision, bool):
            raise Unreachable(f"{PATH} answers {status}")
        return decision

    def _ask(self, body: bytes) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._current_token()}", "Content-Type": "application/json"}
        return self._source.post(PATH, body, headers)

    def _current_token(self) -> str:
        with one_at_a_time(self._getting, self._source.max_wait):
            if monotonic() >= self._ends:
                asked, body = monotonic(), b"grant_type=client_credentials"
                kind = "application/x-www-form-urlencoded"
                headers = {"Authorization": self._basic, "Content-Type": kind}
                status, answer = self._source.post(TOKEN_PATH, body, headers)
                found = _object(answer)
                token, seconds = found.get("access_token"), found.get("expires_in")
                if status != 200 or not isinstance(token, str) or type(seconds) is not int:
                    raise Unreachable(f"{TOKEN_PATH} answers {status}")
                self._token, self._ends = token, asked + seconds - EARLY
            return self._token


def _question(claims: dict[str, Any], permission: str, domain: str) -> dict[str, Any]:
    resource, _, action = permission.rpartition(":")
    # A service account signs in as its own client; its id is its client_id.
    kind = "service-account" if claims["client_id"] == claims["sub"] else "user"
    return {
        "subject": {"type": kind, "id": claims["sub"]},
        "action": {"name": action},
        "resource": {"type": resource, "id": "*", "properties": {"domain": domain}},
        "context": {"second_factor": "otp" in claims.get("amr", ()), "session_id": claims["sid"]},
    }


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text or b"{}")
    except (ValueError, RecursionError) as fault:
        raise Unreachable("the answer is no JSON") from fault
    return found if isinstance(found, dict) else {}
