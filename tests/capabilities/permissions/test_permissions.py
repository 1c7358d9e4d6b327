"""Permissions: those of this service are built in, those of applications come and go."""

import json

import pytest

from rbac_api.decision.naming import PERMISSION
from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, PERMISSIONS

REPORTS = {"name": "reports:read", "description": "Read reports."}


def test_carol_sees_what_there_is_to_hold_page_by_page(stage: Stage) -> None:
    carol, met, path = stage.as_(CAROL), [], "/v1/permissions?limit=7&count=true"

    while path:
        page = carol.get(path)
        met += page.json["items"]
        path = page.headers.get("Link", "").partition(">")[0].lstrip("<")

    names = [permission["name"] for permission in met]
    assert names == sorted(names)
    assert page.json["total"] == len(names)
    assert {permission["name"] for permission in met if not permission["system"]} == set(PERMISSIONS)


def test_bob_registers_a_permission_that_he_then_does_not_hold(stage: Stage) -> None:
    bob = stage.as_(BOB)

    created = bob.post("/v1/permissions", json=REPORTS)

    assert created.status_code == 201
    assert created.headers["Location"] == "/v1/permissions/reports:read"
    assert {name: created.json[name] for name in REPORTS} == REPORTS
    assert created.json["system"] is False
    assert "reports:read" not in bob.get("/v1/me").json["permissions"]
    assert "reports:read" in stage.as_(ALICE).get("/v1/me").json["permissions"]
    event = stage.events("permission.created")[-1]
    assert (event["actor_name"], event["target_id"], json.loads(event["after"])) == (
        "bob",
        "reports:read",
        REPORTS,
    )


def test_carol_finds_a_permission_where_the_answer_to_its_creation_said(stage: Stage) -> None:
    created = stage.as_(BOB).post("/v1/permissions", json=REPORTS)

    found = stage.as_(CAROL).get(created.headers["Location"])

    assert (found.status_code, found.json) == (200, created.json)


@pytest.mark.parametrize("name", ["no:thing", "Reports:READ", "reports"])
def test_a_permission_that_is_not_there_is_not_found(stage: Stage, name: str) -> None:
    answer = stage.as_(CAROL).get(f"/v1/permissions/{name}")

    assert (answer.status_code, answer.json["code"]) == (404, "permission.not_found")


@pytest.mark.parametrize("taken", ["invoices:read", "users:read"])
def test_a_permission_is_registered_once(stage: Stage, taken: str) -> None:
    answer = stage.as_(BOB).post("/v1/permissions", json={**REPORTS, "name": taken})

    assert (answer.status_code, answer.json["code"]) == (409, "permission.name_taken")


@pytest.mark.parametrize(
    "name", ["reports", "reports:", ":read", "a:b:c:d:e", "reports:read\n", "s3:Get Object", "a:*"]
)
def test_what_cannot_be_a_permissions_name_is_named_with_what_can(stage: Stage, name: str) -> None:
    answer = stage.as_(BOB).post("/v1/permissions", json={**REPORTS, "name": name})

    assert answer.json["errors"] == [
        {"pointer": "/name", "code": "field.invalid", "detail": PERMISSION.problem(name)}
    ]


def test_a_permission_deleted_is_lost_by_every_role_on_the_next_request(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    assert "invoices:read" in bob.get("/v1/me").json["permissions"]

    assert alice.delete("/v1/permissions/invoices:read?force=true").status_code == 204

    assert "invoices:read" not in bob.get("/v1/me").json["permissions"]
    assert "invoices:read" not in alice.get("/v1/roles/role-manager").json["permissions"]
    assert "invoices:read" not in alice.get("/v1/me").json["permissions"]
    event = stage.events("permission.deleted")[-1]
    assert json.loads(event["before"])["roles"] == ["role-manager"]
    again = alice.delete("/v1/permissions/invoices:read")
    assert (again.status_code, again.json["code"]) == (404, "permission.not_found")


def test_a_permission_that_a_role_holds_is_not_deleted_unless_forced(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), "/v1/permissions/invoices:read"
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})

    for how in ("", "?force=false"):
        refused = alice.delete(path + how)
        assert (refused.status_code, refused.json["code"]) == (409, "permission.in_use")
        assert refused.json["detail"].startswith("clerk and 1 more hold invoices:read.")
    assert alice.delete(f"{path}?force=yes").status_code == 422
    assert stage.events("permission.deleted") == []

    for role in ("clerk", "role-manager"):
        assert alice.delete(f"/v1/roles/{role}/permissions/invoices:read").status_code == 204
    assert alice.delete(path).status_code == 204


def test_a_permission_that_only_ended_or_built_in_roles_hold_is_deleted_without_force(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/permissions", json=REPORTS)
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["reports:read"]})
    assert "reports:read" in alice.get("/v1/roles/admin").json["effective_permissions"]
    assert alice.delete("/v1/permissions/reports:read").json["code"] == "permission.in_use"

    alice.delete_now("/v1/roles/reader")

    assert alice.delete("/v1/permissions/reports:read").status_code == 204


def test_whether_a_permission_is_held_is_told_only_to_a_caller_who_could_delete_it(stage: Stage) -> None:
    stage.as_(ALICE).post("/v1/roles", json={"name": "payer", "permissions": ["payments:release"]})

    for how in ("", "?force=true"):
        assert (
            stage.as_(BOB).delete(f"/v1/permissions/payments:release{how}").json["code"] == "target.stronger"
        )


def test_a_permission_registered_anew_is_held_by_no_role_that_held_the_old_one(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.delete("/v1/permissions/invoices:read?force=true")

    alice.post("/v1/permissions", json={**REPORTS, "name": "invoices:read"})

    assert "invoices:read" not in alice.get("/v1/roles/role-manager").json["effective_permissions"]
    assert "invoices:read" not in stage.as_(BOB).get("/v1/me").json["permissions"]


def test_what_is_built_in_cannot_be_deleted(stage: Stage) -> None:
    answer = stage.as_(ALICE).delete("/v1/permissions/users:read")

    assert (answer.status_code, answer.json["code"]) == (409, "permission.system")


def test_bob_deletes_only_what_he_holds_himself(stage: Stage) -> None:
    answer = stage.as_(BOB).delete("/v1/permissions/payments:release")

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert answer.json["missing"] == ["payments:release"]


def test_dave_neither_sees_nor_registers_nor_deletes(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    refused = [
        dave.get("/v1/permissions"),
        dave.post("/v1/permissions", json=REPORTS),
        dave.delete("/v1/permissions/no:thing"),
    ]

    assert [answer.json["required"] for answer in refused] == [
        "permissions:read", "permissions:create", "permissions:delete",
    ]  # fmt: skip
