"""Compiles roles: closures of the inheritance relation, and the permissions of each.

A cycle cannot be made through the service, but it may be written into the database directly.  The compiler
then still ends: the roles of a cycle inherit each other, nothing more, and ``cycles`` names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from rbac_api.decision.model import Constraint, Permission, Role


@dataclass(frozen=True, slots=True)
class RoleGraph:
    """Everything about roles that a decision needs, computed once per change of the roles.

    ``closures`` maps a role to itself and all its juniors; ``effective`` to the permissions of that closure.
    ``without_second_factor`` is the same without the roles that require one, and without what is inherited
    through them.
    """

    roles: Mapping[str, Role]
    permissions: Mapping[str, Permission]
    juniors: Mapping[str, frozenset[str]]
    closures: Mapping[str, frozenset[str]] = field(repr=False)
    effective: Mapping[str, frozenset[str]] = field(repr=False)
    cycles: tuple[tuple[str, ...], ...] = ()
    without_second_factor: RoleGraph | None = field(default=None, repr=False)  # None: no role requires one
    constraints: tuple[Constraint, ...] = ()
    dynamic: tuple[Constraint, ...] = ()  # those of them that bind in sessions

    @classmethod
    def compile(
        cls,
        roles: Iterable[Role],
        permissions: Iterable[Permission] = (),
        inheritance: Iterable[tuple[str, str]] = (),
        constraints: Iterable[Constraint] = (),
    ) -> RoleGraph:
        """Compile roles, the catalogue of permissions, (senior, junior) pairs, and constraints on roles.

        Works at any depth, in the time it takes to write the closures: linear in the pairs for wide
        hierarchies, quadratic for a chain.
        """
        by_name, pairs = {role.name: role for role in roles}, list(inheritance)
        catalogue = {permission.name: permission for permission in permissions}
        lesser = [role for role in by_name.values() if not role.requires_mfa]
        rules = tuple(sorted(constraints, key=lambda constraint: constraint.name))
        strict = len(lesser) < len(by_name)
        reduced = cls.compile(lesser, catalogue.values(), pairs, rules) if strict else None
        edges: dict[str, set[str]] = {name: set() for name in by_name}
        for senior, junior in pairs:
            if senior in edges and junior in edges:
                edges[senior].add(junior)
        juniors = {name: frozenset(below) for name, below in edges.items()}
        components = list(_components(juniors))
        closures = _closures(components, juniors)
        direct = {name: direct_permissions(role, catalogue) for name, role in by_name.items()}
        effective = _effective(components, juniors, direct)
        loops = tuple(tuple(sorted(c)) for c in components if len(c) > 1 or c[0] in juniors[c[0]])
        dynamic = tuple(rule for rule in rules if rule.kind == "dynamic")
        return cls(by_name, catalogue, juniors, closures, effective, loops, reduced, rules, dynamic)

    def with_constraints(self, constraints: Iterable[Constraint]) -> RoleGraph:
        """Return the same roles under other constraints."""
        rules = tuple(sorted(constraints, key=lambda constraint: constraint.name))
        dynamic = tuple(rule for rule in rules if rule.kind == "dynamic")
        lesser = self.without_second_factor
        reduced = lesser.with_constraints(rules) if lesser is not None else None
        return replace(self, constraints=rules, dynamic=dynamic, without_second_factor=reduced)

    def seen_with(self, second_factor: bool) -> RoleGraph:
        """Return the roles as they count with, or without, a proved second factor."""
        return self if second_factor else self.without_second_factor or self

    def closure_of(self, roles: Iterable[str]) -> frozenset[str]:
        """Return these roles, as far as they exist, and all they inherit."""
        return frozenset().union(*(self.closures.get(role, frozenset()) for role in roles))

    def held_by(self, roles: Iterable[str]) -> frozenset[str]:
        """Return every permission of a subject with these roles."""
        return frozenset().union(*(self.effective.get(role, frozenset()) for role in roles))

    def seniors(self, role: str) -> frozenset[str]:
        """Return the role itself and every role that inherits it, at any depth."""
        return frozenset(name for name, closure in self.closures.items() if role in closure) | {role}

    def would_close_cycle(self, senior: str, junior: str) -> bool:
        """Return whether letting ``senior`` inherit ``junior`` would make a role inherit itself."""
        return senior == junior or senior in self.closures.get(junior, frozenset())


def direct_permissions(role: Role, catalogue: Mapping[str, Permission]) -> frozenset[str]:
    """Return what the role holds without inheritance; permissions that no longer exist do not count."""
    if role.grants == "all":
        return frozenset(catalogue)
    if role.grants == "reads":
        return frozenset(
            name for name, permission in catalogue.items() if permission.system and name.endswith(":read")
        )
    return frozenset(name for name in role.permissions if name in catalogue)


def _closures(
    components: list[list[str]], juniors: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for component in components:  # juniors come first
        closure = frozenset(component).union(
            *(found[j] for name in component for j in juniors[name] if j in found)
        )
        found.update(dict.fromkeys(component, closure))
    return found


def _effective(
    components: list[list[str]], juniors: Mapping[str, frozenset[str]], direct: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for component in components:
        inherited = (found[j] for name in component for j in juniors[name] if j in found)
        total = frozenset().union(*(direct[name] for name in component), *inherited)
        found.update(dict.fromkeys(component, total))
    return found


def _components(juniors: Mapping[str, frozenset[str]]) -> Iterator[list[str]]:
    """Find strongly connected components, juniors before seniors (Tarjan 1972), with an explicit stack,
    because chains may be deep."""
    walk = _Walk(juniors)
    for root in juniors:
        if root not in walk.index:
            yield from walk.from_root(root)


class _Walk:
    def __init__(self, juniors: Mapping[str, frozenset[str]]) -> None:
        self.juniors = juniors
        self.index: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.open: dict[str, None] = {}  # an ordered set: the nodes not yet in a component

    def from_root(self, root: str) -> Iterator[list[str]]:
        path = [(self._enter(root), iter(self.juniors[root]))]
        while path:
            node, below = path[-1]
            child = next(below, None)
            if child is None:
                path.pop()
                yield from self._leave(node, path[-1][0] if path else None)
            elif child not in self.index:
                path.append((self._enter(child), iter(self.juniors[child])))
            elif child in self.open:
                self.low[node] = min(self.low[node], self.index[child])

    def _enter(self, node: str) -> str:
        self.index[node] = self.low[node] = len(self.index)
        self.open[node] = None
        return node

    def _leave(self, node: str, parent: str | None) -> Iterator[list[str]]:
        if parent is not None:
            self.low[parent] = min(self.low[parent], self.low[node])
        if self.low[node] == self.index[node]:
            component: list[str] = []
            while not component or component[-1] != node:
                component.append(self.open.popitem()[0])
            yield component
