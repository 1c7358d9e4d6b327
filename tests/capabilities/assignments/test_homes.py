"""Roles are assigned by who may, at the home of the account and at the domain, and lists have what counts there."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.service_accounts.service import create_service_account
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database import filters, homes
from rbac_api.decision.model import ROOT
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, DAVE

UNKNOWN = "00000000-0000-7000-8000-000000000000"
DOMAINS = ("acme", "acme-eu", "acme.eu", "globex")
TENANT = (
    "users:read", "roles:read", "assignments:create", "assignments:revoke", "service-accounts:read", "service-accounts:create",
    "service-accounts:update", "service-accounts:delete", "invoices:read",
)  # fmt: skip


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """An account of each kind at each domain, and Dave, who administers ``acme``."""
    stage.kept("tenants", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in DOMAINS:
            create_domain(clearance, {"name": domain})
        for name, held in (
            ("tenant", TENANT),
            ("clerk", ("invoices:read",)),
            ("chief", ("invoices:approve",)),
        ):
            create_role(clearance, {"name": name, "description": ""})
            for permission in held:
                grant_permission(clearance, name, permission)
        for home in (ROOT, *DOMAINS):
            add_user(clearance, NewUser(username=f"at-{home}", home=home))
            create_service_account(clearance, f"robot-{home.replace('.', '-in-')}", None, home)
        assign_role(clearance, stage.user_id(DAVE), "tenant", Terms(domain="acme"))


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def address(stage: Stage, name: str) -> str:
    return f"/v1/users/{stage.user_id(name)}"


def robot(stage: Stage, home: str) -> str:
    name = f"robot-{home.replace('.', '-in-')}"
    return f"/v1/service-accounts/{stage.as_(ALICE).get(f'/v1/service-accounts/{name}').json['id']}"


def give(caller: Caller, account: str, role: str, domain: str, **terms: Any) -> Any:
    return caller.put(f"{account}/roles/{role}", json={"domain": domain, **terms})


def plain(answer: Any) -> tuple[int, dict[str, Any]]:
    """The answer without what differs from request to request."""
    return answer.status_code, {k: v for k, v in answer.json.items() if k not in ("instance", "request_id")}


def test_a_role_is_given_and_taken_where_the_caller_may_both_at_home_and_there(
    tenants: Stage, dave: Caller
) -> None:
    for account in (address(tenants, "at-acme.eu"), robot(tenants, "acme.eu")):
        for domain in ("acme", "acme.eu"):
            assert give(dave, account, "clerk", domain).status_code == 201
            assert dave.delete(f"{account}/roles/clerk?domain={domain}").status_code == 204
        for domain in (ROOT, "globex", "acme-eu", "ghost"):
            answers = (
                give(dave, account, "clerk", domain),
                dave.delete(f"{account}/roles/clerk?domain={domain}"),
            )
            for answer, verb in zip(answers, ("create", "revoke"), strict=True):
                assert (answer.status_code, answer.json["code"]) == (403, "access.denied")
                assert (answer.json["required"], answer.json["domain"]) == (f"assignments:{verb}", domain)
        assert give(dave, account, "clerk", "acme.ghost").json["code"] == "domain.not_found"
        refused = give(dave, account, "chief", "acme")
        assert (refused.json["code"], refused.json["missing"]) == ("escalation.denied", ["invoices:approve"])


def test_accounts_elsewhere_are_as_unknown(tenants: Stage, dave: Caller) -> None:
    for kind, known in (("users", address), ("service-accounts", robot)):
        none = f"/v1/{kind}/{UNKNOWN}"
        for home in (ROOT, "globex", "acme-eu"):
            account = known(tenants, home if kind == "service-accounts" else f"at-{home}")
            for role in ("clerk", "no-such-role"):
                assert plain(give(dave, account, role, "acme")) == plain(give(dave, none, role, "acme"))
            for path in (
                "roles",
                "permissions",
                "access?permission=users:read",
                "roles?at=2026-12-01T00:00:00Z",
            ):
                assert plain(dave.get(f"{account}/{path}")) == plain(dave.get(f"{none}/{path}"))
                assert dave.get(f"{account}/{path}").status_code == 404
            assert plain(dave.delete(f"{account}/roles/clerk?domain=acme")) == plain(
                dave.delete(f"{none}/roles/clerk?domain=acme")
            )
    none = dave.get(f"/v1/users/{UNKNOWN}/available-roles")
    assert plain(dave.get(f"{address(tenants, 'at-globex')}/available-roles")) == plain(none)


def test_a_role_at_home_elsewhere_is_as_unknown_and_one_above_is_not(tenants: Stage, dave: Caller) -> None:
    for name, home in (("manager@acme", "acme"), ("manager@globex", "globex")):
        tenants.as_(ALICE).post(
            "/v1/roles", json={"name": name.replace("@", "-"), "permissions": ["invoices:read"]}
        )
        tenants.execute(
            f"UPDATE roles SET name = '{name}', home = '{home}' WHERE name = '{name.replace('@', '-')}'"
        )
    mine, alice = address(tenants, "at-acme"), tenants.as_(ALICE)
    for verb in (dave.put, dave.delete):
        foreign, unknown = (
            verb(f"{mine}/roles/{name}@globex" + where(verb, dave)) for name in ("manager", "none")
        )
        assert plain(foreign) == plain(unknown)
    assert give(dave, mine, "manager@globex", "acme").json["code"] == "role.not_found"
    assert give(dave, mine, "manager@acme", "acme.eu").status_code == 201
    listed = {one["role"]: one for one in dave.every(f"{mine}/available-roles", "&domain=acme")}
    assert "manager@globex" not in listed
    assert listed["manager@acme"]["may"]
    elsewhere = give(alice, mine, "manager@acme", "globex")
    assert (elsewhere.status_code, elsewhere.json["code"]) == (409, "role.elsewhere")
    offered = {one["role"]: one for one in alice.every(f"{mine}/available-roles", "&domain=globex")}
    assert [one["code"] for one in offered["manager@acme"]["because"]] == ["role.elsewhere"]
    access = f"{mine}/access?permission=invoices:read&domain=globex"
    assert not {"manager@acme"} & set(alice.get(access).json["nearest"])


def where(verb: Any, caller: Caller) -> str:
    return "?domain=acme" if verb == caller.delete else ""


def test_what_is_offered_succeeds_and_nothing_else(tenants: Stage, dave: Caller) -> None:
    for domain in ("acme", "acme.eu", ROOT):
        for name in ("at-acme", "at-acme.eu"):
            user = address(tenants, name)
            for offered in dave.every(f"{user}/available-roles", f"&domain={domain}"):
                given = give(dave, user, offered["role"], domain)
                assert (given.status_code == 201) == offered["may"], (offered, given.json)
                if offered["may"]:
                    assert dave.delete(f"{user}/roles/{offered['role']}?domain={domain}").status_code == 204
                else:
                    assert given.json["code"] == offered["because"][0]["code"]
    assert (
        dave.get(f"{address(tenants, 'at-acme')}/available-roles?domain=globex").json["code"]
        == "domain.not_found"
    )


def test_a_repeated_assignment_does_not_name_who_made_it_to_who_may_not_read_the_maker(
    tenants: Stage, dave: Caller
) -> None:
    """Found by a generated history: an answer of 200 has what was there before."""
    alice, user = tenants.as_(ALICE), address(tenants, "at-acme.eu")
    assert give(alice, user, "clerk", "acme.eu").json["assigned_by"]["username"] == "alice"
    for caller, maker in ((dave, None), (alice, "alice")):
        again = give(caller, user, "clerk", "acme.eu")
        assert again.status_code == 200, again.text
        assert (again.json["assigned_by"] or {}).get("username") == maker


def test_reviews_say_what_counts_there_by_whom_one_may_read(tenants: Stage, dave: Caller) -> None:
    alice, user = tenants.as_(ALICE), address(tenants, "at-acme.eu")
    for domain in (ROOT, "acme", "acme.eu", "acme-eu", "globex"):
        assert give(alice, user, "clerk", domain).status_code == 201
    mine = [ROOT, "acme", "acme.eu"]
    direct = dave.get(f"{user}/roles").json["direct"]
    assert [one["domain"] for one in direct] == ["acme", "acme.eu", ROOT]
    assert {one["assigned_by"] for one in direct} == {None}  # Alice is at home at root
    assert "alice" not in dave.get(f"{user}/roles", headers={"Accept": "text/csv"}).text
    for path in ("roles", "permissions", "access?permission=invoices:read"):
        for domain in (*mine, "acme-eu", "globex", "ghost", "acme.ghost"):
            answer = dave.get(f"{user}/{path}{'&' if '?' in path else '?'}domain={domain}")
            assert (answer.status_code == 200) == (domain in mine), (path, domain)
            assert answer.status_code == 200 or answer.json["code"] == "domain.not_found"
            assert "alice" not in answer.text
    access = alice.get(f"{user}/access?permission=invoices:read").json
    assert access["paths"][0][0]["who"]["username"] == "alice"
    missing = dave.get(f"{user}/access?permission=users:read&domain=acme").json
    assert missing["nearest"] == []  # he holds users:read, but not what the user has at globex
    assert alice.delete(f"{user}/roles/clerk?domain=globex").status_code == 204
    assert alice.delete(f"{user}/roles/clerk?domain=acme-eu").status_code == 204
    assert alice.delete(f"{user}/roles/clerk?domain=root").status_code == 204
    missing = dave.get(f"{user}/access?permission=users:read&domain=acme").json
    assert missing["nearest"] == ["tenant"]
    assert dave.get(f"{user}/access?permission=users:read&domain=root").json["nearest"] == []


@pytest.mark.parametrize("bound", [None, "FEW", "MANY"])
def test_a_list_has_the_assignments_of_ones_own_that_count_there(
    tenants: Stage, dave: Caller, bound: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = tenants.as_(ALICE)
    for name in ("at-acme.eu", "at-acme-eu", "at-root"):
        for domain in (ROOT, "acme", "acme.eu", "acme-eu", "globex"):
            give(alice, address(tenants, name), "clerk", domain)
    give(alice, robot(tenants, "acme"), "clerk", "acme.eu")
    if bound:
        monkeypatch.setattr(filters if bound == "FEW" else homes, bound, 0)
    mine = [
        ("robot-acme", "acme.eu"), ("at-acme.eu", "acme.eu"), ("at-acme.eu", "acme"), ("at-acme.eu", ROOT),
    ]  # fmt: skip
    for query in ("", "state=all", "role=clerk"):
        listed = dave.every("/v1/assignments", f"&{query}" if query else "", limit=1)
        assert [(one["user"]["username"], one["domain"]) for one in listed] == mine
        assert {one["assigned_by"] for one in listed} == {None}
        assert dave.get(f"/v1/assignments?count=true&{query}").json["total"] == len(mine)
    for nothing in ("domain=globex", "user=at-root", "assigned_by=alice", "user=alice", "role=admin"):
        assert dave.get(f"/v1/assignments?{nothing}&count=true").json["total"] == 0, nothing
    for form in ("text/csv", "application/x-ndjson"):
        file = dave.get("/v1/assignments", headers={"Accept": form}).text
        assert file.count("at-acme.eu") == 3
        assert not any(word in file for word in ("alice", "globex", "at-root", "acme-eu"))


def test_the_list_needs_both_permissions_at_the_same_domain(tenants: Stage) -> None:
    alice = tenants.as_(ALICE)
    for name, permission in (("user-reader", "users:read"), ("role-reader", "roles:read")):
        alice.post("/v1/roles", json={"name": name, "permissions": [permission]})
    dave, mine = address(tenants, "dave"), address(tenants, "at-acme.eu")
    alice.delete(f"{dave}/roles/tenant?domain=acme")
    give(alice, mine, "clerk", "acme.eu")
    give(alice, dave, "user-reader", "acme")
    give(alice, dave, "role-reader", "globex")
    refused = tenants.as_(DAVE).get("/v1/assignments")
    assert (refused.status_code, refused.json["required"]) == (403, "roles:read")
    give(alice, dave, "role-reader", "acme.eu")
    assert [one["domain"] for one in tenants.as_(DAVE).get("/v1/assignments").json["items"]] == ["acme.eu"]


def test_who_hands_out_to_oneself_holds_it_there_for_as_long(tenants: Stage) -> None:
    alice = tenants.as_(ALICE)
    assert alice.patch_now(address(tenants, "dave"), {"home": "acme"}).status_code == 200
    alice.post("/v1/roles", json={"name": "passing", "permissions": ["payments:release"]})
    give(alice, address(tenants, "dave"), "passing", "acme", expires_at="2099-01-01T00:00:00Z")
    dave, me = tenants.as_(DAVE), address(tenants, "dave")
    assert give(dave, me, "clerk", "acme.eu").status_code == 201
    assert give(dave, me, "passing", "acme.eu").json["code"] == "escalation.denied"
    assert give(dave, me, "passing", "acme.eu", expires_at="2098-01-01T00:00:00Z").status_code == 201


def test_service_accounts_are_administered_at_home(tenants: Stage, dave: Caller) -> None:
    names = {one["name"] for one in dave.every("/v1/service-accounts", limit=1)}
    assert names == {"robot-acme", "robot-acme-in-eu"}
    assert dave.get("/v1/service-accounts?count=true").json["total"] == 2
    assert [one["home"] for one in dave.every("/v1/service-accounts", "&home=acme.eu")] == ["acme.eu"]
    made = dave.post("/v1/service-accounts", json={"name": "mine", "home": "acme"})
    assert (made.status_code, made.json["home"]) == (201, "acme")
    path = f"/v1/service-accounts/{made.json['id']}"
    assert dave.get("/v1/service-accounts/mine").json["home"] == "acme"
    assert give(dave, path, "clerk", "acme.eu").status_code == 201
    secret = dave.post(f"{path}/secrets")
    assert secret.status_code == 201
    token = tenants.caller().post(
        "/oauth/token", data={"grant_type": "client_credentials"},
        auth=(made.json["id"], secret.json["client_secret"]),
    )  # fmt: skip
    assert token.status_code == 200
    for home in ("globex", ROOT, "ghost"):
        assert (
            dave.post("/v1/service-accounts", json={"name": "robot-globex", "home": home}).status_code == 403
        )
        assert dave.patch_now(path, {"home": home}).json["domain"] == home
    assert dave.patch_now(path, {"home": "acme.eu"}).json["home"] == "acme.eu"
    assert '"home":"acme.eu"' in tenants.events("service_account.updated")[-1]["after"].replace(" ", "")
    assert dave.delete(f"{path}/secrets/{secret.json['id']}").status_code == 204
    assert dave.delete_now(path).status_code == 204


def test_a_secret_hands_out_what_the_account_holds_wherever_it_does(tenants: Stage, dave: Caller) -> None:
    account, alice = robot(tenants, "acme"), tenants.as_(ALICE)
    secret = dave.post(f"{account}/secrets").json
    for domain, status in (("acme.eu", 200), ("globex", 401), (ROOT, 401)):
        assert give(alice, account, "clerk", domain).status_code == 201
        answer = tenants.caller().post(
            "/oauth/token", data={"grant_type": "client_credentials"},
            auth=(account.rpartition("/")[2], secret["client_secret"]),
        )  # fmt: skip
        assert answer.status_code == status, domain
        stronger = dave.post(f"{account}/secrets")
        assert (stronger.status_code == 201) == (status == 200)
        alice.delete(f"{account}/roles/clerk?domain={domain}")


OPERATIONS = [
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/secrets"), ("DELETE", f"/secrets/{UNKNOWN}"), ("GET", "/roles"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_service_account_elsewhere_is_as_unknown_by_id_and_name(
    tenants: Stage, dave: Caller, method: str, path: str
) -> None:
    more: dict[str, Any] = {"json": {"description": "X"}} if method == "PATCH" else {}
    headers = {"If-Match": '"none"'}
    for home in (ROOT, "globex", "acme-eu"):
        account_id = robot(tenants, home).rpartition("/")[2]
        for known, unknown in ((account_id, UNKNOWN), (f"robot-{home}", "no-such-robot")):
            answers = [
                dave.call(method, f"/v1/service-accounts/{one}{path}", headers=headers, **more)
                for one in (known, unknown)
            ]
            assert plain(answers[0]) == plain(answers[1])
            assert answers[0].status_code == 404


def test_at_root_everything_is_as_before(tenants: Stage) -> None:
    bob = tenants.as_(BOB)
    assert give(bob, address(tenants, "at-globex"), "clerk", "acme").status_code == 201
    assert len(bob.get(f"{address(tenants, 'at-globex')}/roles").json["direct"]) == 1
