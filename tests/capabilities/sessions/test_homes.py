"""Sessions and incidents live at their user's home: who may read and revoke them there, does so there and learns of no others."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.assignments.terms import Terms
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database import filters, homes
from rbac_api.decision.model import ROOT
from rbac_api.guard.enforcement.authority import Authority
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, DAVE, PASSWORD

DOMAINS = ("acme", "acme-eu", "acme.eu", "globex")
PEOPLE = {f"at-{home.replace('.', '-in-')}": home for home in (ROOT, *DOMAINS)}
MINE, FOREIGN = {"at-acme", "at-acme-in-eu"}, ("at-root", "at-globex", "at-acme-eu")
NONE = "00000000-0000-7000-8000-000000000000"


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """A user at home at each domain, each with a session and an incident; Dave reads and revokes at ``acme``."""
    stage.kept("homes of sessions", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    [(hashed,)] = stage.query("SELECT password_hash FROM users WHERE username = 'dave'")
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "warden", "permissions": ["sessions:read", "sessions:revoke"]})
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in DOMAINS:
            create_domain(clearance, {"name": domain})
        for name, home in PEOPLE.items():
            add_user(clearance, NewUser(username=name, home=home, password_hash=hashed, password_final=True))
    with operator_unit(stage.settings, stage.database) as clearance:
        assign_role(clearance, stage.user_id(DAVE), "warden", Terms(domain="acme"))
        assign_role(clearance, stage.user_id("at-acme"), "warden", Terms(domain="acme.eu"))
    for name in PEOPLE:
        tokens = sign_in(stage, name)
        newer = refresh(stage, tokens["refresh_token"]).json
        refresh(stage, newer["refresh_token"])
        assert refresh(stage, tokens["refresh_token"]).json["code"] == "token.reused"
        sign_in(stage, name)


def sign_in(stage: Stage, name: str, **more: str) -> dict[str, Any]:
    body = {"username": name, "password": PASSWORD, **more}
    answer = stage.caller().client.post("/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def whose(items: list[dict[str, Any]]) -> set[str]:
    return {one["user"]["username"] for one in items}


def ids(stage: Stage, kind: str) -> dict[str, str]:
    """The active session, or the incident, of each user."""
    alice = stage.as_(ALICE)
    return {one["user"]["username"]: one["id"] for one in alice.every(f"/v1/{kind}")}


@pytest.mark.parametrize("kind", ["sessions", "incidents"])
def test_lists_pages_counts_and_files_have_those_at_home_below(
    tenants: Stage, dave: Caller, kind: str
) -> None:
    path = f"/v1/{kind}"
    assert whose(dave.get(path).json["items"]) == MINE
    assert dave.get(f"{path}?count=true").json["total"] == 2
    assert whose(dave.every(path, limit=1)) == MINE
    for form in ("text/csv", "application/x-ndjson"):
        file = dave.get(path, headers={"Accept": form}).text
        assert {name for name in PEOPLE if tenants.user_id(name) in file} == MINE
        assert "alice" not in file
    assert set(PEOPLE) <= whose(tenants.as_(ALICE).every(path))


def test_filters_find_no_others(tenants: Stage, dave: Caller) -> None:
    for name in (*FOREIGN, "alice", "ghost"):
        for path in (
            f"/v1/sessions?user={name}&state=all&count=true",
            f"/v1/users/{name}/sessions?count=true",
        ):
            assert dave.get(path).json == {"items": [], "next": None, "total": 0}
    ended = dave.get("/v1/sessions?state=ended&count=true").json
    assert (whose(ended["items"]), ended["total"]) == (MINE, 2)
    assert dave.get("/v1/sessions?ip=127.0.0.1&count=true&state=all").json["total"] == 4
    assert dave.get("/v1/sessions?role=warden").json["required"] == "roles:read"
    assert whose(dave.get("/v1/users/at-acme/sessions").json["items"]) == {"at-acme"}
    moment = tenants.as_(ALICE).get("/v1/me").json["session"]["created_at"]
    assert whose(dave.get(f"/v1/sessions?at={moment}").json["items"]) == MINE


@pytest.mark.parametrize("bound", ["FEW", "MANY"])
def test_a_list_is_the_same_where_users_or_domains_are_many(
    tenants: Stage, dave: Caller, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters if bound == "FEW" else homes, bound, 0)
    assert whose(dave.every("/v1/sessions", limit=1)) == whose(dave.every("/v1/incidents")) == MINE


ASKING = [
    ("GET", "sessions", "", None), ("DELETE", "sessions", "", None), ("GET", "sessions", "/refresh-tokens", None),
    ("GET", "sessions", "/refresh-tokens", "text/csv"), ("GET", "sessions", "", "image/svg+xml"), ("GET", "incidents", "", None),
    ("POST", "incidents", "/close", None),
]  # fmt: skip


def ask(caller: Caller, how: tuple[str, str, str, str | None], found: str) -> Any:
    method, kind, path, accept = how
    more: dict[str, Any] = {"json": {"reason": "Looked at it"}} if method == "POST" else {}
    headers = {"Accept": accept} if accept else {}
    return caller.call(method, f"/v1/{kind}/{found}{path}", headers=headers, **more)


def plain(answer: Any) -> tuple[int, dict[str, Any]]:
    return answer.status_code, {k: v for k, v in answer.json.items() if k not in ("instance", "request_id")}


@pytest.mark.parametrize("how", ASKING)
def test_what_may_not_be_read_is_as_unknown(tenants: Stage, dave: Caller, how: Any) -> None:
    known, unknown = ids(tenants, how[1]), plain(ask(dave, how, NONE))
    assert unknown[0] == 404
    for name in FOREIGN:
        assert plain(ask(dave, how, known[name])) == unknown
    assert ask(dave, how, known["at-acme-in-eu"]).status_code in (200, 204)


def test_readable_without_the_permission_names_the_domain(tenants: Stage, dave: Caller) -> None:
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "auditor", Terms(domain="globex"))
    for kind, method, path in (("sessions", "DELETE", ""), ("incidents", "POST", "/close")):
        refused = ask(dave, (method, kind, path, None), ids(tenants, kind)["at-globex"])
        assert (refused.status_code, refused.json["required"], refused.json["domain"]) == (
            403, "sessions:revoke", "globex",
        )  # fmt: skip
    refused = dave.delete(f"/v1/users/{tenants.user_id('at-globex')}/sessions")
    assert (refused.status_code, refused.json["code"]) == (403, "access.denied")


def test_strength_is_compared_wherever_the_user_holds_anything(tenants: Stage, dave: Caller) -> None:
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id("at-acme"), "auditor", Terms(domain="globex"))
    for kind, method, path in (("sessions", "DELETE", ""), ("incidents", "POST", "/close")):
        refused = ask(dave, (method, kind, path, None), ids(tenants, kind)["at-acme"])
        assert (refused.status_code, refused.json["code"], "globex" in refused.text) == (
            403, "target.stronger", False,
        )  # fmt: skip
    bulk = dave.post("/v1/sessions/revocations", json={"filter": {"state": "active"}, "dry_run": True})
    assert (bulk.status_code, bulk.json["code"], "globex" in bulk.text) == (403, "target.stronger", False)


def test_many_are_revoked_where_the_caller_may_and_no_others(tenants: Stage, dave: Caller) -> None:
    before = ids(tenants, "sessions")
    body: dict[str, Any] = {"filter": {"state": "active"}, "dry_run": True}
    assert dave.post("/v1/sessions/revocations", json=body).json == {"count": 2, "dry_run": True}
    for name in (*FOREIGN, "ghost"):
        one = {"filter": {"user": name}, "dry_run": True}
        assert dave.post("/v1/sessions/revocations", json=one).json["count"] == 0
    real = {"filter": {"state": "active"}, "expected_count": len(before), "reason": "Laptop stolen"}
    differs = dave.post("/v1/sessions/revocations", json=real)
    assert (differs.status_code, differs.json["count"]) == (409, 2)
    assert dave.post("/v1/sessions/revocations", json={**real, "expected_count": 2}).json["count"] == 2
    assert set(before) - set(ids(tenants, "sessions")) == MINE


def test_counting_needs_reading_wherever_the_caller_revokes(tenants: Stage, dave: Caller) -> None:
    tenants.as_(ALICE).post("/v1/roles", json={"name": "ender", "permissions": ["sessions:revoke"]})
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "ender", Terms(domain="globex"))
    body = {"filter": {"user": "at-globex"}, "dry_run": True}
    assert dave.post("/v1/sessions/revocations", json=body).json["required"] == "sessions:read"
    session = ids(tenants, "sessions")["at-globex"]
    assert dave.delete(f"/v1/sessions/{session}").json["code"] == "session.not_found"


def test_a_users_sessions_are_ended_at_its_home(tenants: Stage) -> None:
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "role-manager", Terms(domain="acme"))
    dave = tenants.as_(DAVE)
    answers = [dave.delete(f"/v1/users/{tenants.user_id(name)}/sessions") for name in (*MINE, *FOREIGN)]
    assert [one.status_code for one in answers] == [204, 204, 404, 404, 404]
    assert set(ids(tenants, "sessions")) >= set(FOREIGN)


def test_neither_foreign_users_nor_foreign_domains_are_named(tenants: Stage, dave: Caller) -> None:
    alice, known = tenants.as_(ALICE), ids(tenants, "sessions")
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id("at-acme-in-eu"), "warden", Terms(domain="globex"))
        assign_role(clearance, tenants.user_id("at-acme-in-eu"), "auditor", Terms(domain="acme"))
    away = sign_in(tenants, "at-acme-in-eu", domain="globex")["session_id"]
    near = sign_in(tenants, "at-acme-in-eu", domain="acme")["session_id"]
    for path in (
        f"/v1/sessions/{away}",
        "/v1/sessions?user=at-acme-in-eu",
        "/v1/users/at-acme-in-eu/sessions",
    ):
        answer = dave.get(path)
        assert "globex" not in answer.text
        assert "acme" in answer.text
    shown = dave.get(f"/v1/sessions/{away}").json
    assert (shown["domain"], shown["roles"], shown["active_roles"], shown["permissions"]) == (
        None,
        [],
        [],
        [],
    )
    shown = dave.get(f"/v1/sessions/{near}").json
    assert (shown["domain"], shown["roles"], shown["active_roles"]) == ("acme", None, ["auditor"])
    assert alice.get(f"/v1/sessions/{away}").json["active_roles"] == ["warden"]
    incident = ids(tenants, "incidents")["at-acme"]
    assert alice.delete(f"/v1/sessions/{known['at-acme']}").status_code == 204
    assert alice.post(f"/v1/incidents/{incident}/close", json={"reason": "Seen"}).json["closed_by"]
    assert dave.get(f"/v1/sessions/{known['at-acme']}").json["ended_by"] is None
    assert dave.get(f"/v1/incidents/{incident}").json["closed_by"] is None
    assert alice.get(f"/v1/sessions/{known['at-acme']}").json["ended_by"]["name"] == "alice"


def test_a_token_in_hand_is_revoked_where_the_caller_may(tenants: Stage, dave: Caller) -> None:
    for name, status in (("at-acme", 200), ("at-globex", 400)):
        form = {"token": sign_in(tenants, name)["refresh_token"]}
        assert dave.post("/oauth/revoke", data=form).status_code == status


def test_in_a_session_at_a_domain_they_are_those_below_it(tenants: Stage) -> None:
    with operator_unit(tenants.settings, tenants.database) as clearance:
        assign_role(clearance, tenants.user_id(DAVE), "warden")
    tokens = sign_in(tenants, "dave", domain="acme.eu")
    dave = tenants.caller()
    dave.tokens = tokens
    assert whose(dave.every("/v1/sessions")) == whose(dave.every("/v1/incidents")) == {"at-acme-in-eu"}
    assert len(whose(tenants.as_(DAVE).every("/v1/sessions"))) > 2


@pytest.fixture
def _asks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong twin: services that forget to ask at the home."""
    monkeypatch.setattr(Authority, "over", lambda self, home, _read, _hidden: self._replace(domain=home))


@pytest.mark.usefixtures("_asks_nothing")
def test_an_operation_that_does_not_ask_at_a_home_refuses(tenants: Stage, dave: Caller) -> None:
    active, known = ids(tenants, "sessions"), {kind: ids(tenants, kind) for kind in ("sessions", "incidents")}
    for how in ASKING:
        for name in ("at-acme", "at-globex"):
            refused = ask(dave, how, known[how[1]][name])
            assert (refused.status_code, refused.json["code"]) in (
                (403, "access.denied"), (403, "target.stronger"),
            )  # fmt: skip
    assert active.items() <= ids(tenants, "sessions").items()
    assert ids(tenants, "incidents") == known["incidents"]
