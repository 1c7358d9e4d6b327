"""Two requests at once that break a constraint together: one succeeds, and a look before the lock would let both."""

from collections.abc import Callable
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.assignments import service as assignments
from rbac_api.capabilities.constraints import service
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.database.queries.subjects import get_subject
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import CONSTRAINTS, PAIR, give, keep_apart, make_roles, take
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, DAVE
from tests.meeting import met
from tests.sizes import sized

ROUNDS = sized(3, 100)


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made two roles."""
    found = stage.as_(ALICE)
    make_roles(found, *PAIR)
    return found


def give_both(stage: Stage, alice: Caller) -> list[int]:
    """Two requests at once, each of which gives Dave one of the two."""
    for role in PAIR:
        take(alice, DAVE, role)
    path = f"/v1/users/{stage.user_id(DAVE)}/roles"

    def work(which: int) -> int:
        client = stage.app.test_client()
        return client.put(f"{path}/{PAIR[which]}", headers=alice.headers).status_code

    return sorted(together(2, work))


@pytest.mark.soak
def test_of_two_who_give_one_each_one_succeeds(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)

    for _ in range(ROUNDS):
        assert give_both(stage, alice) == [201, 409]


def make_and_break(stage: Stage, alice: Caller, number: int) -> list[int]:
    """One makes the constraint while another gives Dave what it forbids."""
    name = f"rule-{number}"
    take(alice, DAVE, "releaser")
    body = {"name": name, "kind": "static", "roles": list(PAIR), "limit": 2}
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", CONSTRAINTS, body),
        ("PUT", f"/v1/users/{stage.user_id(DAVE)}/roles/releaser", {}),
    ]

    def work(which: int) -> int:
        method, path, sent = calls[which]
        return stage.app.test_client().open(path, method=method, json=sent, headers=alice.headers).status_code

    statuses = together(2, work)
    alice.delete(f"{CONSTRAINTS}/{name}")
    return sorted(statuses)


@pytest.mark.soak
def test_a_constraint_is_made_or_broken_never_both(stage: Stage, alice: Caller) -> None:
    give(alice, DAVE, "approver")

    for number in range(ROUNDS):
        assert make_and_break(stage, alice, number) == [201, 409]


def look_too_early(monkeypatch: pytest.MonkeyPatch, meet: Callable[[], object] = lambda: None) -> None:
    """The vulnerable twin: what Dave holds is looked up before the write lock is taken."""
    careful = assignments.assign_role

    def naive(clearance: Any, user_id: str, role: str, *terms: Any) -> Any:
        with clearance.work.database.reading() as connection:
            held = {
                assignment.role for assignment in get_subject(connection, user_id, clock.now()).assignments
            }
        if held | {role} >= set(PAIR):
            raise ConstraintViolated()
        meet()
        return careful(clearance, user_id, role, *terms)

    monkeypatch.setattr(assignments, "assign_role", naive)
    monkeypatch.setattr(service, "_refuse", lambda *_: None)


def test_a_look_before_the_lock_would_let_both_succeed(
    stage: Stage, alice: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_apart(alice, *PAIR)
    with monkeypatch.context() as alone:
        look_too_early(alone)
        give(alice, DAVE, "approver")
        assert give(alice, DAVE, "releaser").status_code == 409, "one after another it refuses"
    look_too_early(monkeypatch, met(2))

    assert give_both(stage, alice) == [201, 201]
