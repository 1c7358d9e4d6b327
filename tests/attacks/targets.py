"""What the corpora aim at: three routes of each kind, and all that an answer shows.

Every corpus sends each of its cases to every target that it fits.  Two answers are the same if nothing in them tells the causes apart:
status, body without the ids of request and decision, names of the headers, challenge.  Requests go straight into the WSGI application,
so that thousands of them take seconds, and a header may hold what no client library would send.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import EnvironBuilder

from rbac_api.errors import ServiceError
from tests.builders import Stage
from tests.cast import DAVE

UNKNOWN = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
QUESTION = {
    "subject": {"type": "user", "id": "alice"},
    "action": {"name": "read"},
    "resource": {"type": "users", "id": "1"},
}
Environ = Mapping[str, str]
Case = tuple[str, Environ]
FACTS = (
    ("users", "count(*)"),
    ("users", "count(password_hash)"),
    ("roles", "count(*)"),
    ("permissions", "count(*)"),
    ("role_permissions", "count(*)"),
    ("assignments", "count(*)"),
    ("assignments", "count(valid_to)"),
    ("sessions", "count(*)"),
    ("sessions", "count(ended_at)"),
    ("refresh_tokens", "count(*)"),
    ("refresh_tokens", "count(spent_at)"),
    ("revocations", "count(*)"),
)


@dataclass(frozen=True)
class Answer:
    """All that may differ between two answers, but for what differs between any two."""

    status: int
    body: Any
    headers: tuple[str, ...]
    challenge: str | None = None

    @property
    def says(self) -> str | None:
        """The sentence that a refusal shows, in a problem document, in OAuth's form or in AuthZEN's."""
        if isinstance(self.body, dict):
            return self.body.get("detail") or self.body.get("error_description")
        return self.body if isinstance(self.body, str) else None


@dataclass(frozen=True)
class Target:
    """One request but for its credentials; ``good`` is the status that Alice gets."""

    kind: str
    method: str
    path: str
    good: int
    json: Any = None
    form: Mapping[str, str] | None = None
    _prepared: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.kind}: {self.method} {self.path}"

    def environ(self, more: Environ) -> dict[str, Any]:
        """The WSGI environment of the request with some variables of its own."""
        if not self._prepared:
            builder = EnvironBuilder(
                self.path,
                method=self.method,
                json=self.json,
                data=self.form,
                environ_base={"REMOTE_ADDR": "127.0.0.1"},
            )
            self._prepared.update(builder.get_environ())
            self._prepared["sent"] = self._prepared["wsgi.input"].read()
            builder.close()
        return {**self._prepared, "wsgi.input": io.BytesIO(self._prepared["sent"]), **more}


def targets(stage: Stage) -> list[Target]:
    """Three of each kind: reading, writing, membership and administration, protocol."""
    dave = stage.user_id(DAVE)
    return [
        Target("read", "GET", "/v1/users", 200),
        Target("read", "GET", "/v1/me", 200),
        Target("read", "GET", "/v1/audit/events", 200),
        Target("write", "POST", "/v1/roles", 201, {"name": "attackers-role"}),
        Target("write", "POST", "/v1/users", 201, {"username": "attackers-friend"}),
        Target("write", "POST", "/v1/permissions", 201, {"name": "attackers:right", "description": "None."}),
        Target("membership", "PUT", f"/v1/users/{dave}/roles/admin", 201, {}),
        Target("membership", "PUT", "/v1/roles/role-manager/permissions/payments:release", 201),
        Target("membership", "DELETE", f"/v1/users/{dave}/sessions", 204),
        Target("protocol", "POST", "/oauth/introspect", 200, form={"token": "x"}),
        Target("protocol", "POST", "/oauth/revoke", 200, form={"token": "x"}),
        Target("protocol", "POST", "/access/v1/evaluation", 200, QUESTION),
        Target("protocol", "DELETE", "/v1/me/sessions", 204),
    ]


def shoot(stage: Stage, target: Target, more: Environ) -> Answer:
    """Send the request with some variables of its own."""
    began: list[Any] = []
    chunks = stage.app(target.environ(more), lambda *start: began.extend(start) or print)  # type: ignore[arg-type,func-returns-value]
    data = b"".join(chunks)
    close = getattr(chunks, "close", None)
    if close:
        close()
    headers = {name.lower(): value for name, value in began[1]}
    body = json.loads(data) if data and "json" in headers.get("content-type", "") else data
    if isinstance(body, dict):
        body.pop("request_id", None)
        body.pop("decision_id", None)
    elif isinstance(body, str):
        body = body.partition(" (decision_id: ")[0]
    return Answer(int(began[0][:3]), body, tuple(sorted(headers)), headers.get("www-authenticate"))


def bearing(token: str) -> Environ:
    """A token in the Authorization header, spelled as it is."""
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def unlike(
    stage: Stage,
    aims: Iterable[Target],
    cases: Iterable[Case],
    refusal: type[ServiceError],
    status: int = 401,
) -> list[str]:
    """The cases that are not refused as ``refusal`` says, and exactly as the first one is at the same target."""
    found: list[str] = []
    cases = list(cases)
    for target in aims:
        expected = shoot(stage, target, cases[0][1])
        if (expected.status, expected.says) != (status, refusal.default_detail):
            found.append(f"{cases[0][0]} at {target}: {expected}")
        answers = ((name, shoot(stage, target, environ)) for name, environ in cases[1:])
        found += [
            f"{name} at {target}: {answer}, not {expected}" for name, answer in answers if answer != expected
        ]
    return found


def facts(stage: Stage) -> list[Any]:
    """What an attack that succeeds would have changed."""
    return stage.query("SELECT " + ", ".join(f"(SELECT {what} FROM {table})" for table, what in FACTS))


def honest(stage: Stage, environ: Environ, aims: Iterable[Target]) -> list[str]:
    """The targets that do not give an honest request what it asks for."""
    answers = ((target, shoot(stage, target, environ)) for target in aims)
    return [f"{target}: {answer}" for target, answer in answers if answer.status != target.good]
