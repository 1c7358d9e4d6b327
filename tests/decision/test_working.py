"""Roles that change step by step are at every step what compiling them anew would give."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Permission, Role
from rbac_api.decision.working import WorkingRoles, follow

ROLES, PERMISSIONS = ("aa", "bb", "cc"), ("x:a", "x:b")
BASE = RoleGraph.compile(
    [Role("aa"), Role("bb", frozenset({"x:a"})), Role("cc"), Role("all", grants="all")],
    [Permission(name) for name in PERMISSIONS],
    [("aa", "bb")],
)
EDGES = st.tuples(st.sampled_from(("inherit", "disinherit")), st.sampled_from(ROLES), st.sampled_from(ROLES))
GRANTS = st.tuples(
    st.sampled_from(("grant", "withdraw")), st.sampled_from(ROLES), st.sampled_from(PERMISSIONS)
)


@given(st.lists(EDGES | GRANTS, max_size=12))
def test_what_is_asked_in_between_is_what_compiling_gives(steps: list[tuple[str, str, str]]) -> None:
    roles = WorkingRoles(BASE)
    for change, one, other in steps:
        getattr(roles, change)(one, other)
        compiled = roles.compiled()
        assert {name: roles.effective(name) for name in roles.roles} == dict(compiled.effective)
        assert {name: roles.seniors(name) for name in ROLES} == {
            name: compiled.seniors(name) for name in ROLES
        }


EVENTS: list[tuple[str, str, dict[str, Any], bool]] = [
    ("role.created", "dd", {"grants": "listed", "requires_mfa": True, "permissions": ["x:a"]}, True),
    ("role.created", "aa", {"grants": "listed", "requires_mfa": False}, True),
    ("role.updated", "cc", {"requires_mfa": True}, True),
    ("role.updated", "cc", {"description": "x"}, True),
    ("role.updated", "cc", {"grants": "all"}, False),
    ("role.deleted", "bb", {}, True),
    ("role.deleted", "bb", {}, True),
    ("permission.created", "x:c", {}, True),
    ("permission.updated", "x:c", {"description": "x"}, True),
    ("permission.deleted", "x:a", {}, True),
    ("permission.deleted", "x:a", {}, True),
    ("key.created", "kid", {}, False),
]


def test_an_event_is_followed_and_once_more_without_harm() -> None:
    roles = WorkingRoles(BASE)

    assert [follow(roles, action, name, facts) for action, name, facts, _ in EVENTS] == [
        right for *_, right in EVENTS
    ]

    graph = roles.compiled()
    assert sorted(graph.roles) == ["aa", "all", "cc", "dd"]
    assert graph.juniors["aa"] == frozenset()
    assert graph.effective["all"] == frozenset({"x:b", "x:c"})
    assert graph.effective["dd"] == frozenset()
    assert graph.roles["cc"].requires_mfa


@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_constraints_come_and_go(kind: str) -> None:
    roles = WorkingRoles(BASE)
    facts = {"name": "rule", "kind": kind, "roles": ["aa", "bb"], "limit": 2}

    follow(roles, "constraint.created", "rule", facts)
    assert [rule.name for rule in roles.compiled().constraints] == ["rule"]
    assert bool(roles.compiled().dynamic) == (kind == "dynamic")
    follow(roles, "constraint.deleted", "rule", {})
    assert roles.compiled().constraints == ()
