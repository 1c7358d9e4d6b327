"""A session at a domain acts there and below, with what counts there, and holds nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from flask import Flask, jsonify

from rbac_api import protect, requires, requires_role
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision import domains
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import activate, at, drop, give, make_role, told
from tests.capabilities.oauth.robot import ask_token, claims, error, make_robot
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, DAVE, PASSWORD

INSIDE, OUTSIDE = ("acme", "acme.eu", "acme.eu.shop"), ("root", "acme2", "globex", "globex.acme")
READ, APPROVE, RELEASE = "invoices:read", "invoices:approve", "payments:release"


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Dave is a reader at ``root``, a clerk at ``acme``, and a payer at ``acme.eu`` and at ``globex``."""
    stage.kept("sessions at domains", lambda: settle(stage))
    return stage.as_(ALICE)


def settle(stage: Stage) -> None:
    found = stage.as_(ALICE)
    for name, permission in (("reader", READ), ("clerk", APPROVE), ("payer", RELEASE)):
        make_role(found, name, permission)
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in (*INSIDE, *OUTSIDE[1:]):
            create_domain(clearance, {"name": domain})
        for role, domain in (
            ("reader", "root"),
            ("clerk", "acme"),
            ("payer", "acme.eu"),
            ("payer", "globex"),
        ):
            assign_role(clearance, stage.user_id(DAVE), role, Terms(domain=domain))


def sign_in(stage: Stage, domain: str | None, person: Any = DAVE, **more: Any) -> Any:
    body = {"username": person.username, "password": PASSWORD, **more}
    return stage.caller().post("/v1/auth/login", json=body if domain is None else {**body, "domain": domain})


def acting(stage: Stage, domain: str | None, person: Any = DAVE, **more: Any) -> Caller:
    answer = sign_in(stage, domain, person, **more)
    assert answer.status_code == 200, answer.json
    found = stage.caller()
    found.tokens = answer.json
    return found


def held(caller: Caller, domain: str) -> set[str]:
    return {one["permission"] for one in caller.every("/v1/me/permissions", f"&domain={domain}")}


def test_it_has_what_counts_there_and_below_and_nothing_elsewhere(stage: Stage, alice: Caller) -> None:
    dave = acting(stage, "acme")
    assert {domain: held(dave, domain) for domain in (*INSIDE, *OUTSIDE)} == {
        "acme": {READ, APPROVE}, "acme.eu": {READ, APPROVE, RELEASE}, "acme.eu.shop": {READ, APPROVE, RELEASE},
        **{domain: set() for domain in OUTSIDE},
    }  # fmt: skip
    me = dave.get("/v1/me").json
    assert (me["roles"], me["permissions"], me["session"]["domain"]) == (
        ["clerk", "reader"], [APPROVE, READ], "acme",
    )  # fmt: skip
    assert {one["permission"] for one in dave.every("/v1/me/permissions")} == {READ, APPROVE}
    allowed = dave.get(f"/v1/me/access?permission={READ}").json
    assert (allowed["decision"], allowed["paths"][0][0]["domain"]) == (True, "root")
    assert [one["name"] for one in dave.every("/v1/me/domains", f"&permission={READ}")] == [*INSIDE]
    assert "Authz-Stale" not in dave.get("/v1/me").headers


def test_the_past_too_is_that_of_the_sessions_domain(stage: Stage, alice: Caller) -> None:
    dave, now = acting(stage, "globex"), stage.as_(DAVE).get("/v1/me").json["session"]["created_at"]
    assert {one["permission"] for one in dave.every("/v1/me/permissions", f"&at={now}")} == {READ, RELEASE}


@pytest.mark.parametrize(
    ("domain", "roles", "flags"),
    [
        (None, ["reader"], {"domains_held": True}),
        ("root", ["reader"], {"domains_held": True}),
        ("acme", ["clerk", "reader"], {"domain": "acme", "domains_held": True}),
        ("acme.eu", ["clerk", "payer", "reader"], {"domain": "acme.eu"}),
        ("acme.eu.shop", ["clerk", "payer", "reader"], {"domain": "acme.eu.shop"}),
        ("acme2", ["reader"], {"domain": "acme2"}),
    ],
)
def test_its_tokens_say_where_and_what(
    stage: Stage, alice: Caller, domain: str | None, roles: list[str], flags: dict[str, Any]
) -> None:
    tokens = sign_in(stage, domain).json
    for text in (tokens["access_token"], refresh(stage, tokens["refresh_token"]).json["access_token"]):
        said = claims(text)
        assert said["roles"] == roles
        assert {name: said[name] for name in said if name.startswith("domain")} == flags
    assert not any(name.startswith("domain") for name in claims(tokens["refresh_token"]))
    assert not any(name.startswith("domain") for name in claims(alice.tokens["access_token"]))


