"""Which domains exist, as this worker remembers it: as fresh as the trail, whoever changes one, and bounded."""

from __future__ import annotations

import pytest

from rbac_api.guard.state import known_domains
from rbac_api.guard.state.known_domains import KnownDomains
from tests.builders import OpenNode, Stage
from tests.cast import ALICE, DAVE

QUESTION = {
    "subject": {"type": "user", "id": "dave"},
    "action": {"name": "read"},
    "resource": {"type": "invoices", "id": "1", "properties": {"domain": "acme"}},
}


def test_another_worker_knows_at_once_what_was_made_assigned_taken_away_and_deleted(
    stage: Stage, node: OpenNode
) -> None:
    alice, other = stage.as_(ALICE), node().as_(ALICE)

    def allowed() -> bool:
        return bool(other.post("/access/v1/evaluation", json=QUESTION).json["decision"])

    assert not allowed()
    alice.post("/v1/domains", json={"name": "acme"})
    assert not allowed()
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager", json={"domain": "acme"})
    assert allowed()
    alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager?domain=acme")
    assert not allowed()
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager")
    assert allowed()
    alice.delete("/v1/domains/acme")
    assert not allowed()


def test_names_are_remembered_up_to_a_bound(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_domains, "MAX_REMEMBERED", 3)
    known = KnownDomains(stage.database)
    assert known.among({f"none-{n}" for n in range(9)}) == frozenset()
    assert len(known._known) == 3
    assert known.among({"ACME", "", "a b", "root."}) == frozenset()
    assert len(known._known) == 3
    known.forget()
    assert known._known == {}


def test_what_was_read_before_a_change_is_not_remembered(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, careful = KnownDomains(stage.database), known_domains.domains.list_known

    def slow(*given: object) -> set[str]:
        found = careful(*given)  # type: ignore[arg-type]
        known.forget("acme")  # the domain is made meanwhile
        return found

    monkeypatch.setattr(known_domains.domains, "list_known", slow)
    assert not known.exists("acme")
    assert known._known == {}
    monkeypatch.undo()
    stage.as_(ALICE).post("/v1/domains", json={"name": "acme"})
    assert known.exists("acme")
