"""Roles and rules for the tests of constraints, made through the API unless said otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.builders import Caller, Stage

CONSTRAINTS = "/v1/constraints"
PAIR = ("approver", "releaser")
MOMENT = {"sqlite": "'2026-01-01 00:00:00'", "postgresql": "TIMESTAMPTZ '2026-01-01Z'"}
NEW_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}


def make_roles(alice: Caller, *names: str) -> None:
    """Roles that hold nothing yet."""
    for name in names:
        assert alice.post("/v1/roles", json={"name": name}).status_code == 201


def constrain(alice: Caller, kind: str, *roles: str, limit: int | None = None, name: str = "rule") -> Any:
    """A constraint of this kind."""
    body: dict[str, Any] = {"name": name, "kind": kind, "roles": list(roles)}
    return alice.post(CONSTRAINTS, json=body if limit is None else {**body, "limit": limit})


def keep_apart(alice: Caller, *roles: str, name: str = "rule") -> None:
    """A static constraint: no two of these."""
    assert constrain(alice, "static", *roles, limit=2, name=name).status_code == 201


def give(alice: Caller, person: Any, role: str, **terms: Any) -> Any:
    return alice.put(f"/v1/users/{alice.stage.user_id(person)}/roles/{role}", json=terms)


def take(alice: Caller, person: Any, role: str) -> Any:
    return alice.delete(f"/v1/users/{alice.stage.user_id(person)}/roles/{role}")


def inherit(alice: Caller, senior: str, junior: str) -> Any:
    return alice.put(f"/v1/roles/{senior}/inherits/{junior}")


def in_days(number: int) -> str:
    """A moment so many days from now."""
    return (datetime.now(UTC) + timedelta(days=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def refused(answer: Any) -> list[tuple[str | None, list[str]]]:
    """(who, which roles) of each violation that the refusal lists."""
    assert (answer.status_code, answer.json["code"]) == (409, "constraint.violated"), answer.json
    listed = answer.json["violations"]
    assert answer.json["constraint"] == listed[0]["constraint"]
    assert answer.json["count"] >= len(listed)
    return [(found["user"] and found["user"]["username"], found["roles"]) for found in listed]


def write_assignment(stage: Stage, username: str, role: str) -> None:
    """An assignment past the service: what no request could have brought about."""
    stage.execute(
        "INSERT INTO assignments (id, user_id, role_id, valid_from, assigned_at, mode)"
        f" SELECT {NEW_ID[stage.engine]}, u.id, r.id, {MOMENT[stage.engine]}, {MOMENT[stage.engine]}, 'active' FROM users u, roles r"
        f" WHERE u.username = '{username}' AND r.name = '{role}'"
    )


def write_people(stage: Stage, count: int) -> None:
    """People named crowd-0, crowd-1 …, past the service, all at once."""
    columns = "kind, status, password_temporary, version, authorization_version, created_at, updated_at"
    stage.execute(
        f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {count - 1})"
        f" INSERT INTO users (id, username, username_canonical, {columns})"
        f" SELECT {NEW_ID[stage.engine]}, 'crowd-' || i, 'crowd-' || i, 'person', 'active', FALSE, 1, 1, {MOMENT[stage.engine]},"
        f" {MOMENT[stage.engine]} FROM n"
    )


def write_assignments(stage: Stage, role: str) -> None:
    """This role for all of them, past the service."""
    stage.execute(
        "INSERT INTO assignments (id, user_id, role_id, valid_from, assigned_at, mode)"
        f" SELECT {NEW_ID[stage.engine]}, u.id, r.id, {MOMENT[stage.engine]}, {MOMENT[stage.engine]}, 'active' FROM users u, roles r"
        f" WHERE substr(u.username, 1, 6) = 'crowd-' AND r.name = '{role}'"
    )


def roles_of(stage: Stage, person: Any) -> list[str]:
    """What somebody holds directly, now or later, as the rows have it."""
    found = stage.query(
        "SELECT r.name FROM assignments a JOIN roles r ON r.id = a.role_id JOIN users u ON u.id = a.user_id"
        " WHERE u.username = ? AND a.valid_to IS NULL ORDER BY r.name",
        person.username,
    )
    return [name for (name,) in found]