def test_a_token_says_if_a_dynamic_constraint_takes_roles_away_below(stage: Stage, alice: Caller) -> None:
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "payer"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    assert "domains_differ" not in claims(sign_in(stage, "globex").json["access_token"])
    said = claims(sign_in(stage, "acme").json["access_token"])
    assert (said["roles"], said["domains_differ"]) == (["clerk", "reader"], True)
    assert held(acting(stage, "acme"), "acme.eu") == {READ}
    below = claims(sign_in(stage, "acme.eu").json["access_token"])
    assert (below["roles"], "domains_differ" in below) == (["reader"], False)


@pytest.mark.parametrize("domain", ["ghost", "acme.ghost", "globex"])
def test_an_unknown_domain_and_one_without_a_role_have_the_same_answer(
    stage: Stage, alice: Caller, domain: str
) -> None:
    taken = alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/reader")
    gone = alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/payer?domain=globex")
    assert (taken.status_code, gone.status_code) == (204, 204)
    refused = sign_in(stage, domain)
    assert (refused.status_code, refused.json["code"]) == (403, "domain.not_authorized")
    assert "ghost" not in refused.json["detail"]
    assert sign_in(stage, domain, password="wrong" * 3).json["code"] == "login.failed"
    assert sign_in(stage, "acme.eu").status_code == 200


def test_a_name_that_is_none_is_refused_before_the_password(stage: Stage, alice: Caller) -> None:
    assert sign_in(stage, "Acme").status_code == 422


def test_a_route_at_root_says_why_it_refuses(stage: Stage, alice: Caller) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        assign_role(clearance, stage.user_id(DAVE), "admin", Terms())
    dave = acting(stage, "acme")
    for refused in (dave.get("/v1/permissions"), dave.post("/v1/permissions", json={"name": "a:b"})):
        assert (refused.status_code, refused.json["code"]) == (403, "access.denied")
        assert "at root: this session acts at acme and below only" in refused.json["detail"]
    explained = dave.get(f"/v1/decisions/{refused.json['decision_id']}").json
    assert (explained["decision"], explained["paths"]) == (False, [])
    assert explained["because"][0]["code"] == "nothing-grants"
    assert acting(stage, None).get("/v1/permissions").status_code == 200


def test_it_administers_those_at_home_below_and_creates_there(stage: Stage, alice: Caller) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        assign_role(clearance, stage.user_id(DAVE), "role-manager", Terms())
    dave = acting(stage, "acme")
    made = dave.post("/v1/users", json={"username": "erin"})
    assert (made.status_code, made.json["home"]) == (201, "acme")
    assert [one["username"] for one in dave.every("/v1/users")] == ["erin"]
    for home in ("root", "globex", "acme2"):
        assert dave.post("/v1/users", json={"username": "frank", "home": home}).status_code == 403
    assert dave.get(f"/v1/users/{stage.user_id(ALICE)}").status_code == 404
    assert len(acting(stage, None).every("/v1/users")) > 1


def test_decorators_of_an_application_ask_where_they_say(stage: Stage, alice: Caller) -> None:
    host = Flask("host")
    protect(host, stage.settings)

    @host.get("/<customer>/invoices")
    @requires(READ, domain="customer")
    def invoices(customer: str) -> Any:
        return jsonify(customer)

    @host.get("/<customer>/clerks")
    @requires_role("clerk", domain="customer")
    def clerks(customer: str) -> Any:
        return jsonify(customer)

    @host.get("/clerks")
    @requires_role("clerk")
    def everywhere() -> Any:
        return jsonify("root")

    headers, client = acting(stage, "acme").headers, host.test_client()
    for domain in (*INSIDE, *OUTSIDE, "ghost", "acme.ghost", "A"):
        for what in ("invoices", "clerks"):
            answer = client.get(f"/{domain}/{what}", headers=headers)
            assert answer.status_code == (200 if domain in INSIDE else 403)
    refused = client.get("/globex/clerks", headers=headers).json
    assert "the role clerk at globex: this session acts at acme and below only" in refused["detail"]
    assert " there: this session" in client.get("/A/clerks", headers=headers).json["detail"]
    assert client.get("/acme.ghost/clerks", headers=headers).json["detail"] == "You need the role clerk."
    assert client.get("/clerks", headers=headers).status_code == 403


