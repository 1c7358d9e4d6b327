"""Roles that change in place are, after every change, what compiling all of them anew would give."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from rbac_api.decision import hierarchy
from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.decision.model import Constraint, Permission, Role
from rbac_api.decision.working import WorkingRoles
from tests.sizes import sized

CHANGES = sized(400, 10_000)
ROLES = [f"r{number}" for number in range(24)]
PERMISSIONS = [f"thing{number}:{verb}" for number in range(5) for verb in ("do", "read")]


class Rows:
    """The roles as tables have them, loops included, and what each random change touches."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.roles: dict[str, Role] = {"admin": Role("admin", grants="all")}
        self.permissions: dict[str, Permission] = {}
        self.edges: set[tuple[str, str]] = set()
        self.rules: tuple[Constraint, ...] = ()

    def fresh(self) -> RoleGraph:
        return RoleGraph.compile(self.roles.values(), self.permissions.values(), self.edges, self.rules)

    def change(self) -> RoleChanges:
        """Change something, and say what a worker would read of it."""
        makers = (self._role, self._edge, self._edge, self._grant, self._grant, self._permission, self._rule)
        return self.chance.choice(makers)()

    def _role(self) -> RoleChanges:
        name = self.chance.choice(ROLES)
        if name in self.roles and self.chance.random() < 0.4:
            del self.roles[name]
            self.edges = {edge for edge in self.edges if name not in edge}
        else:
            grants: Any = self.chance.choice(("listed", "listed", "listed", "reads", "all"))
            held = self.roles[name].permissions if name in self.roles else frozenset()
            self.roles[name] = Role(name, held, grants, self.chance.random() < 0.2)
        return self._touched(name)

    def _edge(self) -> RoleChanges:
        senior, junior = self.chance.choice([*self.roles]), self.chance.choice([*self.roles])
        self.edges ^= {(senior, junior)}
        return self._touched(senior)

    def _grant(self) -> RoleChanges:
        name, granted = self.chance.choice([*self.roles]), self.chance.choice([*self.permissions, None])
        if granted:
            role = self.roles[name]
            self.roles[name] = replace(role, permissions=role.permissions ^ {granted})
        return self._touched(name)

    def _permission(self) -> RoleChanges:
        name = self.chance.choice(PERMISSIONS)
        if name in self.permissions and self.chance.random() < 0.5:
            del self.permissions[name]
            for role in self.roles.values():
                self.roles[role.name] = replace(role, permissions=role.permissions - {name})
        else:
            self.permissions[name] = Permission(name, system=self.chance.random() < 0.5)
        return RoleChanges(permissions={name: self.permissions.get(name)})

    def _rule(self) -> RoleChanges:
        kind: Any = self.chance.choice(("static", "dynamic"))
        self.rules = (Constraint("rule", kind, tuple(self.chance.sample(ROLES, 2)), 2),)
        return RoleChanges(constraints=self.rules)

    def _touched(self, name: str) -> RoleChanges:
        below = {junior for senior, junior in self.edges if senior == name}
        return RoleChanges({name: self.roles.get(name)}, {name: below})


def differing(seed: int, changes: int) -> str | None:
    """What first differs between the graph that changes and a fresh one; None if they stay equal."""
    rows = Rows(random.Random(seed))
    graph = rows.fresh()
    for number in range(changes):
        earlier, copy = graph, (dict(graph.closures), dict(graph.effective))
        graph = graph.changed(rows.change())
        fresh = rows.fresh()
        if graph != fresh:
            fields = (one for one in RoleGraph.__slots__ if getattr(graph, one) != getattr(fresh, one))
            return f"change {number}: {', '.join(fields)}"
        if copy != (earlier.closures, earlier.effective):
            return f"change {number}: the graph before it"
    return None


@pytest.mark.soak
def test_roles_changed_in_place_equal_roles_compiled_anew_after_every_change() -> None:
    assert differing(1, CHANGES) is None


def only_itself(names: Any, edges: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(names)


REDUCED = RoleGraph._reduced
MOVE = hierarchy._Changing._move
WRONG: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "seniors keep what they held": (hierarchy, "reached", only_itself),
    "the roles without a second factor stay as they were": (
        RoleGraph, "_reduced", lambda self, changes, whole:
            self.without_second_factor if self.roles else REDUCED(self, changes, whole)),
    "an ended permission is still listed": (
        hierarchy._Changing, "_move", lambda self, moved, permissions: MOVE(
            self, {name for name in moved if permissions[name]}, permissions)),
    "a graph is changed for its readers too": (
        hierarchy, "_without", lambda found, names: found),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_in_the_change_is_found(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    """The vulnerable twins."""
    where, name, wrong = WRONG[mistake]
    monkeypatch.setattr(where, name, wrong)

    assert differing(1, 400) is not None


def test_a_working_copy_compiles_what_it_changed_and_leaves_its_graph_alone() -> None:
    """Every role inherits the next; what is compiled in between is compiled on."""
    names = [f"n{number}" for number in range(6)]
    graph = RoleGraph.compile([Role(name) for name in names], [Permission("x:do")])
    roles = WorkingRoles(graph)

    for senior, junior in pairwise(names):
        roles.inherit(senior, junior)
        assert roles.compiled().juniors[senior] == {junior}
    roles.grant("n5", "x:do")

    assert roles.compiled().effective["n0"] == {"x:do"}
    assert graph.juniors["n0"] == graph.effective["n0"] == frozenset()
    assert all(isinstance(one, frozenset) for one in roles.compiled().juniors.values())
