"""Roles that count only with a second factor: whoever lacks one has what she would have if those roles were not there, never more."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from rbac_api.decision.evaluate import decide, effective_permissions, effective_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Permission, Role, Subject

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NAMES = [f"role-{number}" for number in range(12)]
PERMISSIONS = [Permission(f"thing:verb{number}", system=number % 2 == 0) for number in range(8)] + [
    Permission("thing:read", True)
]
# chief → vault (strict) → clerk; chief holds clerk through the vault alone
GRAPH = RoleGraph.compile(
    [
        Role("clerk", frozenset({"invoices:read"})),
        Role("vault", frozenset({"gold:move"}), requires_mfa=True),
        Role("chief", frozenset({"tea:drink"})),
    ],
    [Permission("invoices:read"), Permission("gold:move"), Permission("tea:drink")],
    [("chief", "vault"), ("vault", "clerk")],
)


def dana(*roles: str, second_factor: bool) -> Subject:
    held = tuple(Assignment(role, MONDAY) for role in roles)
    return Subject("dana", "active", held, second_factor=second_factor)


HOLDINGS = {
    "a strict role counts for nothing": (("vault",), set(), {"gold:move", "invoices:read"}),
    "nor does what is inherited through it": (("chief",), {"tea:drink"}, {"tea:drink", "gold:move", "invoices:read"}),
    "what she holds on another way stays": (
        ("chief", "clerk"), {"tea:drink", "invoices:read"}, {"tea:drink", "gold:move", "invoices:read"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("roles", "without", "with_one"), HOLDINGS.values(), ids=HOLDINGS)
def test_dana_holds_more_with_her_second_factor(
    roles: tuple[str, ...], without: set[str], with_one: set[str]
) -> None:
    assert effective_permissions(GRAPH, dana(*roles, second_factor=False), MONDAY) == without
    assert effective_permissions(GRAPH, dana(*roles, second_factor=True), MONDAY) == with_one


def test_the_refusal_says_that_only_the_second_factor_is_missing() -> None:
    decision = decide(GRAPH, dana("vault", second_factor=False), "gold:move", MONDAY)

    assert [reason.code for reason in decision.reasons] == ["mfa", "nothing-grants"]
    assert decision.reasons[0].detail == "vault is effective only after signing in with a second factor"


def test_a_strict_role_of_tomorrow_is_refused_for_being_tomorrows() -> None:
    held = (Assignment("vault", MONDAY + timedelta(days=1)),)

    decision = decide(GRAPH, Subject("dana", "active", held), "gold:move", MONDAY)

    assert [reason.code for reason in decision.reasons] == ["not-started", "nothing-grants"]


def test_where_no_role_is_strict_there_is_one_graph() -> None:
    plain = RoleGraph.compile([Role("clerk")])

    assert plain.seen_with(False) is plain.seen_with(True) is plain


def some_graph(chance: random.Random) -> tuple[RoleGraph, RoleGraph]:
    """A random hierarchy, cycles included, and the same without its strict roles, compiled from nothing."""
    grants = ["listed"] * 8 + ["all", "reads"]
    roles = [
        Role(
            name,
            frozenset(chance.sample([p.name for p in PERMISSIONS], chance.randrange(4))),
            chance.choice(grants),  # type: ignore[arg-type]
            chance.random() < 0.3,
        )
        for name in NAMES
    ]
    edges = [(chance.choice(NAMES), chance.choice(NAMES)) for _ in range(chance.randrange(25))]
    lesser = [role for role in roles if not role.requires_mfa]
    return RoleGraph.compile(roles, PERMISSIONS, edges), RoleGraph.compile(lesser, PERMISSIONS, edges)


@pytest.mark.parametrize("seed", range(150))
def test_without_a_second_factor_nobody_ever_has_more_than_with_one(seed: int) -> None:
    chance = random.Random(seed)
    graph, lesser = some_graph(chance)
    roles = chance.sample(NAMES, 4)
    without, with_one = dana(*roles, second_factor=False), dana(*roles, second_factor=True)

    held = effective_permissions(graph, without, MONDAY)

    assert held <= effective_permissions(graph, with_one, MONDAY)
    assert held == effective_permissions(lesser, with_one, MONDAY)
    assert {r.role for r in effective_roles(graph, without, MONDAY)} == {
        r.role for r in effective_roles(lesser, with_one, MONDAY)
    }
    for permission in PERMISSIONS:
        assert decide(graph, without, permission.name, MONDAY).allowed == (permission.name in held)
