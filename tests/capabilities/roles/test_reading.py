"""Reading roles: what each holds, inherits, and adds up to."""

from typing import Any

import pytest
from sqlalchemy import event

from rbac_api.capabilities.roles import queries
from rbac_api.database.queries import roles as reads
from rbac_api.guard.state import queries as guard_queries
from tests.builders import Stage
from tests.cast import ALICE, BOB, BOBS_PERMISSIONS, CAROL, PERMISSIONS

OWN_READS = {
    "audit:read", "constraints:read", "domains:read", "keys:read", "permissions:read", "policy:read", "roles:read", "service-accounts:read",
    "sessions:read", "users:read",
}  # fmt: skip


def test_carol_sees_the_built_in_roles_and_those_of_the_house(stage: Stage) -> None:
    roles = {role["name"]: role for role in stage.as_(CAROL).get("/v1/roles").json["items"]}

    assert list(roles) == ["admin", "auditor", "role-manager"]
    assert {name for name, role in roles.items() if role["system"]} == {"admin", "auditor"}
    assert {*PERMISSIONS, *BOBS_PERMISSIONS, "rbac:escalate"} <= set(roles["admin"]["permissions"])
    assert set(roles["auditor"]["effective_permissions"]) == OWN_READS
    assert roles["role-manager"]["permissions"] == sorted(BOBS_PERMISSIONS)


