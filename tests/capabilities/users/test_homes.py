"""Users have a home: who administers a domain administers those at home there and below, and learns of no others."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.assignments.service import assign_role, revoke_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.users import routes
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database import filters, homes
from rbac_api.decision.model import ROOT
from rbac_api.guard.enforcement.authority import Authority
from rbac_api.guard.enforcement.guard import Guard
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, DAVE, PASSWORD

DOMAINS = ("acme", "acme-eu", "acme.eu", "acme.eu.shop", "globex")
PEOPLE = {f"at-{home.replace('.', '-in-')}": home for home in (ROOT, *DOMAINS)}
MINE = {"at-acme", "at-acme-in-eu", "at-acme-in-eu-in-shop"}


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """A user at home at each domain; Dave manages roles and users at ``acme``."""
    stage.kept("homes", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in DOMAINS:
            create_domain(clearance, {"name": domain})
        for name, home in PEOPLE.items():
            add_user(clearance, NewUser(username=name, home=home, email=f"{name}@example.com"))
        assign_role(clearance, stage.user_id(DAVE), "role-manager", Terms(domain="acme"))


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def address(stage: Stage, name: str) -> str:
    return f"/v1/users/{stage.user_id(name)}"


def names(items: list[dict[str, Any]]) -> set[str]:
    return {one["username"] for one in items}


def test_a_list_has_those_at_home_below_with_pages_counts_filters_and_files(
    tenants: Stage, dave: Caller
) -> None:
    assert names(dave.get("/v1/users?count=true").json["items"]) == MINE
    assert dave.get("/v1/users?count=true").json["total"] == 3
    assert [one["home"] for one in dave.every("/v1/users", limit=1)] == ["acme", "acme.eu", "acme.eu.shop"]
    for order in ("created_at", "-created_at", "last_login_at", "-username"):
        assert names(dave.every("/v1/users", f"&sort={order}", limit=2)) == MINE
    assert names(dave.every("/v1/users", "&home=acme.eu")) == {"at-acme-in-eu"}
    for nothing in ("home=globex", "home=root", "home=ghost", "q=globex", "q=alice", "role=admin"):
        assert dave.get(f"/v1/users?{nothing}&count=true").json == {"items": [], "next": None, "total": 0}
    for form in ("text/csv", "application/x-ndjson"):
        file = dave.get("/v1/users", headers={"Accept": form}).text
        assert {name for name in PEOPLE if f"{name}@" in file} == MINE
        assert "alice" not in file
    assert dave.get("/v1/users?at=2026-01-01T00:00:00Z").json["items"] == []
    assert names(tenants.as_(ALICE).every("/v1/users", "&home=acme")) == {"at-acme"}
    assert set(PEOPLE) - names(tenants.as_(ALICE).every("/v1/users", "&home=root")) == {
        name for name, home in PEOPLE.items() if home != ROOT
    }


@pytest.mark.parametrize("bound", ["FEW", "MANY"])
def test_a_list_is_the_same_where_users_or_domains_are_many(
    tenants: Stage, dave: Caller, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters if bound == "FEW" else homes, bound, 0)
    assert names(dave.every("/v1/users", limit=1)) == MINE
    assert dave.get("/v1/users?count=true").json["total"] == 3
    assert names(dave.every("/v1/users", "&home=acme.eu")) == {"at-acme-in-eu"}


ASKING = [
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/password-reset"), ("POST", "/unlock"), ("DELETE", "/totp"),
]  # fmt: skip


def ask(caller: Caller, method: str, path: str, user: str) -> Any:
    more: dict[str, Any] = {"json": {"display_name": "X"}} if method == "PATCH" else {}
    return caller.call(method, f"/v1/users/{user}{path}", headers={"If-Match": '"none"'}, **more)


@pytest.mark.parametrize(("method", "path"), ASKING)
def test_a_user_who_may_not_be_read_is_as_unknown(
    tenants: Stage, dave: Caller, method: str, path: str
) -> None:
    unknown = [
        ask(dave, method, path, user) for user in ("00000000-0000-7000-8000-000000000000", "no-such-user")
    ]
    for name in ("at-root", "at-globex", "at-acme-eu", "alice", "dave"):
        for user in (tenants.user_id(name), name):
            answer = ask(dave, method, path, user)
            same = [(one.status_code, plain(one)) for one in unknown]
            assert [(answer.status_code, plain(answer))] * 2 == same, (name, answer.json)
            assert answer.status_code == 404


def plain(answer: Any) -> dict[str, Any]:
    """The body without what differs from request to request."""
    return {name: value for name, value in answer.json.items() if name not in ("instance", "request_id")}


def test_the_users_of_a_domain_are_administered_there(tenants: Stage, dave: Caller) -> None:
    path = address(tenants, "at-acme-in-eu")
    assert dave.get(path).json["home"] == "acme.eu"
    assert dave.get("/v1/users/at-acme-in-eu").json["home"] == "acme.eu"
    assert dave.patch_now(path, {"display_name": "Erin"}).json["display_name"] == "Erin"
    assert dave.patch_now(path, {"status": "disabled"}).json["status"] == "disabled"
    assert dave.patch_now(path, {"status": "active"}).json["status"] == "active"
    assert dave.post(f"{path}/password-reset").status_code == 201
    assert dave.post(f"{path}/unlock").status_code == 204
    assert dave.delete(f"{path}/totp").json["code"] == "totp.not_found"
    assert dave.delete_now(path).status_code == 204
    assert dave.get(path).status_code == 404


def test_a_user_is_created_where_the_caller_may(tenants: Stage, dave: Caller) -> None:
    made = dave.post("/v1/users", json={"username": "erin", "home": "acme.eu"})
    assert (made.status_code, made.json["home"]) == (201, "acme.eu")
    refused = [
        dave.post("/v1/users", json={"username": name, **body})
        for name in ("fred", "alice", " alice")
        for body in ({}, {"home": "globex"}, {"home": "ghost"}, {"home": "acme-eu"})
    ]
    assert {(one.status_code, one.json["code"]) for one in refused} == {(403, "access.denied")}
    assert (refused[1].json["required"], refused[1].json["domain"]) == ("users:create", "globex")
    unknown = dave.post("/v1/users", json={"username": "fred", "home": "acme.ghost"})
    assert (unknown.status_code, unknown.json["code"]) == (404, "domain.not_found")
    spaced = dave.post("/v1/users", json={"username": " alice", "home": "acme"})
    assert spaced.json["code"] == "user.username_taken"


def test_a_move_needs_the_permission_at_both_ends(tenants: Stage, dave: Caller) -> None:
    path = address(tenants, "at-acme-in-eu")
    assert dave.patch_now(path, {"home": "acme"}).json["home"] == "acme"
    assert tenants.events("user.updated")[-1]["after"] == '{"home": "acme"}'.replace(" ", "")
    for foreign in ("root", "globex", "ghost", "acme-eu"):
        answer = dave.patch_now(path, {"home": foreign})
        assert (answer.status_code, answer.json["domain"]) == (403, foreign)
    assert dave.patch_now(path, {"home": "acme.ghost"}).json["code"] == "domain.not_found"
    alice = tenants.as_(ALICE)
    assert alice.patch_now(path, {"home": "globex"}).json["home"] == "globex"
    assert dave.get(path).status_code == 404


def test_strength_is_compared_at_every_domain_where_the_user_holds_anything(
    tenants: Stage, dave: Caller
) -> None:
    path, user = address(tenants, "at-acme"), tenants.user_id("at-acme")
    for domain, allowed in (("acme", True), ("acme.eu", True), ("globex", False), (ROOT, False)):
        with operator_unit(tenants.settings, tenants.database) as clearance:
            assign_role(clearance, user, "role-manager", Terms(domain=domain))
        answer = dave.patch_now(path, {"display_name": f"At {domain}"})
        assert (answer.status_code == 200) == allowed
        if not allowed:
            assert answer.json["code"] == "target.stronger"
            assert answer.json["missing"] == []
            assert "globex" not in answer.text
        assert tenants.as_(ALICE).delete(f"{path}/roles/role-manager?domain={domain}").status_code == 204
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, user, "auditor", Terms(domain="acme"))
    answer = dave.patch_now(path, {"display_name": "X"})
    assert "audit:read" in answer.json["missing"]
    assert "at acme" in answer.json["detail"]


def test_readable_without_the_permission_is_forbidden_and_names_the_domain(
    tenants: Stage, dave: Caller
) -> None:
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "auditor", Terms(domain="globex"))
    for user in (tenants.user_id("at-globex"), "at-globex"):
        answer = ask(dave, "DELETE", "", user)
        assert (answer.status_code, answer.json["code"]) == (403, "access.denied")
        assert (answer.json["required"], answer.json["domain"]) == ("users:delete", "globex")
    assert names(dave.every("/v1/users")) == {*MINE, "at-globex"}


def test_a_deleted_user_is_erased_where_it_was_at_home(tenants: Stage) -> None:
    alice = tenants.as_(ALICE)
    alice.post("/v1/roles", json={"name": "eraser", "permissions": ["users:erase", "users:read"]})
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "eraser", Terms(domain="acme"))
        assign_role(clearance, tenants.user_id("at-acme-in-eu"), "role-manager", Terms(domain="globex"))
    paths = {name: address(tenants, name) for name in ("at-acme", "at-acme-in-eu", "at-globex")}
    dave, reason = tenants.as_(DAVE), {"reason": "Request 4711"}
    assert dave.post(f"{paths['at-acme']}/erasure", json=reason).json["code"] == "user.not_deleted"
    assert dave.post(f"{paths['at-globex']}/erasure", json=reason).json["code"] == "user.not_found"
    for path in paths.values():
        assert alice.delete_now(path).status_code == 204
    assert dave.post(f"{paths['at-globex']}/erasure", json=reason).json["code"] == "user.not_found"
    assert dave.post(f"{paths['at-acme-in-eu']}/erasure", json=reason).json["code"] == "target.stronger"
    assert dave.post(f"{paths['at-acme']}/erasure", json=reason).status_code == 204


def test_a_domain_is_not_deleted_while_something_is_at_home_there(tenants: Stage) -> None:
    alice, path = tenants.as_(ALICE), "/v1/domains/acme.eu.shop"
    refused = alice.delete(path)
    assert (refused.status_code, refused.json["code"]) == (409, "domain.in_use")
    assert "The home of a user" in refused.json["detail"]
    assert alice.delete_now(address(tenants, "at-acme-in-eu-in-shop")).status_code == 204
    assert alice.delete(path).status_code == 204
    # A new domain of the name has nothing to do with the deleted user
    homes_now = tenants.query("SELECT home FROM users WHERE username = 'at-acme-in-eu-in-shop'")
    assert homes_now == [("acme.eu",)]


@pytest.mark.parametrize(("table", "kind"), [("roles", "a role"), ("constraints", "a constraint")])
def test_neither_is_the_home_of_a_role_or_a_constraint(tenants: Stage, table: str, kind: str) -> None:
    alice = tenants.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    alice.post("/v1/domains", json={"name": "initech"})
    rule = {"name": "two", "kind": "static", "roles": ["clerk", "auditor"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    tenants.execute(f"UPDATE {table} SET home = 'initech' WHERE name IN ('clerk', 'two')")
    assert f"The home of {kind}" in alice.delete("/v1/domains/initech").json["detail"]


def test_a_password_reset_is_worth_nothing_once_the_user_holds_more_than_its_issuer(
    tenants: Stage, dave: Caller
) -> None:
    path, alice = address(tenants, "at-acme"), tenants.as_(ALICE)
    for domain, status in (("acme.eu", 204), ("globex", 401), (ROOT, 401)):
        token = dave.post(f"{path}/password-reset").json["token"]
        assert alice.put(f"{path}/roles/role-manager", json={"domain": domain}).status_code == 201
        spent = tenants.caller().post(
            "/v1/auth/password-setup", json={"token": token, "new_password": f"{PASSWORD} again"}
        )
        assert spent.status_code == status, domain
        assert alice.delete(f"{path}/roles/role-manager?domain={domain}").status_code == 204


@pytest.fixture
def _asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong twin: services that forget to ask at the home."""
    monkeypatch.setattr(Authority, "over", lambda self, home, _read, _hidden: self._replace(domain=home))
    monkeypatch.setattr(Authority, "at", lambda self, domain: self._replace(domain=domain))


