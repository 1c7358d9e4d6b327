"""Making and changing roles: permissions in and out, in force on the next request."""

import json

from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL, DAVE


def test_bob_makes_a_role_of_what_he_holds(stage: Stage) -> None:
    bob = stage.as_(BOB)
    body = {"name": "clerk", "description": "Reads invoices.", "permissions": ["invoices:read"] * 2}

    created = bob.post("/v1/roles", json=body)

    assert (created.status_code, created.headers["Location"]) == (201, "/v1/roles/clerk")
    assert created.json["permissions"] == created.json["effective_permissions"] == ["invoices:read"]
    assert created.headers["ETag"] == bob.get("/v1/roles/clerk").headers["ETag"]
    event = stage.events("role.created")[-1]
    assert (event["actor_name"], event["target_id"]) == ("bob", "clerk")
    assert json.loads(event["after"])["permissions"] == ["invoices:read"]


def test_a_role_is_made_once(stage: Stage) -> None:
    bob = stage.as_(BOB)
    bob.post("/v1/roles", json={"name": "clerk"})

    again = bob.post("/v1/roles", json={"name": "clerk"})

    assert (again.status_code, again.json["code"]) == (409, "role.name_taken")


def test_a_role_is_not_made_of_permissions_that_are_unknown_or_badly_written(stage: Stage) -> None:
    bob = stage.as_(BOB)

    unknown = bob.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:shred"]})
    written = bob.post("/v1/roles", json={"name": "Clerk of invoices", "permissions": ["invoices"]})

    assert (unknown.status_code, unknown.json["code"]) == (404, "permission.not_found")
    assert [fault["pointer"] for fault in written.json["errors"]] == ["/name", "/permissions/0"]
    assert bob.get("/v1/roles/clerk").status_code == 404


def test_bob_describes_a_role_anew_and_its_name_stays(stage: Stage) -> None:
    bob = stage.as_(BOB)
    bob.post("/v1/roles", json={"name": "clerk"})

    changed = bob.patch_now("/v1/roles/clerk", {"description": "Reads invoices."})

    assert changed.json["description"] == "Reads invoices."
    assert changed.headers["ETag"] == bob.get("/v1/roles/clerk").headers["ETag"]
    renamed = bob.patch_now("/v1/roles/clerk", {"name": "boss", "description": "x"})
    assert renamed.json["errors"][0]["pointer"] == "/name"


def test_describing_a_role_as_it_is_described_changes_nothing(stage: Stage) -> None:
    bob = stage.as_(BOB)
    tag = bob.post("/v1/roles", json={"name": "clerk", "description": "Same."}).headers["ETag"]

    assert bob.patch_now("/v1/roles/clerk", {"description": "Same."}).headers["ETag"] == tag
    assert stage.events("role.updated") == []


def test_a_permission_put_into_a_role_works_on_the_next_request_and_taken_out_no_more(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    alice.post("/v1/roles", json={"name": "reader"})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/reader")
    edge = "/v1/roles/reader/permissions/users:read"
    statuses = [dave.get("/v1/users").status_code]

    assert [alice.put(edge).status_code, alice.put(edge).status_code] == [201, 200]
    statuses.append(dave.get("/v1/users").status_code)
    assert alice.delete(edge).status_code == 204
    statuses.append(dave.get("/v1/users").status_code)

    assert statuses == [403, 200, 403]
    again = alice.delete(edge)
    assert (again.status_code, again.json["code"]) == (404, "role.permission_not_held")
    assert [len(stage.events(f"permission.{what}")) for what in ("granted", "withdrawn")] == [19, 1]


def test_granting_answers_with_the_role_as_it_then_is(stage: Stage) -> None:
    bob = stage.as_(BOB)
    bob.post("/v1/roles", json={"name": "clerk"})

    granted = bob.put("/v1/roles/clerk/permissions/invoices:read").json

    assert granted == bob.get("/v1/roles/clerk").json
    assert granted["permissions"] == ["invoices:read"]


def test_unknown_roles_and_permissions_are_told_apart(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for method in ("PUT", "DELETE"):
        role = alice.call(method, "/v1/roles/nothing/permissions/users:read")
        permission = alice.call(method, "/v1/roles/role-manager/permissions/no:thing")
        assert [role.json["code"], permission.json["code"]] == ["role.not_found", "permission.not_found"]


def test_not_even_alice_changes_what_is_built_in(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    before = [alice.get(f"/v1/roles/{role}").json for role in ("admin", "auditor")]

    answers = [
        alice.patch_now("/v1/roles/admin", {"description": "Mine."}),
        alice.delete_now("/v1/roles/auditor"),
        alice.delete_now("/v1/roles/admin?force=true"),
        alice.put("/v1/roles/auditor/permissions/users:delete"),
        alice.delete("/v1/roles/admin/permissions/users:read"),
        alice.put("/v1/roles/auditor/inherits/role-manager"),
        alice.delete("/v1/roles/admin/inherits/role-manager"),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(409, "role.system")}
    assert [alice.get(f"/v1/roles/{role}").json for role in ("admin", "auditor")] == before


def test_carol_reads_roles_and_changes_none(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    refused = [
        carol.post("/v1/roles", json={"name": "mine"}),
        carol.patch_now("/v1/roles/role-manager", {"description": "Mine."}),
        carol.delete_now("/v1/roles/role-manager"),
    ]

    assert [answer.json["required"] for answer in refused] == ["roles:create", "roles:update", "roles:delete"]
