"""Resources are searched by their domain: where may a subject do it? AuthZEN Authorization API 1.0, section 8.5."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.domains import own_domains
from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import app_on, ask, decisions, refusal
from tests.cast import ALICE, BOB, CAROL, DAVE

SEARCH = "/access/v1/search/resource"
DOMAINS = ("acme", "acme-eu", "acme.eu", "acme.eu.shop", "acme2", "globex", "globex.us")


@pytest.fixture
def app(stage: Stage) -> Caller:
    """A client app, and Dave with two roles at domains; that at ``globex`` needs a second factor."""
    alice = stage.as_(ALICE)
    for name in DOMAINS:
        assert alice.post("/v1/domains", json={"name": name}).status_code == 201
    careful = {"name": "careful", "permissions": ["invoices:read"], "requires_mfa": True}
    assert alice.post("/v1/roles", json=careful).status_code == 201
    for role, domain in (("role-manager", "acme.eu"), ("careful", "globex")):
        given = alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{role}", json={"domain": domain})
        assert given.status_code == 201
    return app_on(stage)


def where(name: str, permission: str, under: Any = None, **more: Any) -> dict[str, Any]:
    kind, _, verb = permission.partition(":")
    properties = {} if under is None else {"properties": {"domain": under}}
    resource = {"type": kind, **properties}
    return {"subject": {"type": "user", "id": name}, "action": {"name": verb}, "resource": resource, **more}


def found(app: Caller, body: dict[str, Any]) -> list[str]:
    """The domains on a single page, each in the form of a resource."""
    answer = ask(app, SEARCH, body)
    kind = body["resource"]["type"]
    domains = [one["id"] for one in answer["results"]]
    assert answer["page"] == {"next_token": "", "count": len(domains)}
    assert answer["results"] == [{"type": kind, "id": one, "properties": {"domain": one}} for one in domains]
    return domains


@pytest.mark.parametrize("context", [{}, {"second_factor": False}], ids=str)
@pytest.mark.parametrize("permission", ["invoices:read", "users:read", "no:such"])
def test_what_is_found_is_what_the_evaluation_permits_and_nothing_else(
    app: Caller, permission: str, context: dict[str, Any]
) -> None:
    for person in (ALICE, BOB, CAROL, DAVE):
        questions = []
        for domain in ("root", *DOMAINS):
            body = where(person.username, permission, domain, context=context)
            questions.append({**body, "resource": {**body["resource"], "id": "1"}})
        answers = decisions(app, {"evaluations": questions})
        allowed = [domain for domain, yes in zip(("root", *DOMAINS), answers, strict=True) if yes]

        assert found(app, where(person.username, permission, context=context)) == allowed


def test_a_result_is_a_resource_that_can_be_asked_about(app: Caller) -> None:
    body = where("dave", "invoices:read")
    results = ask(app, SEARCH, body)["results"]
    assert [one["id"] for one in results] == ["acme.eu", "acme.eu.shop", "globex", "globex.us"]
    assert all(decisions(app, {**body, "evaluations": [{"resource": one} for one in results]}))


@pytest.mark.parametrize(
    ("under", "domains"),
    [
        ("root", ["acme.eu", "acme.eu.shop", "globex", "globex.us"]),
        ("acme", ["acme.eu", "acme.eu.shop"]),
        ("acme.eu", ["acme.eu", "acme.eu.shop"]),
        ("acme.eu.shop", ["acme.eu.shop"]),
        ("acme-eu", []),
        ("none", []),
        ("ACME", []),
        ("", []),
    ],
)
def test_it_looks_only_in_the_domain_that_is_named(app: Caller, under: str, domains: list[str]) -> None:
    assert found(app, where("dave", "invoices:read", under)) == domains


def test_what_holds_at_root_holds_in_each_domain(app: Caller) -> None:
    assert found(app, where("bob", "invoices:read")) == ["root", *DOMAINS]
    assert found(app, where("bob", "invoices:read", "globex")) == ["globex", "globex.us"]


@pytest.mark.parametrize("under", [None, "acme", "globex"])
@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("small", [False, True])
def test_pages_follow_each_other_without_gap_and_repetition(
    app: Caller, monkeypatch: pytest.MonkeyPatch, limit: int, under: str | None, small: bool
) -> None:
    if small:  # as with very many domains and assignments
        monkeypatch.setattr(own_domains, "PORTION", 2)
        monkeypatch.setattr(own_domains, "PORTIONS", 1)
        monkeypatch.setattr(own_domains, "MAX_RANGES", 1)
    for person in ("bob", "dave"):
        body = where(person, "invoices:read", under)
        parts: list[list[str]] = []
        page: dict[str, Any] = {"limit": limit}
        while page.get("token") != "":
            answer = ask(app, SEARCH, {**body, "page": page})
            parts.append([one["id"] for one in answer["results"]])
            page = {"token": answer["page"]["next_token"]}
        everything = {"bob": ["root", *DOMAINS], "dave": ["acme.eu", "acme.eu.shop", "globex", "globex.us"]}
        here = [one for one in everything[person] if f"{one}.".startswith(f"{under}.") or under is None]

        assert [one for part in parts for one in part] == here
        assert all(len(part) <= limit for part in parts)


def test_a_page_of_nothing_has_a_token_that_leads_to_the_first_result(app: Caller) -> None:
    body = where("bob", "invoices:read")
    answer = ask(app, SEARCH, {**body, "page": {"limit": 0}})
    assert (answer["results"], answer["page"]["count"]) == ([], 0)
    again = ask(app, SEARCH, {**body, "page": {"token": answer["page"]["next_token"]}})
    assert again["page"]["next_token"]
    first = ask(app, SEARCH, {**body, "page": {"limit": 1}})
    other = {**body, "resource": {"type": "users"}, "page": {"token": first["page"]["next_token"]}}
    assert "page.token" in refusal(app.post(SEARCH, json=other))


@pytest.mark.parametrize(
    "body",
    [
        where("no-such-user", "invoices:read"),
        where("mallory", "users:read"),
        where("alice", "no:such"),
        {**where("alice", "users:read"), "subject": {"type": "robot", "id": "alice"}},
        {**where("alice", "users:read"), "action": {"name": "x" * 5000}},
    ],
    ids=["user", "disabled", "permission", "kind", "too long"],
)
def test_what_is_unknown_or_disabled_finds_nothing(app: Caller, body: dict[str, Any]) -> None:
    assert found(app, body) == []


def test_the_id_of_a_resource_is_ignored(app: Caller) -> None:
    for named in ("2026-1187", 7, None):
        body = where("dave", "invoices:read")
        body["resource"]["id"] = named
        assert found(app, body) == ["acme.eu", "acme.eu.shop", "globex", "globex.us"]


@pytest.mark.parametrize(
    "member", ["subject", "subject.id", "action", "action.name", "resource", "resource.type"]
)
def test_what_is_missing_or_no_text_is_named(app: Caller, member: str) -> None:
    outer, _, inner = member.partition(".")
    for wrong in (None, 7, []):
        body = where("dave", "invoices:read")
        if wrong is None and inner:
            del body[outer][inner]
        elif inner:
            body[outer][inner] = wrong
        else:
            body[outer] = wrong
        assert member in refusal(app.post(SEARCH, json=body))
    assert "domain" in refusal(app.post(SEARCH, json=where("dave", "invoices:read", 7)))


def test_only_a_caller_who_may_ask_for_decisions_may_search(stage: Stage, app: Caller) -> None:
    body = where("dave", "invoices:read")
    assert "decision_id" in refusal(stage.as_(DAVE).post(SEARCH, json=body), 403)
    refusal(stage.caller().post(SEARCH, json=body), 401)
    assert "Content-Type" in refusal(app.post(SEARCH, data="x", content_type="text/plain"))
