"""Titles: the names that other systems know roles and permissions by, on every path that makes, changes, shows and undoes them."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine

from rbac_api.capabilities.policy.service import load_document
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.document import read_document
from rbac_api.formats.strict_yaml import parse_yaml
from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply, export, plan
from tests.cast import ALICE

ROLE = {"name": "clerk", "title": "Kreditorenbuchhaltung (SAP: Z_FI)"}
PERMISSION = {"name": "s3:GetObject", "title": "S3 · Get Object", "description": "Get it."}
POLICY = {
    "permissions": [PERMISSION],
    "roles": [{**ROLE, "description": "Files.", "permissions": ["s3:GetObject"]}],
}


def titles(caller: Caller) -> tuple[Any, Any]:
    return tuple(
        caller.get(f"/v1/{path}").json["title"] for path in ("roles/clerk", "permissions/s3:GetObject")
    )  # type: ignore[return-value]


def said(stage: Stage, action: str, side: str) -> Any:
    return json.loads(stage.events(action)[-1][side])


def test_a_title_is_given_shown_changed_taken_away_and_told(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for path, body in (("roles", ROLE), ("permissions", PERMISSION)):
        made = alice.post(f"/v1/{path}", json=body)
        assert (made.status_code, made.json["title"]) == (201, body["title"])
        assert {item["name"]: item["title"] for item in alice.get(f"/v1/{path}?limit=200").json["items"]}[
            body["name"]
        ] == body["title"]
        assert said(stage, f"{path[:-1]}.created", "after")["title"] == body["title"]
    before = alice.get("/v1/roles/clerk").headers["ETag"]

    assert alice.patch_now("/v1/roles/clerk", {"title": "Other"}).json["title"] == "Other"
    assert alice.get("/v1/roles/clerk").headers["ETag"] != before
    assert (said(stage, "role.updated", "before"), said(stage, "role.updated", "after")) == (
        {"title": ROLE["title"]}, {"title": "Other"},
    )  # fmt: skip
    assert alice.patch_now("/v1/roles/clerk", {"title": None}).json["title"] is None
    alice.delete("/v1/permissions/s3:GetObject")
    assert said(stage, "permission.deleted", "before")["title"] == PERMISSION["title"]


@pytest.mark.parametrize("title", ["", "x" * 201, "a\nb", "a\x00", 7])
def test_what_cannot_be_a_title_is_refused(stage: Stage, title: Any) -> None:
    alice = stage.as_(ALICE)
    for path, body in (("roles", ROLE), ("permissions", PERMISSION)):
        refused = alice.post(f"/v1/{path}", json={**body, "title": title})
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/title")


def test_a_built_in_role_keeps_its_own(stage: Stage) -> None:
    assert stage.as_(ALICE).patch_now("/v1/roles/admin", {"title": "Boss"}).json["code"] == "role.system"


def test_titles_are_in_documents_in_both_forms_and_a_round_trip_changes_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = alice.get("/v1/policy").data
    found = plan(alice, POLICY)["created"]
    assert [found["roles"][0]["title"], found["permissions"][0]["title"]] == [
        ROLE["title"],
        PERMISSION["title"],
    ]

    seq = apply(alice, POLICY).json["seq"]

    assert titles(alice) == (ROLE["title"], PERMISSION["title"])
    document = export(alice)
    assert next(entry for entry in document["roles"] if entry["name"] == "clerk")["title"] == ROLE["title"]
    assert parse_yaml(alice.get("/v1/policy", headers={"Accept": "application/yaml"}).text) == document
    assert plan(alice, document, prune=True)["summary"] == "0 to add, 0 to change, 0 to remove"
    assert alice.post("/v1/policy/revert", json={"seq": seq}).status_code == 200
    assert alice.get("/v1/policy").data == first


OTHER = {"permissions": [{**PERMISSION, "title": "Other"}], "roles": [{**POLICY["roles"][0], "title": None}]}


def test_a_document_changes_titles_keeps_those_it_leaves_out_and_is_undone(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, POLICY)
    before = alice.get("/v1/policy").data
    silent = {
        section: [{k: v for k, v in entry.items() if k != "title"} for entry in POLICY[section]]
        for section in POLICY
    }
    assert plan(alice, silent)["summary"] == "0 to add, 0 to change, 0 to remove"

    done = apply(alice, OTHER).json

    assert done["changed"]["permissions"] == [
        {"name": "s3:GetObject", "before": {"title": PERMISSION["title"]}, "after": {"title": "Other"}}
    ]
    assert said(stage, "permission.updated", "after") == {"title": "Other"}
    assert titles(alice) == (None, "Other")
    assert alice.post("/v1/policy/revert", json={"seq": done["seq"]}).status_code == 200
    assert alice.get("/v1/policy").data == before
    pruned = apply(alice, {"roles": [], "permissions": []}, prune=True)
    assert pruned.status_code == 409, "the cast still has its role"


def test_what_was_pruned_comes_back_with_its_title_and_a_title_changed_since_is_not_overwritten(
    stage: Stage,
) -> None:
    alice = stage.as_(ALICE)
    bare = export(alice)
    apply(alice, POLICY)
    before = alice.get("/v1/policy").data
    pruned = apply(alice, {key: bare[key] for key in ("roles", "permissions")}, prune=True)
    assert pruned.status_code == 200, pruned.json
    assert alice.post("/v1/policy/revert", json={"seq": pruned.json["seq"]}).status_code == 200
    assert alice.get("/v1/policy").data == before

    seq = apply(alice, OTHER).json["seq"]
    alice.patch_now("/v1/roles/clerk", {"title": "By hand"})
    refused = alice.post("/v1/policy/revert", json={"seq": seq})
    assert (refused.json["code"], refused.json["changed"], refused.json["total"]) == (
        "policy.not_revertible", ["role clerk: title"], 1,
    )  # fmt: skip


def test_a_seed_brings_titles(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database) as clearance:
        load_document(clearance, read_document(POLICY), "tea.yaml")
    stage.guard.snapshot.forget()

    assert titles(stage.as_(ALICE)) == (ROLE["title"], PERMISSION["title"])


def test_a_title_of_then_is_shown_as_of_then(stage: Stage) -> None:
    with time_machine.travel("2041-01-01T00:00:00Z", tick=True):
        stage.as_(ALICE).post("/v1/roles", json=ROLE)
    with time_machine.travel("2041-01-02T00:00:00Z", tick=True):
        alice = stage.as_(ALICE)
        alice.patch_now("/v1/roles/clerk", {"title": "Later"})
        then = alice.get("/v1/roles/clerk?at=2041-01-01T12:00:00Z").json
        assert (then["title"], alice.get("/v1/roles/clerk").json["title"]) == (ROLE["title"], "Later")
