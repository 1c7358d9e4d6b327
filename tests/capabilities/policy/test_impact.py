"""What a plan says about people is what then happens: gains and losses of random small policies, on the roles as they really are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import Stage
from tests.capabilities.policy.stories import apply, plan
from tests.cast import ALICE, CAST

ROLES = ("aa", "bb", "cc")
NAMES = tuple(person.username for person in CAST)
PERMISSIONS = ("invoices:read", "invoices:approve", "payments:release")


@st.composite
def policies(draw: st.DrawFn) -> dict[str, Any]:
    """Three roles, each inheriting only from those behind it, and who has them."""
    roles = [
        {
            "name": name,
            "permissions": draw(st.lists(st.sampled_from(PERMISSIONS), unique=True)),
            "inherits": draw(st.lists(st.sampled_from(ROLES[place + 1 :]), unique=True)) if place < 2 else [],
        }
        for place, name in enumerate(ROLES)
    ]
    pairs = draw(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ROLES)), unique=True, max_size=6))
    terms = st.sampled_from(
        [
            {},
            {"mode": "eligible"},
            {"starts_at": "2090-01-01T00:00:00Z"},
            {"expires_at": "2090-01-01T00:00:00Z"},
        ]
    )
    held = [{"user": user, "role": role, **draw(terms)} for user, role in pairs]
    rules = draw(
        st.sampled_from([[], [{"name": "dd", "kind": "dynamic", "roles": ["aa", "bb"], "limit": 2}]])
    )
    return {"roles": roles, "constraints": rules, "assignments": held}


def everybody(stage: Stage) -> dict[str, frozenset[str]]:
    """What each may, as decisions go."""
    stage.guard.snapshot.freshen()
    found = {name: stage.guard.snapshot.person(stage.user_id(name), second_factor=True) for name in NAMES}
    return {name: person.permissions if person else frozenset() for name, person in found.items()}


@pytest.mark.large
@pytest.mark.parametrize("engine", ["sqlite"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(policies(), min_size=1, max_size=2))
def test_gains_and_losses_are_what_then_happens(stage: Stage, documents: list[dict[str, Any]]) -> None:
    stage.reset()
    alice = stage.as_(ALICE)
    keep = [{"user": "alice", "role": "admin"}]
    for document in documents:
        whole = {**document, "assignments": [*keep, *document["assignments"]]}
        before = everybody(stage)

        planned, done = plan(alice, whole, prune=True), apply(alice, whole, prune=True)

        if planned["refusals"] or planned["violations"]:
            assert done.status_code >= 400
            assert everybody(stage) == before
            return
        assert done.status_code == 200, done.json
        after = everybody(stage)
        for part, one, other in (("gains", after, before), ("losses", before, after)):
            told = {effect["user"]["username"]: frozenset(effect["permissions"]) for effect in planned[part]}
            assert told == {name: one[name] - other[name] for name in NAMES if one[name] - other[name]}
