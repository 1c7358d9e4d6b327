"""Explaining is deciding with the reasons laid open: on any graph, for any subject, in any session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbac_api.decision.evaluate import active_roles, decide, in_force
from rbac_api.decision.explain import MAX_PATHS, MAX_STEPS, Explanation, Path, explain
from rbac_api.decision.hierarchy import RoleGraph, direct_permissions
from rbac_api.decision.model import (
    Activation,
    Assignment,
    Constraint,
    Permission,
    Role,
    SessionRoles,
    Subject,
)

PATIENCE = 2.0  # seconds of this thread alone
NOW = datetime(2026, 11, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = [f"r{number}" for number in range(6)]
THINGS = ["a:use", "b:use", "gone:use"]

names = st.sampled_from(NAMES)
moments = st.sampled_from([NOW - 2 * HOUR, NOW - HOUR, NOW, NOW + HOUR])
roles = st.builds(
    Role, names, st.frozensets(st.sampled_from(THINGS), max_size=2),
    st.sampled_from(["listed", "listed", "listed", "all", "reads"]), st.booleans(),
)  # fmt: skip
rules = st.builds(
    Constraint, st.just("rule"), st.sampled_from(["dynamic", "static"]),
    st.lists(names, min_size=2, max_size=3, unique=True).map(tuple), st.just(2),
)  # fmt: skip
graphs = st.builds(
    RoleGraph.compile, st.lists(roles, max_size=6, unique_by=lambda role: role.name),
    st.just([Permission("a:use"), Permission("b:use", system=True)]),
    st.lists(st.tuples(names, names), max_size=10), st.lists(rules, max_size=2),
)  # fmt: skip
ends = st.one_of(st.none(), moments)
assignments = st.builds(Assignment, names, moments, ends, st.sampled_from(["active", "active", "eligible"]))
sessions = st.builds(
    SessionRoles, st.one_of(st.none(), st.frozensets(names, max_size=3)),
    st.lists(st.builds(Activation, names, moments, moments), max_size=3).map(tuple),
)  # fmt: skip
subjects = st.builds(
    Subject, st.just("dana"), st.sampled_from(["active", "active", "active", "disabled"]),
    st.lists(assignments, max_size=5).map(tuple), st.just(value=False), st.booleans(), sessions,
)  # fmt: skip


def ways(graph: RoleGraph, start: str, permission: str, seen: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """The slow and obvious answer: every way without repetition."""
    here = (*seen, start)
    found = {here} if permission in direct_permissions(graph.roles[start], graph.permissions) else set()
    for junior in graph.juniors[start] - set(here):
        found |= ways(graph, junior, permission, here)
    return found


@settings(deadline=None, max_examples=500)
@given(graphs, subjects, st.sampled_from(THINGS), moments)
def test_an_explanation_says_what_enforcement_does(
    graph: RoleGraph, subject: Subject, permission: str, at: datetime
) -> None:
    told = explain(graph, subject, permission, at)

    assert told.decision is decide(graph, subject, permission, at).allowed
    assert bool(told.paths) is told.decision
    assert bool(told.because) is not told.decision
    counting = graph.seen_with(subject.second_factor)
    for path in told.paths:
        assert path.assignment in subject.assignments
        assert in_force(path.assignment, at)
        assert path.roles[0] == path.assignment.role
        assert all(junior in counting.juniors[senior] for senior, junior in pairwise(path.roles))
        assert permission in direct_permissions(counting.roles[path.roles[-1]], counting.permissions)
        assert active_roles(graph, subject, at).intersection(path.roles)
        assert path.assignment.mode == "active" or path.activation in subject.roles.activations


@settings(deadline=None, max_examples=300)
@given(graphs, st.lists(assignments, max_size=4).map(tuple), st.sampled_from(THINGS), st.booleans())
def test_an_explanation_leaves_no_way_out(
    graph: RoleGraph, held: tuple[Assignment, ...], permission: str, second_factor: bool
) -> None:
    subject = Subject("dana", "active", held, second_factor=second_factor)
    counting, active = graph.seen_with(second_factor), active_roles(graph, subject, NOW)
    grounds = {a for a in held if in_force(a, NOW) and a.mode == "active" and a.role in active}

    told = explain(graph, subject, permission, NOW)

    expected = {
        Path(ground, way)
        for ground in grounds
        if ground.role in counting.roles
        for way in ways(counting, ground.role, permission)
    }
    assert set(told.paths) == expected or (told.truncated and set(told.paths) < expected)
    assert len(told.paths) == len(set(told.paths))


def chain(length: int, *holders: int) -> RoleGraph:
    """Each role inherits the next; some hold the permission directly."""
    found = [Role(f"n{i}", frozenset({"a:use"} if i in holders else ())) for i in range(length)]
    return RoleGraph.compile(
        found, [Permission("a:use")], [(f"n{i}", f"n{i + 1}") for i in range(length - 1)]
    )


def asked(graph: RoleGraph, *held: Assignment, session: SessionRoles | None = None) -> Explanation:
    subject = Subject("dana", "active", held, second_factor=True)
    if session is not None:
        subject = Subject("dana", "active", held, second_factor=True, roles=session)
    return explain(graph, subject, "a:use", NOW)


def test_a_chain_of_a_thousand_is_explained_from_end_to_end() -> None:
    told = asked(chain(1000, 999), Assignment("n0", NOW))

    assert [path.roles for path in told.paths] == [tuple(f"n{i}" for i in range(1000))]
    assert not told.truncated


LADDER = [(f"n{i}{a}", f"n{i + 1}{b}") for i in range(30) for a in "xy" for b in "xy"]
RING = [(f"m{i}", f"m{j}") for i in range(30) for j in range(30) if i != j]
CROWDS = {
    "a thousand holders below each other": chain(1000, *range(1000)),
    "a ladder with a thousand million ways": RoleGraph.compile(
        [Role(f"n{i}{a}", frozenset({"a:use"} if i == 30 else ())) for i in range(31) for a in "xy"] + [Role("n0")],
        [Permission("a:use")],
        [*LADDER, ("n0", "n0x")],
    ),
    "roles that inherit each other, written behind our back": RoleGraph.compile(
        [Role("n0"), *(Role(f"m{i}", frozenset({"a:use"} if i == 29 else ())) for i in range(30))],
        [Permission("a:use")],
        [*RING, ("n0", "m0")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("graph", CROWDS.values(), ids=CROWDS)
def test_more_ways_than_anybody_reads_are_cut_off_in_bounded_time(graph: RoleGraph) -> None:
    began = thread_time()

    told = asked(graph, Assignment("n0", NOW))

    assert told.decision
    assert told.truncated
    assert 0 < len(told.paths) <= MAX_PATHS
    assert sum(len(path.roles) for path in told.paths[1:]) <= MAX_STEPS
    assert thread_time() - began < PATIENCE


def test_a_search_through_a_thicket_of_loops_is_given_up_with_at_least_one_way_found() -> None:
    thicket = [(f"m{i}", f"m{j}") for i in range(30) for j in range(30) if i != j]
    graph = RoleGraph.compile(
        [Role("n0"), Role("end", frozenset({"a:use"})), *(Role(f"m{i}") for i in range(30))],
        [Permission("a:use")],
        [("n0", "end"), ("end", "m0"), *thicket, ("m0", "n0"), ("n0", "m1")],
    )

    told = asked(graph, Assignment("n0", NOW))

    assert told.paths[0].roles == ("n0", "end")
    assert told.truncated


def test_the_shortest_way_comes_first() -> None:
    graph = RoleGraph.compile(
        [Role("n0"), Role("long"), Role("end", frozenset({"a:use"}))],
        [Permission("a:use")],
        [("n0", "long"), ("long", "end"), ("n0", "end")],
    )

    ways_found = [path.roles for path in asked(graph, Assignment("n0", NOW)).paths]

    assert ways_found == [("n0", "end"), ("n0", "long", "end")]


def test_a_junior_that_was_chosen_or_activated_is_traced_back_to_what_allows_it() -> None:
    graph, given_role = chain(3, 2), Assignment("n0", NOW)
    eligible = Assignment("n0", NOW, mode="eligible")
    activation = Activation("n1", NOW, NOW + HOUR)

    chosen = asked(graph, given_role, session=SessionRoles(frozenset({"n1"})))
    activated = asked(graph, eligible, session=SessionRoles(None, (activation,)))

    assert chosen.paths == (Path(given_role, ("n0", "n1", "n2")),)
    assert activated.paths == (Path(eligible, ("n0", "n1", "n2"), activation),)


def test_a_way_over_two_chosen_roles_is_told_once() -> None:
    told = asked(chain(3, 2), Assignment("n0", NOW), session=SessionRoles(frozenset({"n0", "n1"})))

    assert [path.roles for path in told.paths] == [("n0", "n1", "n2")]


CLASH = RoleGraph.compile(
    [Role("n0", frozenset({"a:use"})), Role("n1")], [Permission("a:use")], [],
    [Constraint("rule", "dynamic", ("n0", "n1"), 2)],
)  # fmt: skip
STRICT = RoleGraph.compile([Role("n0", frozenset({"a:use"}), requires_mfa=True)], [Permission("a:use")])
PLAIN = chain(1, 0)
REFUSED = {
    "nothing grants it": (PLAIN, Subject("dana", "active"), ["nothing-grants"]),
    "it is over": (PLAIN, Subject("dana", "active", (Assignment("n0", NOW - HOUR, NOW),)), ["expired"]),
    "it was over twice, which is said once": (
        PLAIN,
        Subject("dana", "active", (Assignment("n0", NOW - 2 * HOUR, NOW - HOUR), Assignment("n0", NOW - HOUR, NOW))),
        ["expired"],
    ),
    "it has not begun": (PLAIN, Subject("dana", "active", (Assignment("n0", NOW + HOUR),)), ["not-started"]),
    "it is only eligible": (PLAIN, Subject("dana", "active", (Assignment("n0", NOW, mode="eligible"),)), ["not-active"]),
    "the session was begun without it": (
        PLAIN,
        Subject("dana", "active", (Assignment("n0", NOW),), roles=SessionRoles(frozenset())),
        ["not-active"],
    ),
    "a constraint keeps it from counting": (
        CLASH, Subject("dana", "active", (Assignment("n0", NOW), Assignment("n1", NOW))), ["not-active"],
    ),
    "she is disabled": (PLAIN, Subject("dana", "disabled", (Assignment("n0", NOW),)), ["disabled"]),
    "no second factor": (STRICT, Subject("dana", "active", (Assignment("n0", NOW),)), ["mfa"]),
}  # fmt: skip


@pytest.mark.parametrize(("graph", "subject", "codes"), REFUSED.values(), ids=REFUSED)
def test_dana_learns_what_stands_in_the_way(graph: RoleGraph, subject: Subject, codes: list[str]) -> None:
    told = explain(graph, subject, "a:use", NOW)

    assert (told.decision, told.paths) == (False, ())
    assert [reason.code for reason in told.because] == codes
    assert all("you" not in reason.detail for reason in told.because)  # it may be told of somebody else


def test_reasons_are_bounded_too() -> None:
    graph = RoleGraph.compile(
        [Role(f"n{i}", frozenset({"a:use"})) for i in range(200)], [Permission("a:use")]
    )

    told = asked(graph, *(Assignment(f"n{i}", NOW - HOUR, NOW) for i in range(200)))

    assert (len(told.because), told.truncated) == (100, True)