def test_lists_files_and_the_trail_show_where_it_acts(stage: Stage, alice: Caller) -> None:
    dave = acting(stage, "acme")
    one = f"/v1/sessions/{dave.tokens['session_id']}"
    inside = alice.get(one).json
    assert (inside["domain"], inside["active_roles"], inside["permissions"]) == (
        "acme", ["clerk", "reader"], [APPROVE, READ],
    )  # fmt: skip
    shown = {each["id"]: each["domain"] for each in alice.every("/v1/sessions")}
    assert shown[dave.tokens["session_id"]] == "acme"
    assert shown[alice.tokens["session_id"]] == "root"
    assert dave.get("/v1/me/sessions").json["items"][0]["domain"] == "acme"
    assert "domain" in alice.get("/v1/sessions", headers={"Accept": "text/csv"}).text.splitlines()[0]
    assert told(stage, "signin.succeeded")[1]["domain"] == "acme"
    sign_in(stage, None)
    assert "domain" not in told(stage, "signin.succeeded")[1]


def test_chosen_roles_are_those_that_count_there(stage: Stage, alice: Caller) -> None:
    dave = acting(stage, "acme", roles=["clerk"])
    assert (held(dave, "acme"), held(dave, "acme.eu"), held(dave, "root")) == ({APPROVE}, {APPROVE}, set())
    for domain, role in ((None, "clerk"), ("acme", "payer"), ("globex", "clerk")):
        assert sign_in(stage, domain, roles=[role]).json["code"] == "roles.not_authorized"


def test_roles_are_activated_and_dropped_where_it_acts(stage: Stage, alice: Caller) -> None:
    make_role(alice, "chief")
    assert give(alice, DAVE, "chief", mode="eligible").status_code == 201
    dave = acting(stage, "acme", roles=["reader"])
    assert {one["role"] for one in dave.every("/v1/me/activations")} == {"reader", "clerk", "chief"}
    assert [activate(dave, role).status_code for role in ("chief", "clerk", "payer")] == [201, 201, 403]
    assert dave.get("/v1/me").json["roles"] == ["chief", "clerk", "reader"]
    assert (held(dave, "root"), held(dave, "globex")) == (set(), set())
    assert drop(dave, "clerk").status_code == 204
    assert dave.get("/v1/me").json["roles"] == ["chief", "reader"]
    whole = acting(stage, "acme")
    assert drop(whole, "clerk").status_code == 204
    assert whole.get("/v1/me").json["roles"] == ["reader"]


def test_what_changes_counts_at_once_and_makes_the_token_stale(
    stage: Stage, node: OpenNode, alice: Caller
) -> None:
    dave = acting(stage, "acme")
    there = at(node(), dave)
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/clerk?domain=acme"
    assert there.get("/v1/me").json["roles"] == ["clerk", "reader"]
    assert alice.delete(path).status_code == 204
    for caller in (dave, there):
        answer = caller.get("/v1/me")
        assert (answer.json["roles"], answer.headers["Authz-Stale"]) == (["reader"], "true")
    elsewhere = acting(stage, "globex")
    assert give(alice, DAVE, "clerk", domain="acme.eu").status_code == 201
    assert "Authz-Stale" not in elsewhere.get("/v1/me").headers


def test_a_lost_role_that_the_token_still_claims_opens_an_incident(stage: Stage, alice: Caller) -> None:
    make_role(alice, "lister", "permissions:read")
    assert give(alice, DAVE, "lister", domain="acme").status_code == 201
    dave = acting(stage, "acme")
    assert dave.get("/v1/permissions").status_code == 403
    assert alice.get("/v1/incidents").json["items"] == []
    alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/lister?domain=acme")
    assert dave.get("/v1/permissions").headers["Authz-Stale"] == "true"
    assert [one["type"] for one in alice.get("/v1/incidents").json["items"]] == ["stale-use"]


