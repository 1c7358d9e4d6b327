"""Policy documents have a section ``domains``: made before what is assigned there, removed when nothing is left there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rbac_api.capabilities.policy import engine
from rbac_api.capabilities.policy.service import load_document, seed
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.document import DocumentRefused, read_document
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply, everything, export, plan, trusted_bob
from tests.cast import ALICE, DAVE
from tests.cli.conftest import Shell, shell

__all__ = ["shell"]  # a fixture
ACME = [{"name": "acme.eu", "description": "In Europe."}, {"name": "acme", "title": "Acme AS"}]
HELD = [{"user": "dave", "role": "role-manager", "domain": "acme.eu"}]
DOCUMENT: dict[str, Any] = {"domains": ACME, "assignments": HELD}
NOTHING_TO_DO = "0 to add, 0 to change, 0 to remove"


def revert(alice: Caller, seq: int) -> Any:
    return alice.post("/v1/policy/revert", json={"seq": seq})


def names(stage: Stage) -> list[str]:
    rows = stage.query("SELECT name FROM domains WHERE valid_to IS NULL ORDER BY name")
    return [str(name) for (name,) in rows]


def codes(found: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["step"], one["code"]) for one in found["refusals"]]


def test_a_document_makes_the_domains_that_its_assignments_name(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    before = alice.get("/v1/policy").data

    found = plan(alice, DOCUMENT)
    assert [one["name"] for one in found["created"]["domains"]] == ["acme", "acme.eu"]
    assert (found["refusals"], found["summary"]) == ([], "3 to add, 0 to change, 0 to remove")
    done = apply(alice, DOCUMENT)
    assert done.status_code == 200, done.json

    assert alice.get("/v1/domains/acme").json["title"] == "Acme AS"
    assert alice.get("/v1/users/dave/access?permission=roles:update&domain=acme.eu").json["decision"] is True
    assert export(alice)["domains"] == [{"name": "acme", "title": "Acme AS", "description": ""}, ACME[0]]
    assert plan(alice, export(alice), prune=True)["summary"] == NOTHING_TO_DO
    assert revert(alice, done.json["seq"]).status_code == 200
    assert (names(stage), alice.get("/v1/policy").data) == ([], before)


def test_an_entry_leaves_an_event_as_the_single_change_does(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    apply(alice, {"domains": [{"name": "acme", "title": ""}]})
    apply(alice, {"domains": []}, prune=True)
    events = [
        (one["action"], one["target_id"])
        for one in stage.events()
        if str(one["action"]).startswith("domain.")
    ]
    assert events == [
        ("domain.created", "acme"), ("domain.created", "acme.eu"), ("domain.updated", "acme"),
        ("domain.deleted", "acme.eu"), ("domain.deleted", "acme"),
    ]  # fmt: skip


def test_texts_change_and_come_back_and_change_the_tag(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    first = alice.get("/v1/policy")
    found = plan(alice, {"domains": [{"name": "acme", "title": None, "description": "A customer."}]})
    change = {"name": "acme", "before": {"title": "Acme AS", "description": ""}}
    assert found["changed"]["domains"] == [{**change, "after": {"title": None, "description": "A customer."}}]
    done = apply(alice, {"domains": [{"name": "acme", "title": None, "description": "A customer."}]}).json
    assert alice.get("/v1/policy").headers["ETag"] != first.headers["ETag"]
    assert plan(alice, {"domains": [{"name": "acme"}]})["summary"] == NOTHING_TO_DO  # texts are kept
    assert revert(alice, done["seq"]).status_code == 200
    assert alice.get("/v1/policy").json == first.json
    alice.patch("/v1/domains/acme", json={"title": "Other"})
    assert apply(alice, {"domains": []}, tag=first.headers["ETag"]).status_code == 412


def test_pruning_removes_domains_after_what_is_assigned_there_and_a_revert_makes_them_again(
    stage: Stage,
) -> None:
    alice = stage.as_(ALICE)
    apply(alice, DOCUMENT)
    before = alice.get("/v1/policy").data
    rest = [one for one in export(alice)["assignments"] if one["user"] != "dave"]

    found = plan(alice, {"domains": [], "assignments": rest}, prune=True)
    assert [one["name"] for one in found["removed"]["domains"]] == ["acme.eu", "acme"]
    assert found["refusals"] == []
    done = apply(alice, {"domains": [], "assignments": rest}, prune=True).json
    assert names(stage) == []
    assert revert(alice, done["seq"]).status_code == 200
    assert alice.get("/v1/policy").data == before


def test_a_document_without_the_section_removes_no_domain(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    rest = {key: value for key, value in export(alice).items() if key != "domains"}
    assert plan(alice, rest, prune=True)["summary"] == NOTHING_TO_DO


def test_a_domain_in_use_is_not_removed(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, DOCUMENT)
    apply(alice, {"domains": [{"name": "globex"}, {"name": "globex.eu"}]})
    alice.post("/v1/users", json={"username": "gail", "home": "globex.eu"})
    before = everything(stage)

    found = plan(alice, {"domains": []}, prune=True)

    assert codes(found) == [
        (f"domain.delete {name}", "domain.in_use") for name in ("globex.eu", "globex", "acme.eu", "acme")
    ]
    details = [one["detail"] for one in found["refusals"]]
    assert details[0].startswith("The home of a user or a service account is globex.eu.")
    assert details[1] == "The domain globex.eu is in globex. Delete it first."
    assert details[2].startswith("At acme.eu an assignment counts, now or later.")
    refused = apply(alice, {"domains": []}, prune=True)
    assert (refused.status_code, refused.json["code"]) == (409, "domain.in_use")
    assert everything(stage)[:-1] == before[:-1]


@pytest.mark.parametrize("twin", [False, True])
def test_a_home_that_came_between_computing_and_writing_is_seen_under_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, twin: bool
) -> None:
    """An account is no part of the policy's revision. The twin does not look again, and loses the home."""
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    right, times = engine.with_outdated, list[int]()

    def interrupted(work: Any) -> Any:
        if not times:
            times.append(1)
            made = alice.post("/v1/users", json={"username": "gail", "home": "acme.eu"})
            assert made.status_code == 201, made.json
        return right(work)

    monkeypatch.setattr(engine, "with_outdated", interrupted)
    if twin:
        monkeypatch.setattr(engine, "settle_homes", lambda _clearance, _names: None)
    answer = apply(alice, {"domains": []}, prune=True)

    assert times
    if twin:
        assert (answer.status_code, names(stage)) == (200, [])
    else:
        assert (answer.status_code, answer.json["code"]) == (409, "domain.in_use")
        assert names(stage) == ["acme", "acme.eu"]


