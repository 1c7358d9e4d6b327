"""A role cut to what is used grants that, as far as it did, and nothing in any session that it did not grant before."""

from __future__ import annotations

from random import Random

import pytest

from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.least_privilege import Cut, cut_to
from rbac_api.decision.model import Permission, Role

NAMES = tuple(f"{letter}:do" for letter in "abcdef")
KNOWN = [Permission(name) for name in NAMES]


def graph_of(roles: dict[str, tuple[str, str, bool]]) -> RoleGraph:
    """Roles by name: the letters they hold, the roles they inherit, and whether they need a second factor."""
    return RoleGraph.compile(
        [
            Role(name, frozenset(f"{letter}:do" for letter in held), requires_mfa=strict)
            for name, (held, _, strict) in roles.items()
        ],
        KNOWN,
        [(name, junior) for name, (_, below, _) in roles.items() for junior in below.split()],
    )


def letters(*wanted: str) -> frozenset[str]:
    return frozenset(f"{letter}:do" for letter in wanted)


@pytest.mark.parametrize(
    ("roles", "used", "left"),
    [
        ({"x": ("ab", "", False)}, "a", Cut(letters("a"), frozenset())),
        ({"x": ("a", "y", False), "y": ("bc", "", False)}, "abc", Cut(letters("a"), frozenset("y"))),
        ({"x": ("a", "y", False), "y": ("bc", "", False)}, "b", Cut(letters("b"), frozenset())),
        ({"x": ("a", "y", False), "y": ("", "", False)}, "", Cut(frozenset(), frozenset("y"))),  # a label
        ({"x": ("a", "y", False), "y": ("bc", "", True)}, "b", Cut(frozenset(), frozenset("y"))),
        ({"x": ("a", "y", True), "y": ("bc", "", True)}, "b", Cut(letters("b"), frozenset())),
        ({"x": ("a", "y", False), "y": ("ab", "", False)}, "a", Cut(letters("a"), frozenset())),
        (
            {"x": ("", "y z", False), "y": ("ab", "", True), "z": ("a", "", True)},
            "a",
            Cut(frozenset(), frozenset("z")),
        ),
    ],
)
def test_what_is_left_of_a_role(roles: dict[str, tuple[str, str, bool]], used: str, left: Cut) -> None:
    assert cut_to(graph_of(roles), "x", letters(*used)) == left


@pytest.mark.parametrize("seed", range(300))
def test_nothing_used_is_lost_and_nothing_is_gained(seed: int) -> None:
    chance = Random(seed)
    roles = {
        f"r{place}": (
            "".join(chance.sample("abcdef", chance.randrange(4))),
            " ".join(
                f"r{junior}" for junior in chance.sample(range(place), chance.randrange(min(place, 3) + 1))
            ),
            chance.random() < 0.25,
        )
        for place in range(6)
    }
    graph, used = graph_of(roles), letters(*chance.sample("abcdef", chance.randrange(6)))
    cut = cut_to(graph, "r5", used)
    after = graph_of(
        {
            **roles,
            "r5": ("".join(name[0] for name in cut.permissions), " ".join(cut.inherits), roles["r5"][2]),
        }
    )

    for factor in (True, False):
        had, has = (one.seen_with(factor).effective.get("r5", frozenset()) for one in (graph, after))
        assert has <= had
        assert had & used <= has
    if not any(strict for _, _, strict in roles.values()):
        assert after.effective["r5"] == graph.effective["r5"] & used
    assert cut_to(after, "r5", used) == cut
