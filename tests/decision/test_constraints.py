"""Who breaks a constraint, and when (INCITS 359 section 6.3): edges, touching intervals, inherited roles."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Constraint, Role
from rbac_api.decision.separation_of_duty import Holder, dynamic_conflicts, touches, violations

START = datetime(2026, 11, 23, tzinfo=UTC)
NOW = 3  # days after START
A2 = Constraint("pair", "static", ("a", "b"), 2)
A2OF3 = Constraint("two-of-three", "static", ("a", "b", "c"), 2)
ALL3 = Constraint("all-three", "static", ("a", "b", "c"), 3)
NEEDS = Constraint("needs", "requires", ("a", "b", "c"))
FEW = Constraint("few", "max-holders", ("a",), 1)
DAYLESS = Constraint("dayless", "dynamic", ("a", "b"), 2)
# the senior of a and b; the senior of that one; and a role that has nothing to do with them
EDGES = [("ab", "a"), ("ab", "b"), ("top", "ab"), ("top", "z")]
GRAPH = RoleGraph.compile([Role(name) for name in ("a", "b", "c", "ab", "top", "z")], (), EDGES)

Given = tuple[str, int, int | None]  # role, first day, day after the last


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def holder(*given: Given, name: str = "dave", mode: str = "active") -> Holder:
    held = (
        Assignment(role, day(since), None if until is None else day(until), mode)  # type: ignore[arg-type]
        for role, since, until in given
    )
    return Holder(name, name, tuple(held))


def broken(
    rule: Constraint, *holders: Holder, at: int = NOW
) -> list[tuple[tuple[str, ...], int, int | None]]:
    """(roles, first day, day after the last) of each violation."""
    return [
        (found.roles, (found.since - START).days, None if found.until is None else (found.until - START).days)
        for found in violations(GRAPH, rule, holders, day(at))
    ]


CASES: dict[str, tuple[Constraint, list[Given], list[tuple[tuple[str, ...], int, int | None]]]] = {
    "one of two": (A2, [("a", 0, None)], []),
    "both": (A2, [("a", 0, None), ("b", 0, None)], [(("a", "b"), NOW, None)]),
    "nothing at all": (A2, [], []),
    "n = 2 of three: two": (A2OF3, [("a", 0, None), ("c", 0, None)], [(("a", "c"), NOW, None)]),
    "n = |set|: one less": (ALL3, [("a", 0, None), ("c", 0, None)], []),
    "n = |set|: all": (ALL3, [("a", 0, None), ("b", 0, None), ("c", 0, None)], [(("a", "b", "c"), NOW, None)]),
    "one ends when the other begins": (A2, [("a", 0, 5), ("b", 5, None)], []),
    "they overlap for a day": (A2, [("a", 0, 6), ("b", 5, None)], [(("a", "b"), 5, 6)]),
    "they overlapped in the past": (A2, [("a", 0, 2), ("b", 1, None)], []),
    "until this very moment": (A2, [("a", 0, NOW), ("b", 0, None)], []),
    "an empty period": (A2, [("a", 0, None), ("b", 5, 5)], []),
    "both in time to come": (A2, [("a", 7, 9), ("b", 8, 12)], [(("a", "b"), 8, 9)]),
    "two stretches": (A2, [("a", 0, None), ("b", 4, 5), ("b", 6, 7)], [(("a", "b"), 4, 5), (("a", "b"), 6, 7)]),
    "one after another without a gap": (A2, [("a", 0, None), ("b", 4, 5), ("b", 5, 6)], [(("a", "b"), 4, 6)]),
    "more of them join": (
        A2OF3, [("a", 0, None), ("b", 0, None), ("c", 5, None)], [(("a", "b"), NOW, 5), (("a", "b", "c"), 5, None)],
    ),
    "a senior that itself inherits n members": (A2, [("ab", 4, None)], [(("a", "b"), 4, None)]),
    "by way of two edges": (A2, [("top", 4, 5)], [(("a", "b"), 4, 5)]),
    "one inherited, one given": (ALL3, [("ab", 0, 9), ("c", 5, None)], [(("a", "b", "c"), 5, 9)]),
    "the same role on two ways counts once": (ALL3, [("ab", 0, None), ("a", 0, None), ("top", 0, None)], []),
    "a role that is gone": (A2, [("a", 0, None), ("gone", 0, None)], []),
    "required ones are there": (NEEDS, [("a", 4, 5), ("b", 0, None), ("c", 4, 5)], []),
    "the others alone": (NEEDS, [("b", 0, None)], []),
    "without one of the required": (NEEDS, [("a", 0, None), ("b", 0, None)], [(("a", "c"), NOW, None)]),
    "without any": (NEEDS, [("a", 0, None)], [(("a", "b", "c"), NOW, None)]),
    "required by inheritance": (NEEDS, [("ab", 0, None), ("c", 0, None)], []),
    "the required ends first": (NEEDS, [("ab", 0, 9), ("c", 0, 5)], [(("a", "c"), 5, 9)]),
    "the required begins later": (NEEDS, [("ab", 4, 9), ("c", 5, None)], [(("a", "c"), 4, 5)]),
    "dynamic: what people have breaks nothing": (DAYLESS, [("a", 0, None), ("b", 0, None)], []),
    "a single holder": (FEW, [("a", 0, None), ("ab", 0, None)], []),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "given", "expected"), CASES.values(), ids=CASES)
def test_who_breaks_it_and_when(
    rule: Constraint, given: list[Given], expected: list[tuple[tuple[str, ...], int, int | None]]
) -> None:
    assert broken(rule, holder(*given)) == expected
    assert broken(rule, holder(*given, mode="eligible")) == expected, "eligible counts like active"


CROWDS: dict[str, tuple[list[list[Given]], list[tuple[tuple[str, ...], int, int | None]]]] = {
    "nobody": ([], []),
    "exactly the limit": ([[("a", 0, None)], [("b", 0, None)]], []),
    "one too many": ([[("a", 0, None)], [("a", 5, None)]], [(("a",), 5, None)]),
    "one by inheritance": ([[("a", 0, 9)], [("top", 5, None)]], [(("a",), 5, 9)]),
    "handed over": ([[("a", 0, 5)], [("a", 5, None)]], []),
    "the same for a while": ([[("a", 0, None)], [("a", 4, 5)], [("ab", 6, 7)]], [(("a",), 4, 5), (("a",), 6, 7)]),
}  # fmt: skip


@pytest.mark.parametrize(("people", "expected"), CROWDS.values(), ids=CROWDS)
def test_too_many_holders_at_any_moment(
    people: list[list[Given]], expected: list[tuple[tuple[str, ...], int, int | None]]
) -> None:
    crowd = [holder(*given, name=f"p{number}") for number, given in enumerate(people)]

    assert broken(FEW, *crowd) == expected


def test_of_several_roles_each_has_a_crowd_of_its_own() -> None:
    rule = Constraint("each", "max-holders", ("a", "b"), 1)
    crowd = [holder(("ab", 0, None), name="p1"), holder(("b", 4, None), name="p2")]

    (found,) = violations(GRAPH, rule, crowd, day(NOW))

    assert (found.roles, found.user_id, found.username) == (("b",), None, None)


def test_without_a_limit_nothing_is_too_much() -> None:
    """No such row comes from the service; one written past it must not break anything."""
    crowd = [holder(("top", 0, None), name="p1"), holder(("a", 0, None), ("b", 0, None), name="p2")]

    assert broken(Constraint("bare", "max-holders", ("a",)), *crowd) == []
    assert broken(Constraint("bare", "static", ("a", "b")), *crowd) == []
    assert broken(Constraint("empty", "requires", ()), *crowd) == []


def test_a_circle_written_past_the_service_counts_as_what_it_is() -> None:
    graph = RoleGraph.compile([Role("a"), Role("b"), Role("c")], (), [("a", "b"), ("b", "a")])

    (found,) = violations(graph, A2, [holder(("a", 0, None))], day(NOW))

    assert found.roles == ("a", "b")


def test_dynamic_constraints_are_about_what_is_active_with_all_it_inherits() -> None:
    pair, wide = DAYLESS, Constraint("wide", "dynamic", ("a", "b", "c"), 3)
    graph = RoleGraph.compile([Role(n) for n in ("a", "b", "c", "ab")], (), EDGES[:2], [pair, wide, A2])

    assert dynamic_conflicts(graph, ()) == ()
    assert dynamic_conflicts(graph, ("a", "c")) == ()
    assert dynamic_conflicts(graph, ("a", "b")) == dynamic_conflicts(graph, ("ab",)) == (pair,)
    assert dynamic_conflicts(graph, ("ab", "c", "unknown")) == (pair, wide)


@pytest.mark.parametrize(
    ("roles", "expected"), [((), False), (("top",), True), (("c",), False), (("gone",), False)]
)
def test_a_constraint_is_touched_by_what_a_role_inherits(roles: tuple[str, ...], expected: bool) -> None:
    assert touches(GRAPH, A2, roles) is expected


days = st.integers(0, 8)
periods = st.tuples(st.sampled_from(["a", "b", "c", "ab", "top", "z"]), days, st.none() | days)


@settings(deadline=None, max_examples=300)
@given(st.lists(periods, max_size=6), st.sampled_from([A2, A2OF3, ALL3, NEEDS]))
def test_the_sweep_agrees_with_looking_at_every_day(given_periods: list[Given], rule: Constraint) -> None:
    """The slow and obvious answer: on each day, which of the roles are held."""
    valid = [(role, since, until) for role, since, until in given_periods if until is None or since <= until]
    found = broken(rule, holder(*valid))

    for today in range(NOW, 10):
        held = {
            junior
            for role, since, until in valid
            if since <= today and (until is None or today < until)
            for junior in GRAPH.closures[role]
        }
        lacks = "a" in held and not {"b", "c"} <= held
        bad = lacks if rule.kind == "requires" else rule.reached_by(frozenset(held))
        assert bad is any(since <= today and (until is None or today < until) for _, since, until in found)
