"""Domains are administered where they are: by who may in the domain that they are directly in."""

from __future__ import annotations

import pytest

from rbac_api.capabilities.domains import service
from rbac_api.decision.model import ROOT
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE

DOMAINS = ("acme", "acme-eu", "acme.eu", "acme.eu.shop", "globex", "globex.us")
MINE = ["acme", "acme.eu", "acme.eu.shop"]
VERBS = ("read", "create", "update", "delete")


@pytest.fixture
def dave(stage: Stage) -> Caller:
    """Dave administers domains at ``acme``."""
    alice = stage.as_(ALICE)
    for name in DOMAINS:
        assert alice.post("/v1/domains", json={"name": name}).status_code == 201
    give(stage, "founder", VERBS, "acme")
    return stage.as_(DAVE)


def give(stage: Stage, role: str, verbs: tuple[str, ...], domain: str) -> None:
    alice = stage.as_(ALICE)
    body = {"name": role, "permissions": [f"domains:{verb}" for verb in verbs]}
    assert alice.post("/v1/roles", json=body).status_code == 201
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/{role}"
    assert alice.put(path, json={"domain": domain}).status_code == 201


def listed(caller: Caller, arguments: str = "", limit: int = 200) -> list[str]:
    return [one["name"] for one in caller.every("/v1/domains", arguments, limit=limit)]


@pytest.mark.parametrize("limit", [1, 2, 200])
def test_a_list_has_the_domains_in_which_the_caller_reads(stage: Stage, dave: Caller, limit: int) -> None:
    assert listed(dave, limit=limit) == MINE
    assert dave.get("/v1/domains?count=true").json["total"] == 3
    assert listed(dave, "&under=acme.eu", limit) == MINE[1:]
    assert listed(dave, "&under=root", limit) == MINE
    assert listed(stage.as_(ALICE), limit=limit) == [ROOT, *DOMAINS]


@pytest.mark.parametrize("name", ["globex", "globex.us", "acme-eu", "none", "acme.none"])
def test_what_may_not_be_read_is_unknown(dave: Caller, name: str) -> None:
    unknown = dave.get("/v1/domains/no-such").json
    for answer in (
        dave.get(f"/v1/domains/{name}"),
        dave.get(f"/v1/domains?under={name}"),
        dave.patch(f"/v1/domains/{name}", json={"title": "Mine"}),
        dave.delete(f"/v1/domains/{name}"),
    ):
        assert (answer.status_code, answer.json["code"]) == (404, "domain.not_found")
        assert answer.json["detail"] == unknown["detail"]


def test_domains_are_made_changed_and_deleted_inside(stage: Stage, dave: Caller) -> None:
    made = dave.post("/v1/domains", json={"name": "acme.us", "title": "US"})
    assert (made.status_code, made.json["parent"]) == (201, "acme")
    assert dave.patch("/v1/domains/acme.us", json={"title": "USA"}).json["title"] == "USA"
    assert dave.delete("/v1/domains/acme.us").status_code == 204
    told = [(one["action"], one["domain"]) for one in stage.events() if one["target_name"] == "acme.us"]
    assert told == [
        ("domain.created", "acme.us"),
        ("domain.updated", "acme.us"),
        ("domain.deleted", "acme.us"),
    ]
    assert dave.delete("/v1/domains/acme.eu").json["code"] == "domain.in_use"


def test_the_domain_itself_is_of_its_parent(dave: Caller) -> None:
    assert dave.get("/v1/domains/acme").json["name"] == "acme"
    for answer in (
        dave.patch("/v1/domains/acme", json={"title": "Mine"}),
        dave.delete("/v1/domains/acme"),
        dave.patch("/v1/domains/root", json={"title": "Mine"}),
        dave.post("/v1/domains", json={"name": "fourth"}),
    ):
        assert (answer.status_code, answer.json["code"]) == (403, "access.denied")


@pytest.mark.parametrize("name", ["globex.mine", "none.mine", "acme-eu.mine", "globex", "root"])
def test_nothing_is_made_elsewhere_nor_told_about_it(stage: Stage, dave: Caller, name: str) -> None:
    answer = dave.post("/v1/domains", json={"name": name})
    assert (answer.status_code, answer.json["code"]) == (403, "access.denied")
    assert listed(stage.as_(ALICE)) == [ROOT, *DOMAINS]


def test_who_reads_only_may_not_change(stage: Stage, dave: Caller) -> None:
    give(stage, "looker", ("read",), "globex")
    assert listed(dave) == [*MINE, "globex", "globex.us"]
    answer = dave.patch("/v1/domains/globex.us", json={"title": "Mine"})
    assert (answer.status_code, answer.json["domain"]) == (403, "globex")


def test_a_service_that_asks_at_the_domain_itself_is_caught(
    dave: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: a domain decides over itself."""
    monkeypatch.setattr(service, "parent_of", lambda name: name)
    assert dave.patch("/v1/domains/acme", json={"title": "Mine"}).status_code == 200