def test_a_session_at_a_domain_is_judged_by_constraints_where_it_acts(stage: Stage, alice: Caller) -> None:
    acting(stage, "acme.eu", roles=["clerk", "payer"])
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "payer"], "limit": 2}
    refused = alice.post("/v1/constraints", json=rule)
    assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated")


def test_a_browser_session_can_act_at_a_domain(stage: Stage, alice: Caller) -> None:
    client = stage.app.test_client()
    body = {"username": DAVE.username, "password": PASSWORD, "domain": "acme"}
    assert client.post("/v1/auth/login?mode=cookie", json=body).status_code == 200
    assert client.get("/v1/me").json["session"]["domain"] == "acme"


def test_a_service_account_takes_a_token_for_a_domain(stage: Stage, alice: Caller) -> None:
    robot = make_robot(stage)
    assert alice.put(f"{robot.path}/roles/clerk", json={"domain": "acme"}).status_code == 201
    answer = ask_token(stage, robot, domain="acme")
    said = claims(answer.json["access_token"])
    assert (said["domain"], said["roles"], told(stage, "client.signed_in")[1]["domain"]) == (
        "acme", ["clerk"], "acme",
    )  # fmt: skip
    assert claims(ask_token(stage, robot).json["access_token"])["domains_held"] is True
    for domain in ("globex", "ghost", "A", "acme2"):
        assert error(ask_token(stage, robot, domain=domain)) == (400, "invalid_target")


def test_introspection_says_what_counts_where_it_acts(stage: Stage, alice: Caller) -> None:
    robot = make_robot(stage, "admin")
    for domain, roles in (("acme", ["clerk", "reader"]), (None, ["reader"])):
        text = sign_in(stage, domain).json["access_token"]
        form = {**robot.fields, "token": text}
        said = stage.caller().post("/oauth/introspect", data=form).json
        assert (said["roles"], said.get("domain"), said["domains_held"]) == (roles, domain, True)


def test_an_answer_is_not_repeated_in_a_session_at_another_domain(stage: Stage, alice: Caller) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        assign_role(clearance, stage.user_id(DAVE), "role-manager", Terms())
    body, key = {"username": "erin"}, {"Idempotency-Key": "k1"}
    made = acting(stage, None).post("/v1/users", json=body, headers=key)
    assert (made.status_code, made.json["home"]) == (201, "root")
    assert acting(stage, None).post("/v1/users", json=body, headers=key).json["id"] == made.json["id"]
    other = acting(stage, "acme").post("/v1/users", json=body, headers=key)
    assert (other.status_code, other.json["code"]) == (422, "idempotency.mismatch")


def test_a_session_keeps_its_domain_when_refreshed_as_oauth_has_it(stage: Stage, alice: Caller) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": sign_in(stage, "acme").json["refresh_token"]}
    refused = stage.caller().post("/oauth/token", data={**form, "domain": "globex"})
    assert error(refused) == (400, "invalid_request")
    assert claims(stage.caller().post("/oauth/token", data=form).json["access_token"])["domain"] == "acme"


def test_nothing_is_allowed_at_a_domain_that_was_deleted(stage: Stage, alice: Caller) -> None:
    dave = acting(stage, "acme2")
    assert dave.get("/v1/me/permissions").json["items"][0]["permission"] == READ
    assert alice.delete("/v1/domains/acme2").status_code == 204
    assert dave.get("/v1/me/permissions").json["code"] == "domain.not_found"
    assert sign_in(stage, "acme2").json["code"] == "domain.not_authorized"
    assert "domain" in claims(refresh(stage, dave.tokens["refresh_token"]).json["access_token"])


def leaks(stage: Stage) -> bool:
    dave = acting(stage, "acme")
    return any(held(dave, domain) for domain in OUTSIDE)


TWINS: dict[str, tuple[str, Callable[..., object]]] = {
    "it acts everywhere below root": ("is_in", lambda _domain, _other: True),
    "it compares letters": ("is_in", lambda domain, other: domain.startswith(other)),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_session_would_be_found_that(stage: Stage, alice: Caller, name: str) -> None:
    assert not leaks(stage)
    attribute, twin = TWINS[name]
    stage.guard.snapshot.forget()
    with patch.object(domains, attribute, twin):
        assert leaks(stage)
