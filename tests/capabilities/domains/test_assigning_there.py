"""A role at a domain counts there and below; it hands out nothing, administers nothing and protects its holder everywhere."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, jsonify

from rbac_api import clock, protect, requires, requires_role
from rbac_api.decision.model import ROOT
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE

ELSEWHERE = ("root", "acme2", "globex", "globex.acme")


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """An administrator, and a few domains."""
    found = stage.as_(ALICE)
    for name in ("acme", "acme.eu", "acme2", "globex", "globex.acme"):
        assert found.post("/v1/domains", json={"name": name}).status_code == 201
    return found


def roles_of(stage: Stage, person: Any) -> str:
    return f"/v1/users/{stage.user_id(person)}/roles"


def give(stage: Stage, person: Any, role: str, domain: str, by: Caller, **terms: Any) -> Any:
    return by.put(f"{roles_of(stage, person)}/{role}", json={"domain": domain, **terms})


def may(alice: Caller, user: str, permission: str, domain: str | None) -> bool:
    resource, verb = permission.split(":")
    properties = {} if domain is None else {"domain": domain}
    question = {
        "subject": {"type": "user", "id": user},
        "action": {"name": verb},
        "resource": {"type": resource, "id": "1", "properties": properties},
    }
    return bool(alice.post("/access/v1/evaluation", json=question).json["decision"])


def test_every_way_to_ask_says_where_it_counts(stage: Stage, alice: Caller) -> None:
    given = give(stage, DAVE, "role-manager", "acme", alice, reason="Helps out")
    assert (given.status_code, given.json["domain"]) == (201, "acme")
    dave, path = stage.as_(DAVE), f"/v1/users/{stage.user_id(DAVE)}"
    for domain in ("acme", "acme.eu", *ELSEWHERE):
        there = domain in ("acme", "acme.eu")
        at = f"domain={domain}"
        assert may(alice, "dave", "invoices:read", domain) == there
        access = alice.get(f"{path}/access?permission=invoices:read&{at}").json
        assert access["decision"] == there
        assert [step.get("domain") for one in access["paths"] for step in one[:1]] == ["acme"] * there
        assert dave.get(f"/v1/me/access?permission=invoices:read&{at}").json["decision"] == there
        for held in (
            alice.every(f"{path}/permissions", f"&{at}"),
            dave.every("/v1/me/permissions", f"&{at}"),
        ):
            assert ("invoices:read" in {one["permission"] for one in held}) == there
        effective = alice.get(f"{path}/roles?{at}").json
        assert [one["role"] for one in effective["effective"]] == ["role-manager"] * there
        assert [one["domain"] for one in effective["direct"]] == ["acme"]
        for people in ("/v1/roles/role-manager/members", "/v1/permissions/invoices:read/holders"):
            assert ("dave" in {one["user"]["username"] for one in alice.every(people, f"&{at}")}) == there
    assert not may(alice, "dave", "invoices:read", None)
    assert dave.get("/v1/users").json["items"] == []  # none is at home at acme
    assert dave.post("/v1/roles", json={"name": "mine"}).status_code == 403


@pytest.mark.parametrize(
    "domain", ["none", "ACME", "acme.", "acme.none", "", "root.acme", "acme.eu.", "a" * 300]
)
def test_in_an_unknown_domain_nobody_may_do_anything(stage: Stage, alice: Caller, domain: str) -> None:
    give(stage, DAVE, "role-manager", "acme", alice)
    assert not may(alice, "dave", "invoices:read", domain)
    assert not may(alice, "alice", "invoices:read", domain)


def test_searches_of_authzen_know_the_domain(stage: Stage, alice: Caller) -> None:
    give(stage, DAVE, "role-manager", "acme", alice)

    def subjects(domain: str) -> set[str]:
        body = {
            "subject": {"type": "user"},
            "action": {"name": "read"},
            "resource": {"type": "invoices", "id": "1", "properties": {"domain": domain}},
        }
        return {one["id"] for one in alice.post("/access/v1/search/subject", json=body).json["results"]}

    def actions(domain: str) -> list[str]:
        body = {
            "subject": {"type": "user", "id": "dave"},
            "resource": {"type": "invoices", "id": "1", "properties": {"domain": domain}},
        }
        return [one["name"] for one in alice.post("/access/v1/search/action", json=body).json["results"]]

    dave = stage.user_id(DAVE)
    assert dave in subjects("acme.eu")
    assert dave not in subjects("root") | subjects("acme2") | subjects("none")
    assert subjects("none") == set()
    assert (actions("acme"), actions("root"), actions("none")) == (["approve", "read"], [], [])
    wrong = {"subject": {"type": "user", "id": "dave"}, "action": {"name": "read"}}
    wrong["resource"] = {"type": "invoices", "id": "1", "properties": {"domain": 7}}  # type: ignore[dict-item]
    assert alice.post("/access/v1/evaluation", json=wrong).status_code == 400


def test_the_same_role_at_two_domains_is_two_assignments(stage: Stage, alice: Caller) -> None:
    end = clock.rfc3339(clock.now() + timedelta(days=1))
    for domain in ("root", "acme"):
        assert give(stage, DAVE, "role-manager", domain, alice).status_code == 201
    assert give(stage, DAVE, "role-manager", "acme", alice, expires_at=end).status_code == 200
    direct = alice.get(roles_of(stage, DAVE)).json["direct"]
    assert [(one["domain"], one["expires_at"] is None) for one in direct] == [("acme", False), ("root", True)]
    events = [
        json.loads(event["after"]) for event in stage.events() if event["action"].startswith("assignment.")
    ][-3:]
    assert [event.get("domain") for event in events] == [None, "acme", "acme"]

    assert alice.delete(f"{roles_of(stage, DAVE)}/role-manager").status_code == 204
    assert (may(alice, "dave", "invoices:read", "acme"), may(alice, "dave", "invoices:read", None)) == (
        True,
        False,
    )
    assert alice.delete(f"{roles_of(stage, DAVE)}/role-manager").json["code"] == "assignment.not_found"
    assert alice.delete(f"{roles_of(stage, DAVE)}/role-manager?domain=acme").status_code == 204
    assert not may(alice, "dave", "invoices:read", "acme")
    assert json.loads(stage.events("assignment.ended")[-1]["before"]) == {
        "role": "role-manager",
        "domain": "acme",
    }


def test_pictures_say_where(stage: Stage, alice: Caller) -> None:
    give(stage, DAVE, "role-manager", "acme", alice)
    drawn = {"Accept": "image/svg+xml"}
    graph = alice.get("/v1/role-graph?user=dave", headers=drawn).text
    access = f"/v1/users/{stage.user_id(DAVE)}/access?permission=invoices:read&domain=acme"
    assert "dave has role-manager at acme" in graph
    assert "dave has role-manager at acme" in alice.get(access, headers=drawn).text
    give(stage, DAVE, "role-manager", "root", alice)
    assert "dave has role-manager at acme" not in alice.get("/v1/role-graph?user=dave", headers=drawn).text


def test_lists_of_assignments_show_and_filter_by_domain(stage: Stage, alice: Caller) -> None:
    give(stage, DAVE, "auditor", "acme", alice)
    give(stage, DAVE, "auditor", "acme.eu", alice)
    listed = alice.every("/v1/assignments", "&domain=acme")
    assert [(one["user"]["username"], one["domain"]) for one in listed] == [("dave", "acme")]
    assert {one["domain"] for one in alice.every("/v1/assignments", "&domain=root")} == {"root"}
    assert {one["domain"] for one in alice.every("/v1/assignments")} == {"root", "acme", "acme.eu"}
    sheet = alice.get("/v1/assignments?domain=acme", headers={"Accept": "text/csv"}).text
    assert ",auditor,acme,active," in sheet


def test_an_assignment_at_a_domain_helps_its_holder_to_hand_out_nothing_elsewhere(
    stage: Stage, alice: Caller
) -> None:
    give(stage, DAVE, "admin", "acme", alice)
    give(stage, BOB, "admin", "acme", alice)
    dave, bob = stage.as_(DAVE), stage.as_(BOB)
    assert dave.get("/v1/users").json["items"] == []
    assert dave.get("/v1/keys").status_code == 403
    assert give(stage, CAROL, "auditor", "acme", dave).status_code == 404  # she is at home at root
    # bob may assign, at root, and holds it at acme alone; carol holds more at root
    assert give(stage, CAROL, "admin", "acme", bob).json["code"] == "target.stronger"
    for domain in ("root", "globex"):
        refused = give(stage, BOB, "admin", domain, bob)
        assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert give(stage, BOB, "admin", "acme.eu", bob).status_code == 201  # what he has there anyway
    assert (
        bob.post("/v1/roles", json={"name": "mine", "permissions": ["payments:release"]}).json["code"]
        == "escalation.denied"
    )


def test_whoever_holds_more_at_any_domain_is_stronger_everywhere(stage: Stage, alice: Caller) -> None:
    user, bob = f"/v1/users/{stage.user_id(DAVE)}", stage.as_(BOB)
    tag = bob.get(user).headers["ETag"]
    assert bob.post(f"{user}/password-reset").status_code in (200, 201)
    give(stage, DAVE, "admin", "acme.eu", alice)
    tag = bob.get(user).headers["ETag"]
    for answer in (
        bob.post(f"{user}/password-reset"),
        bob.patch(user, json={"display_name": "X"}, headers={"If-Match": tag}),
        bob.delete(user, headers={"If-Match": tag}),
        bob.delete(f"{user}/roles/admin?domain=acme.eu"),
        give(stage, DAVE, "role-manager", "root", bob),
        give(stage, DAVE, "role-manager", "globex", bob),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "target.stronger"), answer.json


def test_the_last_administrator_is_one_at_root(stage: Stage, alice: Caller) -> None:
    give(stage, ALICE, "admin", "acme", alice)
    give(stage, DAVE, "admin", "acme", alice)
    assert alice.delete(f"{roles_of(stage, ALICE)}/admin").json["code"] == "admin.last"
    assert alice.delete(f"{roles_of(stage, ALICE)}/admin?domain=acme").status_code == 204


def test_a_role_that_has_to_be_activated_is_refused_at_a_domain(stage: Stage, alice: Caller) -> None:
    refused = give(stage, DAVE, "auditor", "acme", alice, mode="eligible")
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "mode.not_eligible")
    assert give(stage, DAVE, "auditor", "acme", alice).status_code == 201
    assert give(stage, DAVE, "auditor", "acme", alice, mode="eligible").status_code == 422
    assert stage.as_(DAVE).get("/v1/me/activations").json["items"] == []


def test_a_constraint_is_judged_where_the_roles_come_together(stage: Stage, alice: Caller) -> None:
    rule = {"name": "apart", "kind": "static", "roles": ["auditor", "role-manager"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    assert give(stage, DAVE, "auditor", "acme", alice).status_code == 201
    assert give(stage, DAVE, "role-manager", "acme2", alice).status_code == 201
    for domain in ("acme", "acme.eu", "root"):
        available = alice.every(f"/v1/users/{stage.user_id(DAVE)}/available-roles", f"&domain={domain}")
        assert next(one["may"] for one in available if one["role"] == "role-manager") is False
        refused = give(stage, DAVE, "role-manager", domain, alice)
        assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated"), domain
        places = [one["domain"] for one in refused.json["violations"]]
        assert places == [max(domain, "acme") if domain != "root" else "acme"]


def test_limits_on_holders_count_each_domain(stage: Stage, alice: Caller) -> None:
    rule = {"name": "one", "kind": "max-holders", "roles": ["auditor"], "limit": 2}  # carol is one, at root
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    assert give(stage, DAVE, "auditor", "acme", alice).status_code == 201
    assert give(stage, BOB, "auditor", "globex", alice).status_code == 201
    assert give(stage, BOB, "auditor", "acme.eu", alice).json["code"] == "constraint.violated"
    assert give(stage, BOB, "auditor", "root", alice).json["code"] == "constraint.violated"


def test_deleting_a_role_ends_it_at_every_domain(stage: Stage, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["invoices:read"]})
    for domain in ("root", "acme", "acme.eu"):
        give(stage, DAVE, "reader", domain, alice)
    tag = alice.get("/v1/roles/reader").headers["ETag"]
    assert alice.delete("/v1/roles/reader", headers={"If-Match": tag}).json["code"] == "role.in_use"
    assert alice.delete("/v1/roles/reader?force=true", headers={"If-Match": tag}).status_code == 204
    assert alice.get(roles_of(stage, DAVE)).json["direct"] == []
    ended = [json.loads(event["before"]).get("domain") for event in stage.events("assignment.ended")]
    assert sorted(map(str, ended)) == ["None", "acme", "acme.eu"]


def test_the_past_of_a_domain_can_be_asked_about(stage: Stage, alice: Caller) -> None:
    path = f"/v1/users/{stage.user_id(DAVE)}"
    before = clock.rfc3339(clock.now())
    give(stage, DAVE, "role-manager", "acme", alice)
    then = clock.rfc3339(clock.now())
    alice.delete(f"{path}/roles/role-manager?domain=acme")
    alice.delete("/v1/domains/acme.eu")
    for domain, allowed in (("acme", True), ("acme.eu", True), ("root", False), ("globex", False)):
        answer = alice.get(f"{path}/access?permission=invoices:read&domain={domain}&at={then}")
        assert answer.json["decision"] is allowed, domain
    assert alice.get(f"{path}/access?permission=invoices:read&domain=none&at={then}").status_code == 404
    for domain, gained in (("acme", True), ("root", False)):
        found = alice.get(f"/v1/access/diff?user=dave&from={before}&to={then}&domain={domain}").json["gained"]
        assert ("invoices:read" in {one["permission"] for one in found}) == gained
        assert all(one["seq"] for one in found)


def host(stage: Stage) -> tuple[Flask, Any]:
    app = Flask("host")
    guard = protect(app, stage.settings)

    @app.get("/customers/<customer>/invoices")
    @requires("invoices:read", domain="customer")
    def invoices(customer: str) -> Any:
        return jsonify(customer)

    @app.get("/shops/<customer>/<shop>")
    @requires_role("role-manager", domain=lambda customer, shop: f"{customer}.{shop}")
    def shops(customer: str, shop: str) -> Any:
        return jsonify(customer, shop)

    @app.post("/customers/<customer>/invoices")
    @requires("invoices:approve", domain="customer")
    def approve(customer: str) -> Any:
        return jsonify(customer)

    @app.get("/numbers/<int:number>")
    @requires("invoices:read", domain=lambda number: number)  # type: ignore[arg-type,return-value]
    def numbers(number: int) -> Any:
        return jsonify(number)

    return app, guard


def test_a_decorator_decides_at_the_domain_that_the_request_names(stage: Stage, alice: Caller) -> None:
    give(stage, DAVE, "role-manager", "acme", alice)
    dave, bob, (app, guard) = stage.as_(DAVE), stage.as_(BOB), host(stage)

    def ask(caller: Caller, path: str, method: str = "GET") -> Any:
        return app.test_client().open(path, method=method, headers=caller.headers)

    assert ask(dave, "/customers/acme/invoices").json == "acme"
    assert ask(dave, "/customers/acme.eu/invoices", "POST").json == "acme.eu"
    assert ask(dave, "/shops/acme/eu").status_code == 200
    names = ("acme2", "globex", ROOT, "ACME", "acme.none", "acme%00", "acme.")
    for path in (*(f"/customers/{name}/invoices" for name in names), "/shops/globex/acme", "/numbers/7"):
        refused = ask(dave, path)
        assert (refused.status_code, refused.json["code"]) == (403, "access.denied"), path
    assert ask(bob, "/customers/globex/invoices").status_code == 200
    assert ask(bob, "/customers/none/invoices").status_code == 403
    assert ask(dave, "/customers/acme2/invoices", "POST").status_code == 403

    number = ask(dave, "/customers/acme2/invoices").json["decision_id"]
    explained = dave.get(f"/v1/decisions/{number}").json
    assert (explained["domain"], explained["because"][0]["code"]) == ("acme2", "nothing-grants")
    alice.delete(f"{roles_of(stage, DAVE)}/role-manager?domain=acme")
    assert ask(dave, "/customers/acme/invoices").status_code == 403
    number = ask(dave, "/customers/acme/invoices").json["decision_id"]
    assert "role-manager" in alice.get(f"/v1/decisions/{number}").json["nearest"]
    alice.delete("/v1/domains/acme.eu")
    alice.delete("/v1/domains/acme")
    assert ask(bob, "/customers/acme/invoices").status_code == 403
    assert alice.get(f"/v1/decisions/{number}").json["nearest"] == []
    guard.close()


def test_a_decorator_that_could_never_allow_anybody_is_refused_at_once() -> None:
    def view(customer: str) -> None:
        """A view."""

    with pytest.raises(ValueError, match="has no argument 'tenant'"):
        requires("invoices:read", domain="tenant")(view)
    with pytest.raises(ValueError, match="name the permission too"):
        requires(domain="customer")
    requires("invoices:read", domain="customer")(view)
    requires("invoices:read", domain="any")(lambda **_arguments: None)
