"""The service against the standard's reference model, command by command, over HTTP, on both engines at once.

Whatever a run of commands does, the model and both databases accept the same ones, and every review function answers the same.  What is
drawn fits the state often enough that commands of every kind are accepted and refused.  The few runs of `make test` are always the same;
`make soak` makes many others, at random.  A run that fails is printed as a program; at random it is made smaller first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from rbac_api.capabilities.activations import service as activations
from rbac_api.capabilities.constraints import violations as judging
from rbac_api.capabilities.signin import service as signin
from rbac_api.decision import evaluate, hierarchy
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Constraint
from tests.conftest import Stages
from tests.journeys.lock_step import PERMISSIONS, ROLES, LockStep
from tests.journeys.product import Product
from tests.sizes import SOAK, sized

RUNS, STEPS = sized(4, 500), 50


@pytest.mark.soak
def test_the_service_and_the_model_agree_on_every_command(stages: Stages) -> None:
    class Machine(LockStep):
        pass

    Machine.stages = stages
    given = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not SOAK,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if SOAK else [Phase.generate],
    )
    run_state_machine_as_test(Machine, settings=given)


CHANGES: list[tuple[frozenset[str], int, bool]] = [
    (frozenset({"r1", "r2", "r3"}), 2, False),  # AddSsdRoleMember: u1 has r1 and r2
    (frozenset({"r1", "r2", "r3"}), 3, True),  # and with SetSsdSetCardinality
    (frozenset({"r1", "r2", "r3"}), 2, False),  # SetSsdSetCardinality
    (frozenset({"r1", "r3"}), 3, False),  # DeleteSsdRoleMember: fewer roles than the number
    (frozenset({"r2", "r3"}), 2, True),  # and with SetSsdSetCardinality
]


def test_the_roles_and_the_number_of_a_set_change_in_one_step(stages: Stages, engine: str) -> None:
    product, held = Product(stages.get(engine), []), frozenset({"r1", "r3"})
    for command in ("AddUser", "u1"), ("AddRole", "r1"), ("AddRole", "r2"), ("AddRole", "r3"):
        assert product.run(*command)
    assert product.run("AssignUser", "u1", "r1")
    assert product.run("AssignUser", "u1", "r2")
    assert product.run("CreateSet", "Ssd", "ssd-1", held, 2)

    for roles, limit, accepted in CHANGES:
        assert product.run("ChangeSet", "Ssd", "ssd-1", roles, limit) is accepted
        held = roles if accepted else held
        assert product.review("RoleSet", "ssd-1") == held


SCENE: list[tuple[Any, ...]] = [
    ("AddUser", "u1"), *(("AddRole", role) for role in ROLES[:4]),
    *(("GrantPermission", permission, role) for permission, role in zip(PERMISSIONS, ROLES, strict=False)),
    ("AddInheritance", "r3", "r2"), ("AddInheritance", "r2", "r1"), ("AddInheritance", "r1", "r3"),
    ("AssignUser", "u1", "r3"), ("CreateSession", "u1", "s1", None), ("DropActiveRole", "u1", "s1", "r3"),
    ("CreateSet", "Ssd", "ssd-1", frozenset({"r1", "r4"}), 2), ("AssignUser", "u1", "r4"),
    ("DeassignUser", "u1", "r3"), ("AssignUser", "u1", "r4"), ("AddInheritance", "r4", "r1"),
    ("DeleteSet", "Ssd", "ssd-1"), ("AssignUser", "u1", "r2"), ("CreateSession", "u1", "s2", None),
    ("CreateSet", "Dsd", "dsd-1", frozenset({"r1", "r4"}), 2), ("DeleteSession", "u1", "s2"),
    ("CreateSet", "Dsd", "dsd-1", frozenset({"r1", "r4"}), 2), ("CreateSession", "u1", "s3", frozenset({"r2", "r4"})),
    ("CreateSession", "u1", "s4", frozenset({"r3"})), ("CreateSession", "u1", "s5", frozenset({"r4"})),
    ("AddActiveRole", "u1", "s5", "r2"), ("DropActiveRole", "u1", "s5", "r4"), ("AddActiveRole", "u1", "s5", "r2"),
    ("CreateSession", "u1", "s6", None), ("AddActiveRole", "u1", "s6", "r1"),
]  # fmt: skip


def act(stages: Stages) -> None:
    """The scene on one engine."""

    class Machine(LockStep):
        engines = ("sqlite",)

    Machine.stages = stages
    machine = Machine()
    for command in SCENE:
        machine.do(*command)
        machine.review_sessions()
    machine.teardown()


MISTAKES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "inheritance is not transitive": (hierarchy, "_effective", lambda components, juniors, direct, others: {
        name: held.union(*(direct.get(junior, ()) for junior in juniors[name])) for name, held in direct.items()}),
    "a role may inherit itself": (RoleGraph, "would_close_cycle", lambda self, senior, junior: False),
    "static rules are ignored": (judging, "violations", lambda *_: iter(())),
    "one role too many is no violation": (Constraint, "reached_by", lambda self, roles:
        len(roles.intersection(self.roles)) > (self.limit or 0)),
    "dynamic rules are ignored": (evaluate, "_giving_way", lambda graph, rule, default, chosen: (default, chosen)),
    "dynamic rules are ignored at sign-in": (signin, "require_compatible", lambda *_: None),
    "dynamic rules are ignored when activating": (activations, "require_compatible", lambda *_: None),
    "sessions that go on are not looked at": (judging.ConstraintChecker, "overfull_sessions", lambda *_: iter(())),
    "any role may be named at sign-in": (signin, "unauthorized", lambda *_: ()),
    "a dropped role comes back": (activations, "choose_roles", lambda *_: None),
}  # fmt: skip


def test_the_scene_is_played_without_a_mistake(stages: Stages) -> None:
    act(stages)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_service_is_found(stages: Stages, mistake: str) -> None:
    owner, name, wrong = MISTAKES[mistake]

    with patch.object(owner, name, wrong), pytest.raises(AssertionError):
        act(stages)
