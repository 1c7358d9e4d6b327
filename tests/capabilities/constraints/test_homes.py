"""Constraints have a home, as roles have: a tenant's administrator makes and deletes those about the tenant's own roles."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.constraints import queries, service
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.tables import constraints
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Caller, Stage, cheap_hash
from tests.capabilities.constraints.rules import CONSTRAINTS
from tests.capabilities.policy.stories import apply, export
from tests.cast import ALICE, CAROL, DAVE

VERBS = ("constraints:read", "constraints:create", "constraints:delete")
OWN, FOREIGN = "two@acme", "two@globex"


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """Dave decides about constraints at ``acme``; ``ann`` is at home there, ``gus`` at ``globex``.  Each domain has two roles, and
    ``globex`` a constraint about them."""
    stage.kept("homes of constraints", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in ("acme", "acme.eu", "globex"):
            create_domain(clearance, {"name": domain})
            for name in ("payer", "approver"):
                create_role(clearance, {"name": f"{name}@{domain}"})
        create_role(clearance, {"name": "clerk"})
        create_role(clearance, {"name": "rule-maker"})
        for permission in (*VERBS, "users:read", "roles:read", "roles:delete"):
            grant_permission(clearance, "rule-maker", permission)
        service.create_constraint(clearance, body(FOREIGN))
        hashed = cheap_hash(stage.settings)
        ids = {
            name: add_user(
                clearance, NewUser(username=name, home=home, password_hash=hashed, password_final=True)
            ).id
            for name, home in (("ann", "acme"), ("gus", "globex"))
        }
        assign_role(clearance, stage.user_id(DAVE), "rule-maker", Terms(domain="acme"))
        for user_id in ids.values():
            assign_role(clearance, user_id, "payer@acme", Terms(domain="acme"))


def body(name: str, /, **more: Any) -> Any:
    home = name.partition("@")[2]
    roles = [f"{role}@{home}" for role in ("payer", "approver")]
    return {"name": name, "kind": "static", "roles": roles, "limit": 2, **more}


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def give(tenants: Stage, name: str, role: str, domain: str) -> Any:
    return tenants.as_(ALICE).put(f"/v1/users/{tenants.user_id(name)}/roles/{role}", json={"domain": domain})


def test_one_is_made_read_and_deleted_at_home(tenants: Stage, dave: Caller) -> None:
    for name, home in ((OWN, "acme"), ("two@acme.eu", "acme.eu")):
        answer = dave.post(CONSTRAINTS, json=body(name))
        assert (answer.status_code, answer.json["name"], answer.json["home"]) == (201, name, home)
        assert dave.get(f"{CONSTRAINTS}/{name}").json == answer.json
        assert dave.get(f"{CONSTRAINTS}/{name}/violations").json["items"] == []
    answer = dave.post(CONSTRAINTS, json=body("more@acme", name="more", home="acme"))
    assert (answer.status_code, answer.json["name"]) == (201, "more@acme")
    listed = dave.get(f"{CONSTRAINTS}?count=true").json
    assert ([one["name"] for one in listed["items"]], listed["total"]) == (
        ["more@acme", OWN, "two@acme.eu"],
        3,
    )
    assert dave.delete(f"{CONSTRAINTS}/{OWN}").status_code == 204
    known = [one for one in tenants.events() if one["target_id"] == OWN]
    assert [(one["action"], one["domain"]) for one in known] == [
        ("constraint.created", "acme"),
        ("constraint.deleted", "acme"),
    ]


def test_one_of_another_home_is_as_unknown(tenants: Stage, dave: Caller) -> None:
    for path in ("", "/violations", "?at=2030-01-01T00:00:00Z"):
        answers = [dave.get(f"{CONSTRAINTS}/{name}{path}") for name in (FOREIGN, "no@globex")]
        assert [answer.status_code for answer in answers] in ([404, 404], [422, 422])
    answers = [dave.delete(f"{CONSTRAINTS}/{name}") for name in (FOREIGN, "no@globex")]
    assert [answer.json["code"] for answer in answers] == ["constraint.not_found"] * 2
    assert [one["name"] for one in tenants.as_(CAROL).get(CONSTRAINTS).json["items"]] == [FOREIGN]


def test_it_is_about_roles_at_home_there_and_below(tenants: Stage, dave: Caller) -> None:
    for roles, status in (
        (["payer@acme", "approver@acme.eu"], 201),
        (["payer@acme", "payer@globex"], 409),
        (["payer@acme", "nothing@globex"], 409),
        (["payer@acme", "clerk"], 409),
        (["payer@acme", "nothing@acme"], 404),
    ):
        answer = dave.post(CONSTRAINTS, json=body("mixed@acme", roles=roles))
        assert answer.status_code == status, answer.text
        assert answer.json.get("code") in (None, "role.elsewhere", "role.not_found")
    for wrong in (body("x@globex"), body("x@nowhere"), body("x@acme", name="x", home="root")):
        assert dave.post(CONSTRAINTS, json=wrong).status_code == 403
    assert (
        dave.post(CONSTRAINTS, json=body("x@acme.no", roles=["payer@acme", "approver@acme"])).status_code
        == 404
    )


def test_users_are_named_to_those_who_may_read_them(tenants: Stage, dave: Caller) -> None:
    """Ann would violate it, and so would Gus, whom Dave may not read."""
    for name in ("ann", "gus"):
        assert give(tenants, name, "approver@acme", "acme").status_code == 201
    answer = dave.post(CONSTRAINTS, json=body(OWN))
    assert (answer.status_code, answer.json["count"]) == (409, 2)
    assert {one["user"] and one["user"]["username"] for one in answer.json["violations"]} == {"ann", None}
    assert "gus" not in answer.text
    everyone = tenants.as_(ALICE).post(CONSTRAINTS, json=body(OWN)).json["violations"]
    assert {one["user"]["username"] for one in everyone} == {"ann", "gus"}


def test_it_is_kept_at_home(tenants: Stage, dave: Caller) -> None:
    dave.post(CONSTRAINTS, json=body(OWN))
    assert give(tenants, "ann", "approver@acme", "acme.eu").json["constraint"] == OWN
    assert give(tenants, "ann", "approver@globex", "globex").status_code == 201


def test_a_role_of_a_constraint_that_may_not_be_read_is_in_use(tenants: Stage, dave: Caller) -> None:
    alice = tenants.as_(ALICE)
    rule = {"name": "of-root", "kind": "static", "roles": ["approver@acme", "clerk"], "limit": 2}
    assert alice.post(CONSTRAINTS, json=rule).status_code == 201
    answers = [caller.delete_now("/v1/roles/approver@acme").json["detail"] for caller in (dave, alice)]
    assert ["part of a constraint" in answers[0], "of-root" in answers[0]] == [True, False]
    assert "the constraint of-root" in answers[1]


def test_a_domain_is_deleted_after_its_constraints(tenants: Stage, dave: Caller) -> None:
    alice = tenants.as_(ALICE)
    dave.post(CONSTRAINTS, json={**body("one@acme.eu"), "roles": ["payer@acme.eu"], "kind": "max-holders"})
    for role in ("approver@acme.eu",):
        assert dave.delete_now(f"/v1/roles/{role}").status_code == 204
    assert "The home of a role is acme.eu" in alice.delete("/v1/domains/acme.eu").json["detail"]
    dave.delete(f"{CONSTRAINTS}/one@acme.eu")
    assert dave.delete_now("/v1/roles/payer@acme.eu").status_code == 204
    assert alice.delete("/v1/domains/acme.eu").status_code == 204


def test_documents_have_them(tenants: Stage) -> None:
    alice = tenants.as_(ALICE)
    assert apply(alice, {"constraints": [body(OWN)]}).status_code == 200
    assert OWN in {one["name"] for one in export(alice)["constraints"]}
    refused = apply(alice, {"constraints": [body("x@acme", roles=["clerk", "payer@acme"])]})
    assert refused.json["code"] == "role.elsewhere"
    unknown = apply(alice, {"constraints": [body("x@nowhere", roles=["clerk", "rule-maker"])]})
    assert unknown.json["errors"][0]["pointer"] == "/constraints/0/name"
    assert alice.delete_now(f"/v1/users/{tenants.user_id('gus')}").status_code == 204
    whole = {
        section: some
        for section, some in export(alice).items()
        if section in ("domains", "roles", "constraints", "assignments")
    }
    kept = {
        section: [
            one for one in some if not {"globex", "@globex"} & {one.get("name"), str(one.get("name"))[-7:]}
        ]
        for section, some in whole.items()
    }
    with_rule = apply(alice, {**kept, "constraints": whole["constraints"]}, prune=True)
    assert with_rule.status_code == 422
    assert apply(alice, kept, prune=True).status_code == 200


@pytest.mark.parametrize("twin", ["home", "list", "roles"])
def test_a_guard_that_is_missing_is_caught(dave: Caller, monkeypatch: pytest.MonkeyPatch, twin: str) -> None:
    if twin == "home":
        monkeypatch.setattr(Authority, "over", unasked)
        assert dave.delete(f"{CONSTRAINTS}/{FOREIGN}").status_code == 204
    if twin == "list":
        monkeypatch.setattr(queries, "at_home", lambda *_: constraints.c.id.is_not(None))
        assert FOREIGN in {one["name"] for one in dave.get(CONSTRAINTS).json["items"]}
    if twin == "roles":
        monkeypatch.setattr(service, "require_at_home", lambda *_: None)
        assert (
            dave.post(CONSTRAINTS, json=body("x@acme", roles=["payer@globex", "approver@globex"])).status_code
            == 201
        )


def unasked(clearance: Clearance, home: str, *_: object) -> Clearance:
    clearance.work.undecided = False
    return Authority._replace(clearance, domain=home)
