"""Domains: made under a parent that exists, described, listed by subtree, and deleted when nothing lives there."""

import json

import pytest

from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE


def made(alice: Caller, *names: str) -> None:
    for name in names:
        assert alice.post("/v1/domains", json={"name": name}).status_code == 201, name


def names(alice: Caller, query: str = "") -> list[str]:
    return [one["name"] for one in alice.every("/v1/domains", query, limit=2)]


def test_a_domain_is_made_read_changed_and_deleted(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    new = alice.post("/v1/domains", json={"name": "acme", "title": "Acme", "description": "A customer"})
    assert (new.status_code, new.headers["Location"]) == (201, "/v1/domains/acme")
    assert new.json == alice.get("/v1/domains/acme").json
    assert (new.json["name"], new.json["parent"], new.json["title"], new.json["description"]) == (
        "acme", "root", "Acme", "A customer",
    )  # fmt: skip

    changed = alice.patch("/v1/domains/acme", json={"title": None, "description": "Gone soon"})
    assert (changed.status_code, changed.json["title"], changed.json["description"]) == (
        200,
        None,
        "Gone soon",
    )
    assert alice.patch("/v1/domains/acme", json={}).json == changed.json
    assert alice.delete("/v1/domains/acme").status_code == 204
    assert alice.get("/v1/domains/acme").json["code"] == "domain.not_found"

    events = [event for event in stage.events() if event["target_type"] == "domain"]
    assert [event["action"] for event in events] == ["domain.created", "domain.updated", "domain.deleted"]
    assert json.loads(events[0]["after"]) == {"name": "acme", "title": "Acme", "description": "A customer"}
    assert json.loads(events[1]["before"]) == {"title": "Acme", "description": "A customer"}
    assert json.loads(events[2]["before"]) == {"name": "acme", "description": "Gone soon"}


def test_the_parent_of_a_domain_exists(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    assert alice.post("/v1/domains", json={"name": "acme.eu"}).json["code"] == "domain.not_found"
    made(alice, "acme", "acme.eu", "acme.eu.shop-1")
    assert alice.get("/v1/domains/acme.eu.shop-1").json["parent"] == "acme.eu"
    assert alice.post("/v1/domains", json={"name": "acme.eu"}).json["code"] == "domain.name_taken"


@pytest.mark.parametrize(
    "name",
    [
        "Acme",
        "acme.",
        ".acme",
        "a..b",
        "root.acme",
        "a" * 64,
        "a.b.c.d.e.f.g.h.i",
        "açme",
        "аcme",
        "acme ",
        "",
    ],
)
def test_what_is_no_name_of_a_domain_is_refused(stage: Stage, name: str) -> None:
    answer = stage.as_(ALICE).post("/v1/domains", json={"name": name})
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/name")


def test_root_is_always_there_and_stays_as_it_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    assert alice.get("/v1/domains/root").json["parent"] is None
    assert alice.post("/v1/domains", json={"name": "root"}).json["code"] == "domain.name_taken"
    assert alice.patch("/v1/domains/root", json={"title": "All"}).json["code"] == "domain.system"
    assert alice.delete("/v1/domains/root").json["code"] == "domain.system"


def test_a_list_has_root_first_and_knows_subtrees_from_names_alike(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    assert names(alice) == ["root"]
    made(alice, "acme", "acme.eu", "acme-2", "acme2", "globex", "acme.eu.shop", "acme-2.eu")
    assert names(alice) == [
        "root",
        "acme",
        "acme-2",
        "acme-2.eu",
        "acme.eu",
        "acme.eu.shop",
        "acme2",
        "globex",
    ]
    assert names(alice, "&under=acme") == ["acme", "acme.eu", "acme.eu.shop"]
    assert names(alice, "&under=acme-2") == ["acme-2", "acme-2.eu"]
    assert names(alice, "&under=root") == names(alice)
    assert [one["name"] for one in alice.every("/v1/domains", limit=1)] == names(alice)
    assert alice.get("/v1/domains?limit=1&count=true").json["total"] == 8
    assert alice.get("/v1/domains?under=acme&count=true").json["total"] == 3
    assert alice.get("/v1/domains?under=none").json["code"] == "domain.not_found"
    assert alice.get("/v1/domains?under=acme%25").status_code == 422


def test_a_domain_with_a_domain_or_an_assignment_in_it_stays(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    made(alice, "acme", "acme.eu")
    refused = alice.delete("/v1/domains/acme")
    assert (refused.status_code, refused.json["code"]) == (409, "domain.in_use")
    assert "acme.eu" in refused.json["detail"]

    assert alice.put(dave, json={"domain": "acme.eu", "starts_at": "2999-01-01T00:00:00Z"}).status_code == 201
    refused = alice.delete("/v1/domains/acme.eu")
    assert (refused.json["code"], "an assignment" in refused.json["detail"]) == ("domain.in_use", True)
    carol = f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"
    assert alice.put(carol, json={"domain": "acme.eu"}).status_code == 201
    assert "2 assignments" in alice.delete("/v1/domains/acme.eu").json["detail"]

    assert alice.delete(f"{dave}?domain=acme.eu").status_code == 204
    assert alice.delete(f"{carol}?domain=acme.eu").status_code == 204
    assert alice.delete("/v1/domains/acme.eu").status_code == 204
    assert alice.delete("/v1/domains/acme").status_code == 204


def test_a_domain_made_again_under_its_name_revives_nothing(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    question = f"{path}/access?permission=users:read&domain=acme"
    made(alice, "acme")
    alice.put(f"{path}/roles/auditor", json={"domain": "acme"})
    assert alice.get(question).json["decision"] is True
    assert alice.delete("/v1/domains/acme").status_code == 409
    alice.delete(f"{path}/roles/auditor?domain=acme")
    assert alice.delete("/v1/domains/acme").status_code == 204

    assert alice.get(question).json["code"] == "domain.not_found"
    assert alice.put(f"{path}/roles/auditor", json={"domain": "acme"}).json["code"] == "domain.not_found"
    made(alice, "acme")
    assert alice.get(question).json["decision"] is False
    assert alice.get(f"{path}/roles").json["direct"] == []


def test_the_outermost_domains_are_made_and_changed_by_permissions_at_root(stage: Stage) -> None:
    alice, bob, carol = stage.as_(ALICE), stage.as_(BOB), stage.as_(CAROL)
    made(alice, "acme")
    assert carol.get("/v1/domains").status_code == 200
    assert (
        alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/admin", json={"domain": "acme"}).status_code == 201
    )
    for method, path, body in (
        ("POST", "/v1/domains", {"name": "other"}), ("PATCH", "/v1/domains/acme", {"title": "Mine"}), ("DELETE", "/v1/domains/acme", None),
    ):  # fmt: skip
        assert bob.call(method, path, json=body).status_code == 403, (method, path)


def test_i_see_where_i_may_do_something(stage: Stage) -> None:
    alice, bob, dave = stage.as_(ALICE), stage.as_(BOB), stage.as_(DAVE)
    made(alice, "acme", "acme.eu", "acme2", "globex", "globex.us")
    for domain in ("acme", "globex.us"):
        alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager", json={"domain": domain})

    def where(caller: Caller, permission: str, limit: int = 1) -> list[str]:
        found = caller.every("/v1/me/domains", f"&permission={permission}", limit=limit)
        return [one["name"] for one in found]

    assert (
        where(dave, "invoices:read") == where(dave, "invoices:read", 200) == ["acme", "acme.eu", "globex.us"]
    )
    assert where(dave, "payments:release") == []
    assert where(bob, "invoices:read") == ["root", "acme", "acme.eu", "acme2", "globex", "globex.us"]
    assert dave.get("/v1/me/domains?permission=invoices:read&count=true").json["total"] == 3
    assert dave.get("/v1/me/domains?permission=no:such").json["code"] == "permission.not_found"
    assert dave.get("/v1/me/domains").status_code == 422


def test_many_domains_are_looked_at_in_portions(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from rbac_api.capabilities.domains import own_domains

    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    made(alice, *(f"t{n}" for n in range(6)))
    for domain in ("t1", "t4"):
        alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager", json={"domain": domain})
    monkeypatch.setattr(own_domains, "PORTION", 2)
    monkeypatch.setattr(own_domains, "PORTIONS", 1)
    monkeypatch.setattr(own_domains, "MAX_RANGES", 1)
    assert dave.get("/v1/me/domains?permission=invoices:read").json["next"]
    found = dave.every("/v1/me/domains", "&permission=invoices:read")
    assert [one["name"] for one in found] == ["t1", "t4"]
