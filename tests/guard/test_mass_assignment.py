"""No body changes what it was not made to change: every column there is, and what else attackers try, in every body there is."""

from typing import Any
from uuid import UUID

import pytest

from rbac_api.database.tables import metadata
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, DAVE
from tests.contract.operations import Operation, operations
from tests.sizes import sized

COLUMNS = {column.name for table in metadata.tables.values() for column in table.columns}
SYNONYMS = {
    "role", "roles", "is_admin", "admin", "isAdmin", "groups", "scope", "permission", "token_version", "family_id", "revoked_at",
    "password_hash", "passwordHash", "_method", "__proto__", "constructor", "user", "created_by", "system", "effective_permissions",
    "inherits", "force",
}  # fmt: skip
AT_ONCE = sized(50, 1)  # an answer names the first 100 faults
TABLES = "users", "roles", "permissions", "role_permissions", "role_inheritance", "assignments"


def rows(stage: Stage) -> list[Any]:
    """Everything that somebody could have changed."""
    return [stage.query(f"SELECT * FROM {table} ORDER BY id") for table in TABLES]


def with_bodies(stage: Stage) -> list[Operation]:
    """Those that take what they know and nothing else; a protocol may ask to overlook what is unknown."""
    found = operations(stage.app)
    return [operation for operation in found if operation.body is not None and not operation.own_form]


def names(stage: Stage) -> dict[str, str]:
    """Targets that exist, where the body is not looked at before."""
    robots = [str(UUID(str(found))) for (found,) in stage.query("SELECT id FROM service_accounts")]
    return {
        "user_id": stage.user_id(DAVE), "role": "role-manager", "account_id": robots[0] if robots else make_robot(stage).id,
        "incident_id": stage.user_id(DAVE), "domain": "root",
    }  # fmt: skip


def send(stage: Stage, caller: Caller, operation: Operation, body: dict[str, Any]) -> Any:
    """To a target that exists, with the present ETag where one is asked for."""
    path = operation.at(names(stage))
    headers = (
        {"If-Match": caller.get(path.removesuffix("/apply")).headers["ETag"]} if operation.conditional else {}
    )
    return caller.call(operation.method, path, json=body, headers=headers)


def batched(fields: list[str]) -> list[list[str]]:
    """So many at a time: an answer names each that is unknown, so one that was taken would be missing from it."""
    return [fields[first : first + AT_ONCE] for first in range(0, len(fields), AT_ONCE)]


@pytest.mark.soak
def test_no_body_takes_a_field_that_it_does_not_document(stage: Stage) -> None:
    alice, _ = stage.as_(ALICE), names(stage)
    before = rows(stage)

    for operation in with_bodies(stage):
        for fields in batched(sorted((COLUMNS | SYNONYMS) - set(operation.body["properties"]))):
            answer = send(stage, alice, operation, {**operation.example(), **dict.fromkeys(fields, True)})
            assert answer.status_code == 422, (operation.id, fields)
            faults = {(fault["pointer"], fault["code"]) for fault in answer.json["errors"]}
            assert {(f"/{field}", "field.unknown") for field in fields} <= faults, operation.id
    assert rows(stage) == before


@pytest.mark.parametrize("value", [{"name": "admin"}, ["admin"], 1, 1.5, True])
def test_no_text_field_takes_anything_but_text(stage: Stage, value: Any) -> None:
    alice, _ = stage.as_(ALICE), names(stage)
    before = rows(stage)

    for operation in with_bodies(stage):
        for field, described in operation.body["properties"].items():
            if described.get("type") in ("string", ["string", "null"]):
                answer = send(stage, alice, operation, {**operation.example(), field: value})
                assert answer.status_code == 422, (operation.id, field)
                assert f"/{field}" in [fault["pointer"] for fault in answer.json["errors"]]
    assert rows(stage) == before


@pytest.mark.parametrize("value", ["true", "false", "yes", "", 0, 1, {}, []])
def test_no_field_that_is_true_or_false_takes_anything_else(stage: Stage, value: Any) -> None:
    alice, _ = stage.as_(ALICE), names(stage)
    before, asked = rows(stage), 0

    for operation in with_bodies(stage):
        for field, described in operation.body["properties"].items():
            if described.get("type") == "boolean":
                answer = send(stage, alice, operation, {**operation.example(), field: value})
                asked += 1
                assert answer.status_code == 422, (operation.id, field)
                assert f"/{field}" in [fault["pointer"] for fault in answer.json["errors"]]
    assert asked >= 3
    assert rows(stage) == before


def test_a_field_given_twice_is_refused(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for operation in with_bodies(stage):
        field = next(iter(operation.body["properties"]))
        path = operation.at(names(stage))
        body = f'{{"{field}": "a", "{field}": "b"}}'
        headers = {"If-Match": '"any"', "Content-Type": "application/json"}
        answer = alice.call(operation.method, path, data=body, headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "request.unreadable"), operation.id


def without_bodies(stage: Stage) -> list[Operation]:
    """Those that write and take none."""
    found = operations(stage.app)
    return [
        operation for operation in found if operation.writes and not operation.described.get("requestBody")
    ]


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b'{"reason": "Lost", "algorithm": "HS256"}', ["/algorithm", "/reason"]),
        (b"[]", [""]),
        (b"null", [""]),
        (b"reason=Lost", [""]),
        (b'{"a": "\\ud800"}', [""]),
    ],
)
def test_an_operation_without_a_body_does_not_overlook_one(
    stage: Stage, body: bytes, pointers: list[str]
) -> None:
    alice, targets = stage.as_(ALICE), names(stage)
    before = rows(stage)
    ids = {"session_id": stage.user_id(DAVE), "kid": "k", "secret_id": stage.user_id(DAVE)}
    found = without_bodies(stage)

    for operation in found:
        path = operation.at({**dict.fromkeys(operation.parameters, "users:read"), **targets, **ids})
        answer = alice.call(operation.method, path, data=body, content_type="application/json")
        assert (answer.status_code, answer.json["code"]) == (422, "request.invalid"), operation.id
        faults = [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]]
        assert faults == [(pointer, "field.unknown") for pointer in pointers], operation.id
    assert rows(stage) == before
    assert len(found) > 20


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "])
def test_an_empty_body_says_as_much_as_none(stage: Stage, body: bytes) -> None:
    answer = stage.as_(ALICE).post("/v1/auth/logout", data=body, content_type="application/json")

    assert answer.status_code == 204
