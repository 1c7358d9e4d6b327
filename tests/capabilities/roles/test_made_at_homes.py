"""Roles that a tenant's administrator makes, changes and deletes at home, and what is not the administrator's to change."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles import service
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Caller, Stage, cheap_hash
from tests.capabilities.policy.stories import apply, export
from tests.cast import ALICE, DAVE, PASSWORD

READS_AND_CHANGES = ("roles:read", "roles:create", "roles:update", "roles:delete")
HELD = ("invoices:read", "payments:release")
ERIN, FINN, RITA = "erin", "finn", "rita"


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """Dave makes roles at ``acme``, where he holds what ``clerk`` and ``payer`` grant; Rita reads roles there.  Erin is a payer of
    ``globex``, and Finn a clerk of ``acme``."""
    stage.kept("roles made at homes", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in ("acme", "acme.eu", "globex"):
            create_domain(clearance, {"name": domain})
        create_role(clearance, {"name": "role-maker"})
        for permission in READS_AND_CHANGES:
            grant_permission(clearance, "role-maker", permission)
        create_role(clearance, {"name": "role-reader", "permissions": ["roles:read"]})
        create_role(clearance, {"name": "clerk", "permissions": ["invoices:read"]})
        create_role(clearance, {"name": "payer", "permissions": ["payments:release"]})
        create_role(clearance, {"name": "boss@acme", "permissions": ["users:read"]})
        create_role(clearance, {"name": "clerk@globex", "permissions": ["invoices:read"]})
        hashed, ids = cheap_hash(stage.settings), {DAVE.username: stage.user_id(DAVE)}
        for name in (ERIN, FINN, RITA):
            new = NewUser(username=name, password_hash=hashed, password_final=True)
            ids[name] = add_user(clearance, new).id
        for person, role, domain in (
            ("dave", "role-maker", "acme"), ("dave", "clerk", "acme"), ("dave", "payer", "acme"), (RITA, "role-reader", "acme"),
            (ERIN, "payer", "globex"), (FINN, "clerk", "acme"),
        ):  # fmt: skip
            assign_role(clearance, ids[person], role, Terms(domain=domain))


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def made(dave: Caller, name: str = "manager@acme", **more: Any) -> Any:
    answer = dave.post("/v1/roles", json={"name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer


@pytest.mark.parametrize(
    ("body", "name", "home"),
    [
        ({"name": "manager@acme"}, "manager@acme", "acme"),
        ({"name": "manager", "home": "acme"}, "manager@acme", "acme"),
        ({"name": "manager@acme.eu", "home": "acme.eu"}, "manager@acme.eu", "acme.eu"),
    ],
)
def test_the_name_of_a_role_ends_with_its_home(
    dave: Caller, body: dict[str, str], name: str, home: str
) -> None:
    answer = dave.post("/v1/roles", json={**body, "permissions": list(HELD)})
    assert answer.status_code == 201
    assert (answer.json["name"], answer.json["home"], answer.json["permissions"]) == (
        name,
        home,
        sorted(HELD),
    )
    assert answer.headers["Location"].endswith(f"/v1/roles/{name}")
    assert dave.get(f"/v1/roles/{name}").json == answer.json


def test_a_session_at_a_domain_makes_its_roles_there(tenants: Stage) -> None:
    alice = at(tenants, ALICE, "acme")
    assert made(alice, "manager").json["name"] == "manager@acme"
    assert made(alice, "manager@acme.eu").json["home"] == "acme.eu"
    assert alice.post("/v1/roles", json={"name": "manager", "home": "root"}).status_code == 403
    assert alice.post("/v1/roles", json={"name": "manager@globex"}).status_code == 403


def at(tenants: Stage, person: Any, domain: str) -> Caller:
    caller = tenants.caller()
    account = {"username": getattr(person, "username", person), "password": PASSWORD, "domain": domain}
    caller.tokens = caller.post("/v1/auth/login", json=account).json
    return caller


def test_what_is_wrong_with_a_name_and_a_home_is_said(dave: Caller) -> None:
    for body, place in (
        ({"name": "manager@acme", "home": "acme.eu"}, "/home"),
        ({"name": "manager@acme", "home": "root"}, "/home"),
        ({"name": "m" * 124, "home": "acme"}, "/name"),
        ({"name": "manager@root"}, "/name"),
        ({"name": "manager@"}, "/name"),
        ({"name": "manager@acme@acme"}, "/name"),
        ({"name": "manager@Acme"}, "/name"),
        ({"name": "manager@root.acme"}, "/name"),
    ):
        answer = dave.post("/v1/roles", json=body)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, place), body
    assert dave.post("/v1/roles", json={"name": "manager@acme.no"}).json["code"] == "domain.not_found"
    made(dave)
    assert dave.post("/v1/roles", json={"name": "Manager@acme"}).json["code"] == "role.name_taken"


def test_elsewhere_no_role_is_made_or_changed(tenants: Stage, dave: Caller) -> None:
    for body in ({"name": "manager"}, {"name": "manager@globex"}, {"name": "manager@nowhere"}):
        answer = dave.post("/v1/roles", json=body)
        assert (answer.status_code, answer.json["required"]) == (403, "roles:create"), body
    for role, status in (
        ("clerk", 403),
        ("auditor", 403),
        ("clerk@globex", 404),
        ("no-role@globex", 404),
        ("no-role", 404),
    ):
        for method, path, body in changes(role):
            answer = dave.call(method, path, json=body, headers={"If-Match": '"x"'})
            assert answer.status_code == status, (method, path)
            assert answer.json.get("domain") == ("root" if status == 403 else None)
    assert tenants.as_(RITA).put("/v1/roles/boss@acme/permissions/users:read").status_code == 403


def changes(role: str) -> list[tuple[str, str, dict[str, str] | None]]:
    path = f"/v1/roles/{role}"
    edges = [
        (method, f"{path}/{edge}", None)
        for method in ("PUT", "DELETE")
        for edge in ("permissions/invoices:read", "inherits/clerk")
    ]
    return [("PATCH", path, {"title": "X"}), ("DELETE", path, None), *edges]


def test_a_role_is_changed_and_deleted_at_home(tenants: Stage, dave: Caller) -> None:
    tag = made(dave).headers["ETag"]
    path = "/v1/roles/manager@acme"
    tag = dave.patch(path, json={"title": "Manager"}, headers={"If-Match": tag}).headers["ETag"]
    assert [dave.put(f"{path}/permissions/{one}").status_code for one in (*HELD, *HELD)] == [
        201,
        201,
        200,
        200,
    ]
    assert dave.put(f"{path}/inherits/clerk").status_code == 201
    assert dave.delete(f"{path}/permissions/payments:release").status_code == 204
    assert dave.delete(f"{path}/inherits/clerk").status_code == 204
    assert dave.delete_now(path).status_code == 204
    known = [one for one in tenants.events() if one["target_id"] == "manager@acme"]
    assert {one["action"] for one in known} == {
        "role.created", "role.updated", "role.deleted", "permission.granted", "permission.withdrawn", "inheritance.created",
        "inheritance.ended",
    }  # fmt: skip
    assert {one["domain"] for one in known} == {"acme"}


def test_nothing_is_added_that_the_maker_does_not_hold_there(tenants: Stage, dave: Caller) -> None:
    """Nor does one who may not read the permissions learn which others there are."""
    made(dave)
    for name in ("users:read", "no-such:permission"):
        answers = (
            dave.post("/v1/roles", json={"name": "other@acme", "permissions": [name]}),
            dave.put(f"/v1/roles/manager@acme/permissions/{name}"),
        )
        assert [answer.json["code"] for answer in answers] == ["escalation.denied"] * 2
        assert (
            dave.delete(f"/v1/roles/manager@acme/permissions/{name}").json["code"]
            == "role.permission_not_held"
        )
    assert dave.put("/v1/roles/manager@acme/inherits/admin").json["code"] == "escalation.denied"
    assert dave.put("/v1/roles/boss@acme/permissions/invoices:read").json["code"] == "target.stronger"
    alice = tenants.as_(ALICE)
    assert (
        alice.put("/v1/roles/manager@acme/permissions/no-such:permission").json["code"]
        == "permission.not_found"
    )
    assert (
        alice.delete("/v1/roles/manager@acme/permissions/no-such:permission").json["code"]
        == "permission.not_found"
    )


def test_a_role_inherits_those_at_home_there_and_above(tenants: Stage, dave: Caller) -> None:
    for name in ("manager@acme", "manager@acme.eu"):
        made(dave, name)
    for senior, junior, status in (
        ("manager@acme", "clerk", 201),
        ("manager@acme.eu", "manager@acme", 201),
        ("manager@acme", "manager@acme.eu", 409),
        ("manager@acme", "clerk@globex", 404),
        ("manager@acme", "no-role", 404),
        ("clerk", "manager@acme", 403),
    ):
        answer = dave.put(f"/v1/roles/{senior}/inherits/{junior}")
        assert answer.status_code == status, (senior, junior, answer.text)
    alice = tenants.as_(ALICE)
    for senior, junior in (("clerk", "manager@acme"), ("manager@acme", "clerk@globex")):
        assert alice.put(f"/v1/roles/{senior}/inherits/{junior}").json["code"] == "role.elsewhere"
    assert dave.delete("/v1/roles/manager@acme/inherits/clerk@globex").json["code"] == "role.not_found"


def test_holders_who_hold_more_elsewhere_are_stronger(tenants: Stage, dave: Caller) -> None:
    """Erin may release payments at ``globex``, which Dave may at ``acme`` only."""
    made(dave)
    alice = tenants.as_(ALICE)
    for person in (FINN, ERIN):
        path = f"/v1/users/{tenants.user_id(person)}/roles/manager@acme"
        assert alice.put(path, json={"domain": "acme"}).status_code == 201
        answer = dave.put("/v1/roles/manager@acme/permissions/invoices:read")
        assert answer.status_code == (201 if person is FINN else 403), answer.text
    assert answer.json["code"] == "target.stronger"
    assert "globex" not in answer.text
    assert dave.delete("/v1/roles/manager@acme/permissions/invoices:read").json["code"] == "target.stronger"


def test_even_one_who_holds_everything_at_a_domain_is_weaker_than_a_holder_elsewhere(
    tenants: Stage, dave: Caller
) -> None:
    alice = tenants.as_(ALICE)
    alice.put(f"/v1/users/{tenants.user_id(DAVE)}/roles/admin", json={"domain": "acme"})
    made(dave)
    alice.put(f"/v1/users/{tenants.user_id(ERIN)}/roles/manager@acme", json={"domain": "acme"})
    assert dave.put("/v1/roles/manager@acme/permissions/invoices:read").json["code"] == "target.stronger"


def test_a_role_is_in_force_on_the_next_request(tenants: Stage, dave: Caller) -> None:
    made(dave)
    finn, alice = tenants.as_(FINN), tenants.as_(ALICE)
    alice.put(f"/v1/users/{tenants.user_id(FINN)}/roles/manager@acme", json={"domain": "acme"})
    asked = "/v1/me/access?permission=payments:release&domain=acme.eu"
    assert finn.get(asked).json["decision"] is False
    dave.put("/v1/roles/manager@acme/permissions/payments:release")
    assert finn.get(asked).json["decision"] is True
    assert finn.get("/v1/me/access?permission=payments:release").json["decision"] is False


def test_a_domain_is_deleted_after_its_roles(tenants: Stage, dave: Caller) -> None:
    alice = tenants.as_(ALICE)
    made(dave, "manager@acme.eu")
    assert "The home of a role is acme.eu" in alice.delete("/v1/domains/acme.eu").json["detail"]
    dave.delete_now("/v1/roles/manager@acme.eu")
    assert alice.delete("/v1/domains/acme.eu").status_code == 204


def test_a_document_has_roles_at_homes(tenants: Stage) -> None:
    """They are applied, exported and pruned as others; the checks of the single change hold."""
    alice = tenants.as_(ALICE)
    document = {
        "domains": [{"name": "initech"}],
        "roles": [{"name": "manager@initech", "inherits": ["clerk"]}],
        "assignments": [{"user": "finn", "role": "manager@initech", "domain": "initech"}],
    }
    assert apply(alice, document).status_code == 200
    assert alice.get("/v1/roles/manager@initech").json["home"] == "initech"
    created = next(
        one
        for one in tenants.events()
        if one["target_id"] == "manager@initech" and one["action"] == "role.created"
    )
    assert created["domain"] == "initech"
    assert "manager@initech" in {one["name"] for one in export(alice)["roles"]}
    for wrong, code in (
        ({"roles": [{"name": "manager@nowhere"}]}, "policy.invalid"),
        ({"roles": [{"name": "clerk", "inherits": ["manager@initech"]}]}, "role.elsewhere"),
        ({"assignments": [{"user": "finn", "role": "manager@initech", "domain": "acme"}]}, "role.elsewhere"),
        ({"assignments": [{"user": "finn", "role": "manager@initech"}]}, "role.elsewhere"),
    ):
        answer = apply(alice, wrong)
        assert answer.json["code"] == code or answer.json["errors"][0]["code"] == "policy.name_unknown", (
            answer.text
        )


def test_a_document_removes_a_domain_with_its_roles(tenants: Stage) -> None:
    alice = tenants.as_(ALICE)
    whole = export(alice)
    whole = {section: whole[section] for section in ("domains", "roles")}
    for kept, status in (
        (whole["roles"], 409),
        ([one for one in whole["roles"] if not one["name"].endswith("@globex")], 200),
    ):
        document = {
            "domains": [one for one in whole["domains"] if one["name"] != "globex"],
            "roles": kept,
            "assignments": [one for one in export(alice)["assignments"] if one.get("domain") != "globex"],
        }
        answer = apply(alice, document, prune=True)
        assert answer.status_code == (422 if status == 409 else 200), answer.text


@pytest.mark.parametrize("missing", ["home", "inheritance", "strength"])
def test_a_guard_that_is_missing_is_caught(
    tenants: Stage, dave: Caller, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """Vulnerable twins: without the question at the home, the rule of inheritance, or the comparison at each domain."""
    made(dave)
    alice = tenants.as_(ALICE)
    alice.put(f"/v1/users/{tenants.user_id(ERIN)}/roles/manager@acme", json={"domain": "acme"})
    if missing == "home":
        monkeypatch.setattr(service, "at_home", lambda clearance, _name, home: unasked(clearance, home))
        assert (
            dave.patch(
                "/v1/roles/clerk@globex", json={"title": "X"}, headers={"If-Match": tag(alice)}
            ).status_code
            == 403
        )
        monkeypatch.setattr(Clearance, "require_outranks", lambda *_: None)
        assert (
            dave.patch(
                "/v1/roles/clerk@globex", json={"title": "X"}, headers={"If-Match": tag(alice)}
            ).status_code
            == 200
        )
    if missing == "inheritance":
        monkeypatch.setattr(service, "require_inheritable", lambda *_: None)
        assert alice.put("/v1/roles/clerk/inherits/manager@acme").status_code == 201
    if missing == "strength":
        monkeypatch.setattr(Clearance, "require_outranks_at", lambda *_: None)
        assert dave.put("/v1/roles/manager@acme/permissions/invoices:read").status_code == 201


def tag(alice: Caller) -> str:
    return str(alice.get("/v1/roles/clerk@globex").headers["ETag"])


def unasked(clearance: Clearance, home: str) -> Clearance:
    clearance.work.undecided = False
    return Authority._replace(clearance, domain=home)