def test_deleted_accounts_of_pruned_domains_are_at_home_in_what_is_left(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    made = alice.post("/v1/users", json={"username": "gail", "home": "acme.eu"})
    alice.delete("/v1/users/gail", headers={"If-Match": made.headers["ETag"]})
    assert apply(alice, {"domains": []}, prune=True).status_code == 200
    rows = stage.query("SELECT home FROM users WHERE username_canonical = 'gail'")
    assert [home for (home,) in rows] == ["root"]


def test_each_step_needs_the_permission_of_the_single_change(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), trusted_bob(stage)
    found = plan(bob, {"domains": [*ACME, {"name": "role-manager"}], "roles": [{"name": "acme"}]})
    assert codes(found) == [
        ("domain.create acme", "access.denied"),
        ("domain.create role-manager", "access.denied"),
    ]
    assert [one["name"] for one in found["created"]["roles"]] == ["acme"]  # a role, not the domain
    hopeless = plan(bob, DOCUMENT)
    assert codes(hopeless) == [
        ("domain.create acme", "access.denied")  # what needs it is no news
    ]
    apply(alice, DOCUMENT)
    alice.put("/v1/roles/role-manager/permissions/domains:create")
    found = plan(bob, {"domains": [{"name": "acme.no"}, {"name": "acme", "title": "x"}]}, prune=True)
    assert codes(found) == [
        ("domain.update acme", "access.denied"),
        ("domain.delete acme.eu", "access.denied"),
    ]


def test_what_is_named_has_to_exist_or_to_be_listed(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    for document, prune, pointer in (
        ({"domains": [{"name": "acme.no"}, {"name": "globex.no"}]}, False, "/domains/1/name"),
        ({"domains": [{"name": "acme.eu"}]}, True, "/domains/0/name"),
        ({"domains": [{"name": "acme"}], "assignments": HELD}, True, "/assignments/0/domain"),
        ({"domains": [{"name": "root"}]}, False, "/domains/0/name"),
    ):
        refused = alice.post(f"/v1/policy/plan?prune={str(prune).lower()}", json=document)
        faults = [one["pointer"] for one in refused.json["errors"]]
        assert (refused.status_code, faults) == (422, [pointer]), document
    twice = alice.post("/v1/policy/plan", json={"domains": [*ACME, ACME[0]]}).json["errors"][0]
    assert "acme.eu comes 2 times" in twice["detail"]


@pytest.mark.parametrize(
    ("since", "named"),
    [
        (("PATCH", "/v1/domains/acme", {"title": "Other"}), "domain acme: title"),
        (("DELETE", "/v1/domains/acme.eu", None), "domain acme.eu"),
        (("POST", "/v1/domains", {"name": "acme.no"}), "domain.delete acme: The domain acme.no is in acme."),
        (("PUT", "/v1/users/dave/roles/auditor", {"domain": "acme.eu"}), "domain.delete acme.eu: At acme.eu an assignment"),
    ],
)  # fmt: skip
def test_later_changes_are_not_overwritten(stage: Stage, since: tuple[str, str, Any], named: str) -> None:
    alice = stage.as_(ALICE)
    seq = apply(alice, {"domains": ACME}).json["seq"]
    method, path, body = since
    send = {"PATCH": alice.patch, "PUT": alice.put, "POST": alice.post, "DELETE": alice.delete}[method]
    assert send(path, json=body).status_code in (200, 201, 204)
    refused = revert(alice, seq)
    assert (refused.status_code, refused.json["code"]) == (409, "policy.not_revertible")
    assert refused.json["changed"][0].startswith(named), refused.json


def test_a_domain_is_not_made_again_where_its_parent_is_gone(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"domains": ACME})
    seq = apply(alice, {"domains": [{"name": "acme"}]}, prune=True).json["seq"]
    alice.delete("/v1/domains/acme")
    refused = revert(alice, seq)
    assert (refused.status_code, refused.json["code"]) == (409, "policy.not_revertible")


def test_a_seed_adds_domains_once(stage: Stage) -> None:
    document = read_document({**DOCUMENT, "users": [{"username": "Gail"}]})
    with operator_unit(stage.settings, stage.database) as clearance:
        assert seed(clearance, document, "acme.yaml", lambda _n: None).domains == 2
    with operator_unit(stage.settings, stage.database) as clearance:
        assert load_document(clearance, document, "acme.yaml").total == 0
    assert names(stage) == ["acme", "acme.eu"]
    assert (
        stage.as_(ALICE).get(f"/v1/users/{stage.user_id(DAVE)}/roles").json["direct"][0]["domain"]
        == "acme.eu"
    )


def test_a_seed_lets_people_be_at_home_where_it_says(stage: Stage) -> None:
    people = [
        {"username": "Gail", "home": "acme.eu"},
        {"username": "Hal", "home": "root"},
        {"username": "Ivy"},
    ]
    document = read_document({"domains": ACME, "users": people})
    with operator_unit(stage.settings, stage.database) as clearance:
        assert seed(clearance, document, "acme.yaml", lambda _n: None).users == 3
    found = stage.query(
        "SELECT username, home FROM users WHERE username IN ('Gail', 'Hal', 'Ivy') ORDER BY 1"
    )
    assert found == [("Gail", "acme.eu"), ("Hal", "root"), ("Ivy", "root")]
    made = [one["domain"] for one in stage.events() if one["action"] == "user.created"][-3:]
    assert made == ["acme.eu", None, None]
    moved = read_document({"users": [{"username": "gail", "home": "acme"}]})
    with operator_unit(stage.settings, stage.database) as clearance:
        assert load_document(clearance, moved, "acme.yaml").total == 0  # a seed only adds
    unknown = read_document({"users": [{"username": "Jan", "home": "globex"}]})
    with (
        operator_unit(stage.settings, stage.database) as clearance,
        pytest.raises(DocumentRefused, match="user Jan: the domain globex, the home, is unknown"),
    ):
        load_document(clearance, unknown, "acme.yaml")


def test_the_command_line_shows_domains(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    apply(stage.as_(ALICE), {"domains": [{"name": "globex"}, {"name": "acme"}]})
    file = tmp_path / "policy.json"
    file.write_text(json.dumps({"domains": ACME}))
    drift = shell("policy", "drift", "--file", str(file)).stdout
    assert "+ domain acme.eu (description: In Europe.)\n" in drift
    assert "- domain globex\n" in drift
    assert "~ domain acme (title: - -> Acme AS)" in drift