@pytest.mark.usefixtures("_asks_nothing")
def test_an_operation_that_does_not_ask_at_a_home_refuses(tenants: Stage, dave: Caller) -> None:
    before = tenants.query("SELECT username, status, version, home FROM users ORDER BY id")
    for method, path in ASKING:
        for name in ("at-acme", "at-globex"):
            answer = ask(dave, method, path, tenants.user_id(name))
            assert (answer.status_code, answer.json["code"]) in (
                (403, "access.denied"),
                (404, "totp.not_found"),
            )
    for name in ("erin", "alice"):  # the second would be 409
        assert dave.post("/v1/users", json={"username": name, "home": "acme"}).status_code == 403
    assert tenants.query("SELECT username, status, version, home FROM users ORDER BY id") == before
    assert tenants.as_(BOB).get(address(tenants, "at-globex")).status_code == 200  # at root, as before


@pytest.mark.parametrize("left", ["nothing", "globex"])
def test_a_permission_lost_before_the_lock_is_asked_for_again(
    tenants: Stage, dave: Caller, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke_meanwhile(tenants, left, monkeypatch)
    answer = dave.patch_now(address(tenants, "at-acme"), {"display_name": "X"})
    assert (answer.status_code, answer.json["code"]) == (
        (403, "access.denied") if left == "nothing" else (404, "user.not_found")
    )


def test_without_the_second_decision_it_would_not_be(
    tenants: Stage, dave: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wrong twin: what was decided before the lock counts under it."""
    revoke_meanwhile(tenants, "globex", monkeypatch)
    monkeypatch.setattr(Guard, "_confirm", lambda *_: None)
    assert dave.patch_now(address(tenants, "at-acme"), {"display_name": "X"}).status_code == 200


def revoke_meanwhile(stage: Stage, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dave loses his role at ``acme`` after the first decision; ``left``: where he still has it."""
    user, read = stage.user_id(DAVE), routes.required_tags

    def revoking() -> frozenset[str]:
        with operator_unit(stage.settings, stage.database) as clearance:
            if left != "nothing":
                assign_role(clearance, user, "role-manager", Terms(domain=left))
            revoke_role(clearance, user, "role-manager", "acme")
        return read()

    monkeypatch.setattr(routes, "required_tags", revoking)


def test_an_administrator_at_root_is_one_wherever_at_home(tenants: Stage, dave: Caller) -> None:
    alice, path = tenants.as_(ALICE), address(tenants, "alice")
    assert alice.patch_now(path, {"home": "acme"}).json["home"] == "acme"
    assert dave.get(path).json["username"] == "alice"
    for answer in (
        dave.patch_now(path, {"status": "disabled"}), dave.delete_now(path), dave.post(f"{path}/password-reset"),
    ):  # fmt: skip
        assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
        assert answer.json["missing"] == []
    assert tenants.as_(ALICE).patch_now(path, {"status": "disabled"}).json["code"] == "admin.last"


def test_in_a_session_at_a_domain_new_accounts_are_at_home_there(tenants: Stage) -> None:
    alice = tenants.caller()
    account = {"username": "alice", "password": PASSWORD, "domain": "acme.eu"}
    alice.tokens = alice.post("/v1/auth/login", json=account).json
    assert alice.post("/v1/users", json={"username": "erin"}).json["home"] == "acme.eu"
    assert alice.post("/v1/service-accounts", json={"name": "robot"}).json["home"] == "acme.eu"
    for home in (ROOT, "acme", "globex"):
        assert (
            alice.post("/v1/users", json={"username": "fred", "home": home}).json["code"] == "access.denied"
        )
    assert names(alice.every("/v1/users")) == {"erin", "at-acme-in-eu", "at-acme-in-eu-in-shop"}
