"""What roles, permissions and constraints may be called: one rule on every path, and no two names that differ by case alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rbac_api.capabilities.constraints import queries as constraints
from rbac_api.capabilities.permissions import queries as permissions
from rbac_api.capabilities.roles import queries as roles
from rbac_api.decision.naming import CONSTRAINT, PERMISSION, ROLE, NameRule
from rbac_api.guard.enforcement.decorators import requires, requires_role
from rbac_api.verifier import Verifier
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply, export, plan
from tests.cast import ALICE, BOB, CAROL, DAVE

BAD = "s3:Get Object"
RULES = {f"^{rule.pattern}$": rule for rule in (ROLE, CONSTRAINT, PERMISSION)}
Make = Callable[[Any], Any]


@dataclass(frozen=True)
class Place:
    """Where the OpenAPI document takes a name: in a query or in a body."""

    method: str
    path: str
    query: str | None
    make: Make
    pointer: str
    rule: NameRule


def places(document: dict[str, Any]) -> Iterator[Place]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for found in operation.get("parameters", ()) if isinstance(operation, dict) else ():
                rule = RULES.get(found.get("schema", {}).get("pattern"))
                if rule and found["in"] == "query":
                    yield Place(method, path, found["name"], lambda bad: bad, f"/{found['name']}", rule)
            body = operation.get("requestBody", {}) if isinstance(operation, dict) else {}
            for make, pointer, rule in inside(
                document, body.get("content", {}).get("application/json", {}).get("schema", {})
            ):
                yield Place(method, path, None, make, pointer, rule)


def inside(document: dict[str, Any], schema: Any) -> Iterator[tuple[Make, str, NameRule]]:
    schema = (
        document["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    )
    if rule := RULES.get(schema.get("pattern")):
        yield (lambda bad: bad), "", rule
    for name, member in schema.get("properties", {}).items():
        for make, pointer, rule in inside(document, member):
            yield (lambda bad, name=name, make=make: {name: make(bad)}), f"/{name}{pointer}", rule
    for make, pointer, rule in inside(document, schema["items"]) if "items" in schema else ():
        yield (lambda bad, make=make: [make(bad)]), f"/0{pointer}", rule


def test_every_query_and_body_that_takes_a_name_refuses_with_the_same_sentence(stage: Stage) -> None:
    alice, tried = stage.as_(ALICE), []
    robot = alice.post("/v1/service-accounts", json={"name": "robot"}).json["id"]
    for place in places(stage.checker.document):
        path = place.path.format(
            user_id=stage.user_id(DAVE), role="auditor", permission="users:read", account_id=robot
        )
        sent: dict[str, Any] = {"json": place.make(BAD)}
        if place.query:
            sent = {"query_string": {place.query: BAD}}
        answer = alice.client.open(
            path, method=place.method, headers={**alice.headers, "If-Match": '"x"'}, **sent
        )
        found = [
            fault["detail"] for fault in answer.json.get("errors", ()) if fault["pointer"] == place.pointer
        ]
        assert answer.status_code == 422, (place, answer.json)
        assert len(found) == 1, (place, answer.json)
        alike = [rule for rule in (ROLE, CONSTRAINT, PERMISSION) if rule.pattern == place.rule.pattern]
        assert found[0].endswith(tuple(str(rule.problem(BAD)) for rule in alike)), found
        tried.append((place.method, place.path, place.pointer))
    assert len(tried) >= 20, tried


def test_a_route_that_asks_for_what_cannot_be_a_name_is_found_at_start_up() -> None:
    verifier = Verifier("https://rbac.example", "rbac-api")
    no_roles = (BAD, "", "1st", "Head Brewer", "clerk\n", "é", "a/b", "r" * 128)
    tries = [(requires, BAD, PERMISSION), (requires, "reports", PERMISSION)]
    tries += [
        (decorate, name, ROLE)
        for decorate in (requires_role, verifier.requires_role)
        for name in no_roles[:-1]
    ]
    for decorate, name, rule in tries:
        with pytest.raises(ValueError, match="is not a") as refusal:
            decorate(name)
        assert str(refusal.value) == rule.problem(name)
    for name in ("a", "Z_FI.Clerk-1", "r" * 127):
        assert callable(verifier.requires_role(name))
    with pytest.raises(ValueError, match="is not a role name"):
        verifier.requires_role("r" * 128)
    verifier.close()


LIKE_OTHERS = (
    "s3:Bucket:GetObject",
    "Microsoft.Compute:virtualMachines:start:action",
    "arn:aws:s3:read",
    "x:1.2_3",
)


@pytest.mark.parametrize("name", LIKE_OTHERS)
def test_names_as_other_systems_write_them_work_on_every_path(stage: Stage, name: str) -> None:
    alice, role = stage.as_(ALICE), "Z_FI.Clerk-1"
    assert (
        alice.post("/v1/permissions", json={"name": name, "description": "x"})
        .headers["Location"]
        .endswith(name)
    )
    assert alice.post("/v1/roles", json={"name": role, "permissions": [name]}).status_code == 201
    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{role}").status_code == 201

    assert alice.get(f"/v1/roles/{role}").json["effective_permissions"] == [name]
    assert stage.as_(DAVE).get("/v1/me").json["permissions"] == [name]
    assert alice.get(f"/v1/users/{stage.user_id(DAVE)}/access?permission={name}").json["decision"] is True
    assert [holder["user"]["username"] for holder in alice.get(f"/v1/permissions/{name}/holders").json["items"]] == [
        "alice", "dave",
    ]  # fmt: skip
    assert [user["username"] for user in alice.get(f"/v1/users?role={role}").json["items"]] == ["dave"]
    assert plan(alice, export(alice), prune=True)["summary"] == "0 to add, 0 to change, 0 to remove"
    assert name not in stage.as_(CAROL).get("/v1/me").json["permissions"], (
        "the auditor reads this service, not others"
    )
    for place in range(name.count(":")):
        parts = name.split(":")
        resource, verb = ":".join(parts[: place + 1]), ":".join(parts[place + 1 :])
        question = {
            "subject": {"type": "user", "id": "dave"},
            "action": {"name": verb},
            "resource": {"type": resource, "id": "1"},
        }
        assert alice.post("/access/v1/evaluation", json=question).json == {"decision": True}
        swapped = {**question, "action": {"name": verb.swapcase()}}
        if verb.swapcase() != verb:
            assert alice.post("/access/v1/evaluation", json=swapped).json["decision"] is False


def test_the_longest_names_are_held_asked_for_and_told(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    permission, role, rule = "p:" + "x" * 198, "r" * 127, "c" * 127
    assert alice.post("/v1/permissions", json={"name": permission, "description": "x"}).status_code == 201
    assert alice.post("/v1/roles", json={"name": role, "permissions": [permission]}).status_code == 201
    body = {"name": rule, "kind": "max-holders", "roles": [role], "limit": 3}
    assert alice.post("/v1/constraints", json=body).status_code == 201
    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{role}").status_code == 201

    assert stage.as_(DAVE).get("/v1/me").json["permissions"] == [permission]
    assert alice.get(f"/v1/audit/events?target={permission}").json["items"][0]["target"]["id"] == permission
    assert plan(alice, export(alice), prune=True)["summary"] == "0 to add, 0 to change, 0 to remove"
    question = {
        "subject": {"type": "user", "id": "dave"},
        "action": {"name": "x" * 198},
        "resource": {"type": "p", "id": "1"},
    }
    assert alice.post("/access/v1/evaluation", json=question).json == {"decision": True}
    question["action"] = {"name": "x" * 199}
    assert alice.post("/access/v1/evaluation", json=question).json["decision"] is False


BODIES: dict[str, tuple[str, dict[str, Any], Any]] = {
    "role": ("roles", {}, roles),
    "permission": ("permissions", {"description": "x"}, permissions),
    "constraint": (
        "constraints",
        {"kind": "max-holders", "roles": ["role-manager"], "limit": 9},
        constraints,
    ),
}


def make(caller: Caller, thing: str, name: str) -> Any:
    path, body, _ = BODIES[thing]
    return caller.post(f"/v1/{path}", json={**body, "name": name})


@pytest.mark.parametrize("thing", BODIES)
def test_no_two_names_differ_by_case_alone_and_names_are_found_as_they_are_written(
    stage: Stage, thing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, (path, _, queries) = stage.as_(ALICE), BODIES[thing]
    first = "Ledger:Read" if thing == "permission" else "Ledger"
    assert make(alice, thing, first).status_code == 201

    for other in (first, first.lower(), first.upper()):
        refused = make(alice, thing, other)
        assert (refused.status_code, refused.json["code"]) == (409, f"{thing}.name_taken")
    for other in (first.lower(), first.upper()):
        assert alice.get(f"/v1/{path}/{other}").status_code == 404
    monkeypatch.setattr(queries, "is_name_taken", lambda *_: False)  # what a race would not see either
    raced = make(alice, thing, first.upper())
    assert {**raced.json, "request_id": ""} == {**refused.json, "request_id": ""}
    monkeypatch.undo()

    headers = {"If-Match": alice.get(f"/v1/{path}/{first}").headers.get("ETag", "")}
    assert alice.delete(f"/v1/{path}/{first}", headers=headers).status_code == 204
    assert make(alice, thing, first.upper()).status_code == 201


def test_what_is_built_in_cannot_be_imitated_by_case(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for thing, name in (
        ("role", "Admin"),
        ("role", "AUDITOR"),
        ("permission", "Users:Read"),
        ("permission", "RBAC:escalate"),
    ):
        assert make(alice, thing, name).json["code"] == f"{thing}.name_taken"
        section = {"name": name, **({"description": "x"} if thing == "permission" else {})}
        document = {f"{thing}s": [section]}
        assert [refusal["code"] for refusal in plan(alice, document)["refusals"]] == [f"{thing}.name_taken"]
        assert apply(alice, document).json["code"] == f"{thing}.name_taken"


def test_a_role_is_not_reached_by_another_spelling(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    make(alice, "role", "Clerk")

    refused = [
        alice.put(f"/v1/users/{dave}/roles/clerk"),
        alice.put("/v1/roles/Clerk/permissions/Users:Read"),
        alice.put("/v1/roles/CLERK/inherits/auditor"),
        alice.post("/v1/roles", json={"name": "other", "permissions": ["USERS:READ"]}),
    ]

    assert [answer.status_code for answer in refused] == [404] * 4
    assert stage.as_(BOB).get("/v1/me/access?permission=Users:read").json["code"] == "permission.not_found"
