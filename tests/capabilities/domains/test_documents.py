"""Policy documents and tables carry the domain of assignments: a revert that lost it would hand a role out everywhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.policy.stories import apply, export, plan, trusted_bob
from tests.cast import ALICE, DAVE
from tests.cli.conftest import Shell, shell

__all__ = ["shell"]  # a fixture
THERE = {"assignments": [{"user": "dave", "role": "role-manager", "domain": "acme", "reason": "Helps"}]}
EVERYWHERE = {"assignments": [{"user": "dave", "role": "role-manager"}]}


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """An administrator, and two domains."""
    found = stage.as_(ALICE)
    for name in ("acme", "acme.eu"):
        assert found.post("/v1/domains", json={"name": name}).status_code == 201
    return found


def held(stage: Stage) -> list[tuple[str, str]]:
    """What dave has that is not over."""
    rows = stage.query(
        "SELECT r.name, a.domain FROM assignments a JOIN roles r ON r.id = a.role_id WHERE a.valid_to IS NULL"
        " AND a.user_id = (SELECT id FROM users WHERE username_canonical = 'dave') ORDER BY a.domain"
    )
    return [(str(role), str(domain)) for role, domain in rows]


def of_dave(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in document["assignments"] if one.get("user") == "dave"]


def test_a_plan_shows_where_and_what_is_gained_there(stage: Stage, alice: Caller) -> None:
    found = plan(alice, THERE)
    assert [one["domain"] for one in found["created"]["assignments"]] == ["acme"]
    assert [(one["user"]["username"], one["domain"]) for one in found["gains"]] == [("dave", "acme")]
    assert "invoices:read" in found["gains"][0]["permissions"]
    both = plan(alice, {"assignments": [*THERE["assignments"], *EVERYWHERE["assignments"]]})
    assert [one.get("domain") for one in both["gains"]] == [None]  # at acme nothing more than everywhere
    assert found["refusals"] == both["refusals"] == []


def test_apply_export_and_revert_carry_the_domain(stage: Stage, alice: Caller) -> None:
    applied = apply(alice, THERE).json
    assert held(stage) == [("role-manager", "acme")]
    assert of_dave(export(alice)) == [
        {"user": "dave", "role": "role-manager", "domain": "acme", "reason": "Helps"}
    ]
    assert plan(alice, export(alice), prune=True)["summary"] == "0 to add, 0 to change, 0 to remove"

    pruned = apply(alice, {"assignments": [{"user": "alice", "role": "admin"}]}, prune=True).json
    assert held(stage) == []
    back = alice.post("/v1/policy/revert", json={"seq": pruned["seq"]})
    assert back.status_code == 200, back.json
    assert held(stage) == [("role-manager", "acme")]
    assert alice.post("/v1/policy/revert", json={"seq": applied["seq"]}).status_code == 200
    assert held(stage) == []


def test_a_revert_ends_only_the_assignment_at_its_domain(stage: Stage, alice: Caller) -> None:
    apply(alice, EVERYWHERE)
    applied = apply(alice, THERE).json
    assert held(stage) == [("role-manager", "acme"), ("role-manager", "root")]
    changed = {"assignments": [{**THERE["assignments"][0], "expires_at": "2040-01-01T00:00:00Z"}]}
    again = apply(alice, changed).json
    assert alice.post("/v1/policy/revert", json={"seq": again["seq"]}).status_code == 200
    assert alice.post("/v1/policy/revert", json={"seq": applied["seq"]}).status_code == 200
    assert held(stage) == [("role-manager", "root")]


def test_a_revert_into_a_domain_that_is_gone_is_refused(stage: Stage, alice: Caller) -> None:
    apply(alice, THERE)
    pruned = apply(alice, {"assignments": [{"user": "alice", "role": "admin"}]}, prune=True).json
    assert alice.delete("/v1/domains/acme.eu").status_code == 204
    assert alice.delete("/v1/domains/acme").status_code == 204
    refused = alice.post("/v1/policy/revert", json={"seq": pruned["seq"]})
    assert (refused.status_code, refused.json["code"]) == (409, "policy.not_revertible")
    assert "at acme" in refused.json["changed"][0]


def test_a_document_that_names_an_unknown_domain_is_refused(stage: Stage, alice: Caller) -> None:
    for domain, code in (
        ("none", "policy.name_unknown"),
        ("ACME", "field.invalid"),
        ("", "field.invalid"),
        (None, "field.invalid"),
    ):
        document = {"assignments": [{"user": "dave", "role": "role-manager", "domain": domain}]}
        refused = alice.post("/v1/policy/plan", json=document)
        assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, code), domain
        assert refused.json["errors"][0]["pointer"] == "/assignments/0/domain"
    twice = {"assignments": [*THERE["assignments"], *THERE["assignments"]]}
    assert (
        "with role-manager at acme comes 2 times"
        in alice.post("/v1/policy/plan", json=twice).json["errors"][0]["detail"]
    )
    root = {"assignments": [{"user": "alice", "role": "admin", "domain": "root"}]}
    assert plan(alice, root)["summary"] == "0 to add, 0 to change, 0 to remove"


def test_drift_knows_the_domain(stage: Stage, shell: Shell, alice: Caller, tmp_path: Path) -> None:
    apply(alice, THERE)
    (tmp_path / "policy.json").write_text(json.dumps(EVERYWHERE))
    drift = shell("policy", "drift", "--file", str(tmp_path / "policy.json"))
    assert "+ assignment dave has role-manager\n" in drift.stdout
    assert "- assignment dave has role-manager at acme (reason: Helps)\n" in drift.stdout
    shown = shell("policy", "plan", "--file", str(tmp_path / "policy.json"), "--prune").stdout
    assert "- dave at acme:" not in shown  # what dave may do there, dave may do everywhere
    (tmp_path / "policy.json").write_text(json.dumps({"assignments": [{"user": "alice", "role": "admin"}]}))
    assert (
        "- dave at acme:"
        in shell("policy", "plan", "--file", str(tmp_path / "policy.json"), "--prune").stdout
    )


def test_guards_know_the_domain(stage: Stage, alice: Caller) -> None:
    bob = trusted_bob(stage)
    found = plan(bob, {"assignments": [{"user": "dave", "role": "admin", "domain": "acme"}]})
    assert [one["code"] for one in found["refusals"]] == ["escalation.denied"]
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/admin", json={"domain": "acme.eu"})
    found = plan(bob, {"assignments": [{"user": "dave", "role": "role-manager", "domain": "root"}]})
    assert [one["code"] for one in found["refusals"]] == ["target.stronger"]
    eligible = {
        "assignments": [{"user": "carol", "role": "role-manager", "domain": "acme", "mode": "eligible"}]
    }
    assert "root only" in plan(alice, eligible)["refusals"][0]["detail"]


def test_the_last_administrator_of_a_document_is_one_at_root(stage: Stage, alice: Caller) -> None:
    document = {
        "assignments": [{"user": name, "role": "admin", "domain": "acme"} for name in ("alice", "dave")]
    }
    found = plan(alice, document, prune=True)
    assert "admin.last" in {one["code"] for one in found["refusals"]}


def test_what_is_taken_away_at_a_domain_and_used_is_named(stage: Stage, alice: Caller) -> None:
    apply(alice, THERE)
    question = {
        "subject": {"type": "user", "id": "dave"},
        "action": {"name": "read"},
        "resource": {"type": "invoices", "id": "1", "properties": {"domain": "acme"}},
    }
    assert alice.post("/access/v1/evaluation", json=question).json["decision"] is True
    stage.guard.runtime.uses.flush()
    rest = {"assignments": [one for one in export(alice)["assignments"] if one.get("user") != "dave"]}
    found = plan(alice, rest, prune=True)
    assert [one["permission"] for one in found["in_use"]] == ["invoices:read"]
    assert [one["domain"] for one in found["losses"]] == ["acme"]


def test_a_table_has_a_column_for_the_domain(
    stage: Stage, shell: Shell, alice: Caller, tmp_path: Path
) -> None:
    rows = "user,role,domain\ndave,role-manager,acme\ndave,role-manager,\ndave,role-manager,acme.eu\n"
    (tmp_path / "rows.csv").write_text(rows)
    assert shell.json("assignments", "import", str(tmp_path / "rows.csv"))["created"] == 3
    assert held(stage) == [("role-manager", "acme"), ("role-manager", "acme.eu"), ("role-manager", "root")]
    assert shell.json("assignments", "import", str(tmp_path / "rows.csv"))["unchanged"] == 3
    for wrong, words in (("none", "no domain"), ("ACME", "is not a domain name")):
        (tmp_path / "wrong.csv").write_text(f"user,role,domain\ncarol,role-manager,{wrong}\n")
        refused = shell("assignments", "import", str(tmp_path / "wrong.csv"))
        assert (refused.exit_code, words in refused.output) == (1, True), refused.output


def test_the_shell_asks_about_a_domain(stage: Stage, shell: Shell, alice: Caller) -> None:
    apply(alice, THERE)
    asked = ("dave", "invoices:read")
    assert shell("can", *asked, "--domain", "acme.eu").exit_code == 0
    assert shell("can", *asked).exit_code == 3
    assert "role-manager at acme was assigned" in shell("explain", *asked, "--domain", "acme").output
    assert {
        one["user"]["username"] for one in shell.json("who-can", "invoices:read", "--domain", "acme")
    } == {"alice", "bob", "dave"}
    assert shell("can", *asked, "--domain", "none").exit_code == 1
    assert shell("can", *asked, "--domain", "NONE").exit_code == 2
