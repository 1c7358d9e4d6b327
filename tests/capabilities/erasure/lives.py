"""Users who do what leaves personal values behind, each with values that occur nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from rbac_api.database.tables import metadata
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply
from tests.cast import PASSWORD
from tests.contract.operations import operations

MARKS = ("zq7f", "2001:db8:feed:")  # in every value about one of these users
REASON = "Request of 30 November, ticket 4711"
MEDIA = ("application/json", "text/csv", "application/x-ndjson")
NOT_READ = {
    "get_user_access",
    "get_my_access",
    "get_service_account_access",
    "diff_access",
}  # need a question


@dataclass(frozen=True)
class Life:
    """A user with all names, from one address."""

    number: int
    id: str

    @property
    def name(self) -> str:
        return name_of(self.number)

    @property
    def seen(self) -> dict[str, Any]:
        """Where requests come from."""
        origin = {"REMOTE_ADDR": f"2001:db8:feed:{self.number:x}::1"}
        return {"environ_base": origin, "headers": {"User-Agent": f"zq7f-browser/{self.number}"}}


def name_of(number: int) -> str:
    return f"Zq7f Öre-{number}"


def lived(stage: Stage, alice: Caller, number: int) -> Life:
    """A user who signed in, failed, refreshed, was refused, and whom others acted on, by name too."""
    names = {"email": f"zq7f.{number}@example.com", "display_name": f"Zq7f the {number}th"}
    body = {"username": name_of(number), "password": PASSWORD, **names}
    made = alice.post("/v1/users", json=body, headers={"Idempotency-Key": f"life-{number}"})
    life = Life(number, made.json["id"])
    path = f"/v1/users/{life.id}"
    login = {"username": life.name, "password": PASSWORD}
    client = stage.app.test_client()
    tokens = client.post("/v1/auth/login", json=login, **life.seen).json
    client.post("/v1/auth/login", json={**login, "password": "wrong"}, **life.seen)
    client.post("/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}, **life.seen)
    bearer = {**life.seen["headers"], "Authorization": f"Bearer {tokens['access_token']}"}
    client.get("/v1/roles", **{**life.seen, "headers": bearer})
    alice.patch_now(path, {"display_name": f"Zq7f Other {number}"})
    alice.put(f"{path}/roles/auditor", json={"reason": "Covers for a colleague"})
    apply(alice, {"assignments": [{"user": life.name.upper(), "role": "role-manager", "reason": "On call"}]})
    stage.as_("bob").delete(f"{path}/roles/auditor")
    alice.delete(f"/v1/sessions/{tokens['session_id']}")
    client.get(
        "/v1/me", headers={**bearer, "User-Agent": "zq7f-thief"}, environ_base=life.seen["environ_base"]
    )
    revocation = {"filter": {"user": life.name}, "expected_count": 0, "reason": "To be sure"}
    alice.post("/v1/sessions/revocations", json=revocation)
    alice.get("/v1/audit/events", query_string={"actor": life.name})
    alice.get("/v1/audit/events", query_string={"target": life.name.lower()}, headers={"Accept": "text/csv"})
    alice.post(f"{path}/password-reset")
    assert alice.delete_now(path).status_code == 204
    return life


def erase(caller: Caller, user: str, reason: str = REASON) -> Any:
    return caller.post(f"/v1/users/{user}/erasure", json={"reason": reason})


def rows(stage: Stage) -> Iterator[tuple[str, str]]:
    """Each value of each row of each table, as text."""
    with stage.database.reading() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                yield from ((f"{table.name}.{name}", str(value)) for name, value in row.items())


def answers(stage: Stage, caller: Caller, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Each answer of each operation that reads, in each form that it has."""
    for one in operations(stage.app):
        if one.method != "GET" or one.id in NOT_READ or set(one.parameters) - names.keys():
            continue
        for media in MEDIA:
            answer = caller.client.get(one.at(names), headers={**caller.headers, "Accept": media})
            yield f"{one.id} as {media}", answer.text


def found(texts: Iterator[tuple[str, str]]) -> list[str]:
    """The places at which a personal value is."""
    return sorted({place for place, text in texts if any(mark in text.lower() for mark in MARKS)})
