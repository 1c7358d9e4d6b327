"""Who is stronger, from plain data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rbac_api.clock import ENDLESS
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    Activation,
    Assignment,
    Constraint,
    Permission,
    Role,
    SessionRoles,
    Subject,
)
from rbac_api.decision.strength import assigned_through, bound_by, held_until, stronger_roles

GRAPH = RoleGraph.compile(
    [
        Role("clerk", frozenset({"a:read"})),
        Role("chief", frozenset({"b:read"})),
        Role("root", grants="all"),
        Role("empty"),
    ],
    [Permission("a:read"), Permission("b:read")],
    [("chief", "clerk")],
)


def test_a_role_is_stronger_if_it_holds_anything_the_caller_lacks() -> None:
    assert stronger_roles(GRAPH, frozenset()) == {"clerk", "chief", "root"}
    assert stronger_roles(GRAPH, frozenset({"a:read"})) == {"chief", "root"}
    assert stronger_roles(GRAPH, frozenset({"a:read", "b:read"})) == frozenset()


def test_a_role_is_held_by_assigning_it_or_a_senior() -> None:
    assert assigned_through(GRAPH, ["clerk"]) == {"clerk", "chief"}
    assert assigned_through(GRAPH, ["empty", "chief"]) == {"empty", "chief"}
    assert assigned_through(GRAPH, []) == frozenset()


def test_a_dynamic_constraint_binds_who_can_reach_its_limit() -> None:
    rule = Constraint("rule", "dynamic", ("clerk", "empty"), 2)

    assert bound_by(GRAPH, rule, ["chief", "empty"])
    assert not bound_by(GRAPH, rule, ["chief"])


def test_what_is_held_by_activation_or_until_an_end_is_not_held_beyond_it() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    day = timedelta(days=1)
    subject = Subject(
        "dana",
        "active",
        (Assignment("clerk", at, at + 3 * day), Assignment("chief", at, mode="eligible")),
        roles=SessionRoles(None, (Activation("chief", at, at + day),)),
    )

    held = [
        held_until(GRAPH, subject, at, end) for end in (at, at + day, at + 2 * day, at + 4 * day, ENDLESS)
    ]

    both, first = {"a:read", "b:read"}, {"a:read"}
    assert held == [both, both, first, set(), set()]
