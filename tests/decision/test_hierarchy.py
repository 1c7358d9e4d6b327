"""Roles compiled: who inherits what, loops included, deep and wide."""

from time import thread_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Permission, Role

PATIENCE = 2.0  # seconds of this thread alone
NAMES = [f"r{number}" for number in range(7)]


def graph_of(edges: list[tuple[str, str]], names: list[str] = NAMES) -> RoleGraph:
    """Each role holds one permission of its own name."""
    roles = [Role(name, frozenset({f"{name}:use"})) for name in names]
    return RoleGraph.compile(roles, [Permission(f"{name}:use") for name in names], edges)


def reachable(edges: list[tuple[str, str]], start: str) -> set[str]:
    """The slow and obvious answer."""
    found, waiting = {start}, [start]
    while waiting:
        at = waiting.pop()
        new = {junior for senior, junior in edges if senior == at} - found
        found |= new
        waiting += new
    return found


edges_of_any_kind = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14)


@settings(deadline=None, max_examples=200)
@given(edges_of_any_kind)
def test_a_role_holds_exactly_what_can_be_reached_from_it(edges: list[tuple[str, str]]) -> None:
    graph = graph_of(edges)

    for name in NAMES:
        below = reachable(edges, name)
        assert graph.closures[name] == below
        assert graph.effective[name] == {f"{role}:use" for role in below}
        assert graph.seniors(name) == {senior for senior in NAMES if name in reachable(edges, senior)}


@settings(deadline=None, max_examples=200)
@given(edges_of_any_kind, st.sampled_from(NAMES), st.sampled_from(NAMES))
def test_an_edge_is_refused_exactly_when_it_would_close_a_loop(
    edges: list[tuple[str, str]], senior: str, junior: str
) -> None:
    straight = [edge for edge in edges if edge[0] > edge[1]]  # seniors have the greater name: no loop yet
    graph = graph_of(straight)

    closed = graph_of([*straight, (senior, junior)]).cycles

    assert graph.cycles == ()
    assert graph.would_close_cycle(senior, junior) is bool(closed)


LOOPS = {
    "a role that inherits itself": ([("r1", "r1")], (("r1",),)),
    "two that inherit each other": ([("r1", "r2"), ("r2", "r1")], (("r1", "r2"),)),
    "a ring of three with a tail": (
        [("r1", "r2"), ("r2", "r3"), ("r3", "r1"), ("r3", "r4")],
        (("r1", "r2", "r3"),),
    ),
    "none": ([("r1", "r2"), ("r2", "r3")], ()),
}


@pytest.mark.parametrize(("edges", "cycles"), LOOPS.values(), ids=LOOPS)
def test_a_loop_is_named(edges: list[tuple[str, str]], cycles: tuple[tuple[str, ...], ...]) -> None:
    assert graph_of(edges).cycles == cycles


def test_roles_in_a_loop_hold_what_the_loop_holds_and_nothing_more() -> None:
    graph = graph_of([("r1", "r2"), ("r2", "r1"), ("r2", "r3")])

    assert graph.effective["r1"] == graph.effective["r2"] == {"r1:use", "r2:use", "r3:use"}
    assert graph.effective["r3"] == {"r3:use"}


def test_an_edge_to_a_role_that_is_gone_does_not_count() -> None:
    graph = graph_of([("r1", "ghost"), ("ghost", "r2")])

    assert graph.closures["r1"] == {"r1"}
    assert graph.seniors("ghost") == {"ghost"}
    assert not graph.would_close_cycle("r1", "ghost")


SHAPES = {
    "a chain of 1,000": [(f"n{i}", f"n{i + 1}") for i in range(1000)],
    "one role over 10,000": [("n0", f"n{i}") for i in range(1, 10_001)],
    "10,000 roles over one": [(f"n{i}", "n0") for i in range(1, 10_001)],
    "a ring of 10,000": [(f"n{i}", f"n{(i + 1) % 10_000}") for i in range(10_000)],
}


@pytest.mark.parametrize("edges", SHAPES.values(), ids=SHAPES)
def test_deep_and_wide_roles_are_compiled_in_bounded_time(edges: list[tuple[str, str]]) -> None:
    names = sorted({name for edge in edges for name in edge})
    began = thread_time()

    graph = graph_of(edges, names)

    assert thread_time() - began < PATIENCE
    assert graph.effective["n0"] >= {"n0:use"}