def test_an_administrator_holds_a_permission_from_the_moment_it_exists(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/permissions", json={"name": "reports:read", "description": "Read reports."})

    assert "reports:read" in alice.get("/v1/roles/admin").json["effective_permissions"]
    assert "reports:read" in alice.get("/v1/me").json["permissions"]
    assert set(alice.get("/v1/roles/auditor").json["effective_permissions"]) == OWN_READS


def test_carol_pages_through_roles(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    first = carol.get("/v1/roles?limit=2&count=true")
    rest = carol.get(first.headers["Link"].partition(">")[0].lstrip("<"))

    assert [role["name"] for role in first.json["items"]] == ["admin", "auditor"]
    assert [role["name"] for role in rest.json["items"]] == ["role-manager"]
    assert (first.json["total"], rest.json["next"], "Link" in rest.headers) == (3, None, False)


def test_bob_is_told_nothing_new_about_a_role_that_did_not_change(stage: Stage) -> None:
    bob = stage.as_(BOB)
    tag = bob.get("/v1/roles/role-manager").headers["ETag"]

    assert bob.get("/v1/roles/role-manager", headers={"If-None-Match": tag}).status_code == 304
    bob.delete("/v1/roles/role-manager/permissions/invoices:approve")
    assert bob.get("/v1/roles/role-manager", headers={"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize(
    ("path", "after"), [("/v1/roles/clerk", 1), ("/v1/roles/clerk", 2), ("/v1/roles?limit=200", 1)]
)
def test_a_role_that_is_deleted_while_it_is_read_does_not_exist(stage: Stage, path: str, after: int) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.post("/v1/roles", json={"name": "clerk"})
    looks, deleted = 0, []

    def delete(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal looks
        looks += "SELECT roles.id, roles.name, roles.title" in statement
        if looks == after:  # its row has been read, what it grants has not
            looks += 1
            deleted.append(alice.delete_now("/v1/roles/clerk").status_code)

    event.listen(stage.database.engine, "after_cursor_execute", delete)
    try:
        answer = carol.get(path)
    finally:
        event.remove(stage.database.engine, "after_cursor_execute", delete)

    assert deleted == [204]
    if path == "/v1/roles/clerk":
        assert (answer.status_code, answer.json["code"]) == (404, "role.not_found")
    else:
        assert "clerk" not in {role["name"] for role in answer.json["items"]}


def test_a_roles_etag_changes_with_what_it_inherits(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/clerk")
    before = alice.get("/v1/roles/chief").headers["ETag"]

    alice.put("/v1/roles/clerk/permissions/invoices:read")

    assert alice.get("/v1/roles/chief").headers["ETag"] != before
    assert alice.get("/v1/roles/chief").json["effective_permissions"] == ["invoices:read"]


@pytest.mark.parametrize("name", ["nothing", "Admin", "admin%20", "a" * 200, "%ED%A0%80"])
def test_a_role_that_is_not_there_is_not_found(stage: Stage, name: str) -> None:
    answer = stage.as_(ALICE).get(f"/v1/roles/{name}")

    assert (answer.status_code, answer.json["code"]) == (404, "role.not_found")


def test_an_address_with_nul_in_it_is_unknown_whoever_asks(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for path in ("/v1/roles/%00", "/v1/roles/admin/permissions/%00", "/v1/permissions/a%00b"):
        for method in ("GET", "PUT", "DELETE"):
            assert alice.client.open(path, method=method, headers=alice.headers).status_code in (404, 405)


@pytest.mark.parametrize("path", ["/v1/roles", "/v1/roles/admin"])
def test_reading_roles_puts_nothing_together_that_is_in_memory(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    compiled: list[Any] = []
    carol, compile_anew = stage.as_(CAROL), guard_queries.find_role_graph
    first = carol.get(path).json
    monkeypatch.setattr(guard_queries, "find_role_graph", lambda c: (compiled.append(c), compile_anew(c))[1])

    assert carol.get(path).json == first
    assert not compiled
    stage.guard.snapshot.forget()
    assert carol.get(path).json == first
    assert len(compiled) == 1


MOMENTS = {
    "just before the list is read": ("/v1/roles", "list_roles", False),
    "just after the list was read": ("/v1/roles", "list_roles", True),
    "just before the role is read": ("/v1/roles/clerk", "find_role", False),
    "just after the role was read": ("/v1/roles/clerk", "find_role", True),
}


@pytest.mark.parametrize(("path", "query", "after"), MOMENTS.values(), ids=MOMENTS)
def test_a_role_that_goes_while_carol_reads_does_no_harm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str, query: str, after: bool
) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.post("/v1/roles", json={"name": "clerk"})
    tag = {"If-Match": alice.get("/v1/roles/clerk").headers["ETag"]}
    carol.get("/v1/roles")

    meanwhile(monkeypatch, query, lambda: alice.delete("/v1/roles/clerk", headers=tag), after=after)

    assert carol.get(path).status_code in (200, 404)


@pytest.mark.parametrize(("path", "query", "after"), MOMENTS.values(), ids=MOMENTS)
def test_a_role_that_comes_while_carol_reads_does_no_harm(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, path: str, query: str, after: bool
) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    carol.get("/v1/roles")

    meanwhile(monkeypatch, query, lambda: alice.post("/v1/roles", json={"name": "clerk"}), after=after)

    assert carol.get(path).status_code in (200, 404)


def meanwhile(monkeypatch: pytest.MonkeyPatch, query: str, happens: Any, *, after: bool) -> None:
    """The first time this query is asked, something else happens right before or right after it."""
    home = reads if query == "find_role" else queries
    ask, todo = getattr(home, query), [happens]

    def asked(*arguments: Any) -> Any:
        happening = todo.pop() if todo else None
        if happening and not after:
            happening()
        found = ask(*arguments)
        if happening and after:
            happening()
        return found

    monkeypatch.setattr(home, query, asked)


def test_roles_are_found_by_what_they_hold_directly_or_by_inheritance(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["payments:release"]})
    alice.post("/v1/roles", json={"name": "chief", "description": "Above the clerk."})
    assert alice.put("/v1/roles/chief/inherits/clerk").status_code == 201

    def found(query: str) -> list[str]:
        answer = stage.as_(CAROL).get(f"/v1/roles?count=true&limit=200&{query}").json
        assert answer["total"] == len(answer["items"])
        return [role["name"] for role in answer["items"]]

    assert found("permission=payments:release") == ["admin", "clerk"]
    assert found("permission=payments:release&effective=true") == ["admin", "chief", "clerk"]
    assert found("permission=payments:release&effective=false&q=CLERK") == ["clerk"]
    assert found("permission=payments:release&effective=true&q=clerk") == ["chief", "clerk"]
    assert found("permission=nothing:holds-it") == []
    assert found("effective=true") == ["admin", "auditor", "chief", "clerk", "role-manager"]
    first = alice.get("/v1/roles?permission=payments:release&limit=1").json
    assert first["items"][0]["name"] == "admin"
    assert (
        alice.get(f"/v1/roles?permission=payments:release&cursor={first['next']}").json["items"][0]["name"]
        == "clerk"
    )
    assert alice.get("/v1/roles?permission=payments").status_code == 422
