"""To make active what is being taken away at that very moment: whoever is first, nothing is left active afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.activations import service
from rbac_api.decision.model import EVERYTHING
from rbac_api.guard.enforcement.clearance import Clearance
from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import activate, drop, give, make_role, take
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, DAVE
from tests.sizes import sized

ROUNDS = sized(3, 100)


def apart(stage: Stage) -> Caller:
    """Dave, who may be clerk or treasurer, though not both at once."""
    stage.reset()
    alice = stage.as_(ALICE)
    for role in ("clerk", "treasurer"):
        make_role(alice, role)
        give(alice, DAVE, role, mode="eligible")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "treasurer"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    return stage.as_(DAVE)


def both_at_once(stage: Stage) -> list[int]:
    dave = apart(stage)
    return together(2, lambda number: int(activate(dave, ("clerk", "treasurer")[number]).status_code))


@pytest.mark.soak
def test_of_two_roles_kept_apart_one_becomes_active(stage: Stage) -> None:
    for _ in range(ROUNDS):
        assert sorted(both_at_once(stage)) == [201, 409]


def test_a_look_before_the_lock_would_let_both_in(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin: both have looked at what is active before either writes."""
    careful = service._look

    def naive(clearance: Clearance) -> service.Scene:
        scene = careful(clearance)
        return replace(scene, subject=replace(scene.subject, roles=EVERYTHING))

    monkeypatch.setattr(service, "_look", naive)

    assert both_at_once(stage) == [201, 201]


@pytest.mark.soak
def test_a_role_made_active_while_it_is_taken_away_is_not_active_afterwards(stage: Stage) -> None:
    for _ in range(ROUNDS):
        stage.reset()
        alice = stage.as_(ALICE)
        give(alice, DAVE, "auditor", mode="eligible")
        dave = stage.as_(DAVE)

        acts = (lambda d=dave: activate(d, "auditor"), lambda a=alice: take(a, DAVE, "auditor"))
        statuses = together(2, lambda number, acts=acts: int(acts[number]().status_code))  # type: ignore[misc]

        assert statuses[0] in (201, 403)
        assert statuses[1] == 204
        assert dave.get("/v1/users").status_code == 403


def test_of_a_crowd_of_the_same_request_one_makes_it_and_one_is_in_force(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    give(alice, DAVE, "auditor", mode="eligible")
    dave = stage.as_(DAVE)

    statuses = together(6, lambda _: int(activate(dave, "auditor").status_code))

    assert sorted(statuses) == [200] * 5 + [201]
    assert dave.delete("/v1/me/activations/auditor").status_code == 204
    assert dave.get("/v1/users").status_code == 403


def handed_out_after_dropping(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Dave drops the role that lets him hand out while his request, which was let through, waits for the lock; its answer."""
    alice = stage.as_(ALICE)
    make_role(alice, "giver", "assignments:create")
    make_role(alice, "treasurer", "payments:release")
    give(alice, DAVE, "giver")
    give(alice, DAVE, "treasurer", mode="eligible")
    newcomer = alice.post("/v1/users", json={"username": "newcomer"}).json["id"]
    dave, waiting, dropped = stage.as_(DAVE), stage.guard._attempt, []
    assert activate(dave, "treasurer").status_code == 201

    def attempt(passage: Any, keep: Any) -> Any:
        if passage.rule.permission and not dropped:
            dropped.append(drop(dave, "treasurer").status_code)
        return waiting(passage, keep)

    monkeypatch.setattr(stage.guard, "_attempt", attempt)
    soon = {"expires_at": clock.rfc3339(clock.now() + timedelta(seconds=30))}
    answer = dave.put(f"/v1/users/{newcomer}/roles/treasurer", json=soon)
    assert dropped == [204]
    return answer


def test_a_session_is_judged_by_the_roles_it_has_once_the_lock_is_held(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert handed_out_after_dropping(stage, monkeypatch).json["code"] == "escalation.denied"


def test_the_roles_it_had_before_would_let_him_hand_out(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: the session as it was when the request was let in."""
    monkeypatch.setattr(Clearance, "session_roles", property(lambda self: self.session.roles))

    assert handed_out_after_dropping(stage, monkeypatch).status_code == 201
