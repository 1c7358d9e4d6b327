"""While a document is applied constraints are looked at once, at its end: what is broken only in between does not matter."""

from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.constraints import service
from rbac_api.capabilities.constraints.errors import ConstraintNotFound, ConstraintViolated
from rbac_api.capabilities.policy.engine import apply_steps, load_accounts, write
from rbac_api.capabilities.policy.state import load_state
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.difference import Step
from rbac_api.formats.paging import PageRequest
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import (
    PAIR,
    constrain,
    give,
    inherit,
    keep_apart,
    make_roles,
    roles_of,
)
from tests.cast import ALICE, BOB, DAVE

RULE: dict[str, Any] = {"name": "rule", "kind": "static", "roles": list(PAIR), "limit": 2}


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made a few roles."""
    found = stage.as_(ALICE)
    make_roles(found, *PAIR, "chief")
    return found


def apply(stage: Stage, *steps: Step) -> None:
    """These steps, taken as one document's."""
    with operator_unit(stage.settings, stage.database) as clearance:
        state = load_state(clearance, clock.now())
        load_accounts(state, ("bob", "dave"))
        work = apply_steps(state, steps)
        work.require_permitted()
        write(clearance, work)


def given(user: str, role: str) -> Step:
    return Step("assignment.create", {"user": user, "role": role})


def taken(user: str, role: str) -> Step:
    return Step("assignment.end", {"user": user, "role": role})


def inherits(role: str, junior: str, *, ends: bool = False) -> Step:
    return Step("inheritance.end" if ends else "inheritance.create", {"role": role, "inherits": junior})


def test_two_may_change_places(stage: Stage, alice: Caller) -> None:
    assert constrain(alice, "max-holders", "approver", limit=1).status_code == 201
    keep_apart(alice, *PAIR, name="pair")
    give(alice, DAVE, "approver")
    give(alice, BOB, "releaser")

    apply(
        stage,
        given("bob", "approver"),
        given("dave", "releaser"),
        taken("bob", "releaser"),
        taken("dave", "approver"),
    )

    assert (roles_of(stage, BOB), roles_of(stage, DAVE)) == (["approver", "role-manager"], ["releaser"])


def refused(stage: Stage, *steps: Step) -> tuple[str, int]:
    """(which constraint, by how many) the whole is refused for."""
    events = len(stage.events())
    with pytest.raises(ConstraintViolated) as refusal:
        apply(stage, *steps)
    assert len(stage.events()) == events
    return refusal.value.members["constraint"], refusal.value.members["count"]


def test_what_is_broken_in_the_end_undoes_the_whole(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    inherit(alice, "chief", "approver")

    assert refused(stage, *(given(who, role) for who in ("bob", "dave") for role in PAIR)) == ("rule", 2)
    give(alice, DAVE, "chief")
    assert refused(stage, inherits("chief", "releaser")) == ("rule", 1)
    assert roles_of(stage, DAVE) == ["chief"]


def test_losing_counts_only_for_what_requires(stage: Stage, alice: Caller) -> None:
    inherit(alice, "chief", "releaser")
    for role in ("chief", "approver"):
        give(alice, DAVE, role)
    assert constrain(alice, "requires", "approver", "releaser").status_code == 201

    assert refused(stage, inherits("chief", "releaser", ends=True)) == ("rule", 1)
    apply(
        stage,
        inherits("chief", "releaser", ends=True),
        given("dave", "releaser"),
    )


def test_a_constraint_of_the_document_is_judged_at_its_end_too(stage: Stage, alice: Caller) -> None:
    for role in PAIR:
        give(alice, DAVE, role)

    assert refused(stage, Step("constraint.create", RULE)) == ("rule", 1)
    apply(
        stage,
        Step("constraint.create", RULE),
        taken("dave", "approver"),
    )
    assert alice.get("/v1/constraints/rule").json["limit"] == 2


def test_everybody_and_everything_can_be_asked_for(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, "approver")

    with operator_unit(stage.settings, stage.database) as clearance:
        service.require_constraints(clearance)
        service.require_constraints(clearance, users=[])
        service.require_constraints(clearance, users=[stage.user_id(DAVE)])


def test_one_that_ends_while_it_is_read_is_not_found(
    stage: Stage, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_apart(alice, *PAIR)
    monkeypatch.setattr(service, "_addressed", lambda *_: None)

    with (
        operator_unit(stage.settings, stage.database, writes=False) as clearance,
        pytest.raises(ConstraintNotFound),
    ):
        service.list_violations(clearance, "gone", PageRequest(50, None, False))


def test_roles_that_go_together_are_no_conflict(stage: Stage, alice: Caller) -> None:
    constrain(alice, "dynamic", *PAIR, limit=2)
    dave = {"id": stage.user_id(DAVE), "username": "dave"}
    with operator_unit(stage.settings, stage.database, writes=False) as clearance:
        graph = clearance.changed_graph()

    service.require_compatible(graph, ["approver", "chief"], dave)
    with pytest.raises(ConstraintViolated) as refusal:
        service.require_compatible(graph, PAIR, dave)

    (found,) = refusal.value.members["violations"]
    assert (found["constraint"], found["user"], found["roles"]) == ("rule", dave, list(PAIR))
