"""How much work policies may cause, and for whom: who may not plan is told first, one is worked out at a time, and nothing is endless."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from rbac_api.capabilities.policy import engine, service
from rbac_api.capabilities.policy import plan_queue as turns
from rbac_api.capabilities.policy.errors import PolicyChanging
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.document import read_document
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.guard.errors import AccessDenied
from tests.builders import Stage
from tests.capabilities.policy.stories import TEA, apply, everything, plan
from tests.cast import ALICE, CAROL, DAVE
from tests.faults.test_under_the_lock import rows_read
from tests.patience import PATIENCE

NOTHING: dict[str, list[Any]] = {
    "domains": [],
    "permissions": [],
    "roles": [],
    "constraints": [],
    "assignments": [],
}


def test_who_may_not_plan_costs_nothing(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    with rows_read(stage.database, writing=False) as rows:
        answer = carol.post("/v1/policy/plan?prune=true", json=NOTHING)

    assert (answer.status_code, answer.json["required"]) == (403, "policy:plan")
    assert sum(rows.values()) < 10


def test_a_plan_takes_no_lock(stage: Stage) -> None:
    """Somebody else holds it all the while."""
    alice = stage.as_(ALICE)
    with stage.database.writing():
        assert plan(alice, TEA)["summary"] == "7 to add, 0 to change, 0 to remove"


def test_one_is_worked_out_and_one_waits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alices = [stage.as_(ALICE) for _ in range(3)]
    working, go_on, statuses = threading.Event(), threading.Event(), []

    def slow(*arguments: Any, **options: Any) -> Any:
        working.set()
        assert go_on.wait(PATIENCE)
        return engine.plan_policy(*arguments, **options)

    monkeypatch.setattr(service, "plan_policy", slow)
    first, second = (
        threading.Thread(target=lambda a=a: statuses.append(a.post("/v1/policy/plan", json=TEA).status_code))
        for a in alices[:2]
    )
    first.start()
    assert working.wait(PATIENCE)
    second.start()
    while turns._PLACES._value:  # type: ignore[attr-defined]
        pass
    refused = alices[2].post("/v1/policy/plan", json=TEA)
    go_on.set()
    first.join()
    second.join()

    assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (
        429,
        "policy.busy",
        "1",
    )
    assert statuses == [200, 200]
    assert plan(alices[2], TEA)["summary"]


def test_who_waits_too_long_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Never:
        def acquire(self, *, timeout: float) -> bool:
            return timeout < 0

    monkeypatch.setattr(turns, "_TURN", Never())

    assert stage.as_(ALICE).post("/v1/policy/plan", json=TEA).json["code"] == "policy.busy"
    assert turns._PLACES._value == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize("bound", ["MAX_STEPS", "MAX_HOLDERS"])
def test_too_much_for_one_request_is_not_too_much_for_the_operator(
    stage: Stage, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = stage.as_(ALICE)
    document = {
        "permissions": [{"name": "tea:brew", "description": "Brew tea."}],
        "roles": [{"name": "role-manager", "permissions": ["tea:brew"]}],
    }
    monkeypatch.setattr(turns, bound, 0)

    answer = alice.post("/v1/policy/plan", json=document)

    assert (answer.status_code, answer.json["code"]) == (422, "policy.too_large")
    with operator_unit(stage.settings, stage.database, writes=False) as clearance:
        assert service.plan_policy(clearance, read_document(document), prune=False)["summary"]


def test_pruning_looks_at_no_more_assignments_than_it_may_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MAX_STEPS", 1)

    answer = stage.as_(ALICE).post("/v1/policy/plan?prune=true", json={"assignments": []})

    assert answer.json["code"] == "policy.too_large"


def test_what_changes_meanwhile_is_worked_out_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first time somebody else's change comes between the working out and the lock."""
    times: list[int] = []
    right = engine.is_current

    def interrupted(clearance: Any, work: Any) -> bool:
        times.append(1)
        return right(clearance, work) if len(times) > 1 else False

    monkeypatch.setattr(engine, "is_current", interrupted)

    assert apply(stage.as_(ALICE), TEA).status_code == 200
    assert len(times) == 2


def test_what_never_ceases_to_change_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "is_current", lambda _clearance, _work: False)
    alice, before = stage.as_(ALICE), everything(stage, events=False)

    refused = apply(alice, TEA)

    assert (refused.status_code, refused.json["code"]) == (503, PolicyChanging.code)
    assert everything(stage, events=False) == before


def test_an_end_that_passes_meanwhile_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"assignments": [{"user": "dave", "role": "auditor", "expires_at": "2040-01-01T00:00:00Z"}]}
    found: list[bool] = []
    right = engine.is_current

    def later(clearance: Any, work: Any) -> bool:
        if not found:
            work.state.until = work.state.at
        found.append(right(clearance, work))
        return found[-1]

    monkeypatch.setattr(engine, "is_current", later)

    assert apply(stage.as_(ALICE), document).status_code == 200
    assert found == [False, True]


def test_a_user_disabled_meanwhile_is_no_administrator(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dave was to be the one who remains; the revision does not speak of that."""
    alice = stage.as_(ALICE)
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/admin")
    held = [{"user": "dave", "role": "admin"}, {"user": "carol", "role": "auditor"}]
    held += [{"user": name, "role": "role-manager"} for name in ("bob", "mallory")]
    right = engine.is_current

    def disabling(clearance: Any, work: Any) -> bool:
        stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'dave'")
        return right(clearance, work)

    monkeypatch.setattr(engine, "is_current", disabling)

    refused = apply(alice, {"assignments": held}, prune=True)

    assert (refused.status_code, refused.json["code"]) == (409, "admin.last")


def test_who_may_not_is_told_before_a_step_is_taken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "planner", "permissions": ["policy:read", "policy:plan"]})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/planner")
    taken: list[str] = []
    for op, step in list(engine.APPLY.items()):
        monkeypatch.setitem(engine.APPLY, op, lambda s, f, op=op, step=step: (taken.append(op), step(s, f)))

    found = plan(stage.as_(DAVE), NOTHING, prune=True)

    assert {refusal["code"] for refusal in found["refusals"]} == {AccessDenied.code}
    assert taken == []


def test_a_plan_compiles_the_roles_as_often_for_many_as_for_few(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, compiled = stage.as_(ALICE), list[int]()
    right = RoleGraph.compile.__func__  # type: ignore[attr-defined]

    def counting(cls: Any, roles: Any, *rest: Any) -> Any:
        found = right(cls, roles, *rest)
        compiled.append(len(found.roles))
        return found

    monkeypatch.setattr(RoleGraph, "compile", classmethod(counting))
    times = []
    for count in (5, 50):
        names = [f"made-{count}-{number}" for number in range(count)]
        compiled.clear()
        roles = [{"name": name, "permissions": ["invoices:read"]} for name in names]
        assert plan(alice, {"roles": roles})["created"]["roles"]
        times.append(len(compiled))

    assert times[0] == times[1]
