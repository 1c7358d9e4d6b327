"""The policy of a past time is what its export was then, with the same revision."""

from __future__ import annotations

from typing import Any

from rbac_api import clock
from rbac_api.formats.strict_yaml import parse_yaml
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE

YAML = {"Accept": "application/yaml"}


def changed_permission(alice: Caller) -> None:
    """The one change of a permission that is made in place."""
    tag = alice.get("/v1/policy").headers["ETag"]
    document = {
        "permissions": [{"name": "invoices:read", "title": "Read", "description": "Read all invoices."}]
    }
    answer = alice.post("/v1/policy/apply", json=document, headers={"If-Match": tag})
    assert answer.status_code == 200, answer.text


def changes(stage: Stage, alice: Caller) -> Any:
    """Every kind of change that a document can show, one after another."""
    yield lambda: alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    yield lambda: alice.post("/v1/roles", json={"name": "chief", "title": "Chief"})
    yield lambda: alice.put("/v1/roles/chief/inherits/clerk")
    yield lambda: alice.patch_now("/v1/roles/clerk", {"description": "Reads.", "requires_mfa": True})
    yield lambda: alice.put("/v1/users/dave/roles/chief", json={"reason": "for a while"})
    yield lambda: alice.put("/v1/users/carol/roles/clerk", json={"mode": "eligible"})
    yield lambda: make_robot(stage, "auditor")
    yield lambda: alice.post("/v1/domains", json={"name": "acme", "title": "Acme"})
    yield lambda: alice.patch("/v1/domains/acme", json={"title": "Acme AS", "description": "A customer."})
    yield lambda: alice.patch("/v1/domains/acme", json={"title": None})
    yield lambda: alice.post("/v1/domains", json={"name": "globex"})
    yield lambda: alice.delete("/v1/domains/acme")
    yield lambda: alice.post("/v1/domains", json={"name": "acme"})
    yield lambda: changed_permission(alice)
    rule = {"name": "rule", "kind": "static", "roles": ["chief", "auditor"], "limit": 2}
    yield lambda: alice.post("/v1/constraints", json=rule)
    yield lambda: alice.delete("/v1/users/carol/roles/clerk")
    yield lambda: alice.delete("/v1/roles/chief/inherits/clerk")
    yield lambda: alice.delete("/v1/constraints/rule")
    yield lambda: alice.delete(
        "/v1/roles/chief?force=true", headers={"If-Match": alice.get("/v1/roles/chief").headers["ETag"]}
    )
    yield lambda: alice.post("/v1/roles", json={"name": "chief", "description": "Another one."})
    yield lambda: alice.delete(
        "/v1/users/bob", headers={"If-Match": alice.get("/v1/users/bob").headers["ETag"]}
    )


def seen(alice: Caller, query: str = "") -> tuple[Any, str]:
    """The document, the same in both forms, and the revision; without the ends that became known later."""
    answer = alice.get(f"/v1/policy{query}")
    assert answer.status_code == 200, answer.text
    document: Any = answer.json
    assert parse_yaml(alice.get(f"/v1/policy{query}", headers=YAML).text) == document
    for assignment in document["assignments"]:
        assignment.pop("expires_at", None)
    return document, answer.headers["ETag"]


def test_each_export_of_the_past_is_what_it_was(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    history = [(clock.rfc3339(clock.now()), seen(alice))]
    for change in changes(stage, alice):
        change()
        history.append((clock.rfc3339(clock.now()), seen(alice)))

    documents = [str(document) for _, (document, _) in history]
    assert len(set(documents)) == len(history), "each change shows"
    for number, (moment, was) in enumerate(history):
        now = seen(alice, f"?at={moment}")
        assert now[1] == was[1]
        for part in was[0]:
            assert now[0][part] == was[0][part], (number, part)


def test_before_the_first_start_there_was_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    answer = alice.get("/v1/policy?at=2020-01-01T00:00:00Z")

    assert answer.json == {
        "domains": [],
        "permissions": [],
        "roles": [],
        "constraints": [],
        "assignments": [],
    }
    assert answer.headers["ETag"] == '"0"'
    known = alice.get("/v1/policy?at=2020-01-01T00:00:00Z", headers={"If-None-Match": '"0"'})
    assert known.status_code == 304
    assert alice.get("/v1/policy?at=2999-01-01T00:00:00Z").json["errors"][0]["code"] == "at.future"
    plan = alice.post("/v1/policy/apply", json={"roles": []}, headers={"If-Match": '"0"'})
    assert plan.status_code == 412
