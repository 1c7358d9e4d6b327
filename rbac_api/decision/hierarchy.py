"""Compiles roles: closures of the inheritance relation, and the permissions of each.

``RoleGraph.compile`` compiles all of them; ``RoleGraph.changed`` computes what a change touches and shares
the rest.  Both are one engine: compiling is changing a graph without roles.

A cycle cannot be made through the service, but it may be written into the database directly.  The compiler
then still ends: the roles of a cycle inherit each other, nothing more, and ``cycles`` names them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from rbac_api.decision.components import components_of
from rbac_api.decision.model import Constraint, Permission, Role


@dataclass(frozen=True, slots=True)
class RoleChanges:
    """What roles and permissions are after a change, by name; None for those that ended.

    ``juniors`` has the direct juniors of changed roles; names without a role do not count.  The roles that
    inherit a role which begins are changed roles too.  ``constraints`` None: the same as before.
    """

    roles: Mapping[str, Role | None] = field(default_factory=dict)
    juniors: Mapping[str, Iterable[str]] = field(default_factory=dict)
    permissions: Mapping[str, Permission | None] = field(default_factory=dict)
    constraints: Iterable[Constraint] | None = None


@dataclass(frozen=True, slots=True)
class RoleGraph:
    """Everything about roles that a decision needs.  It never changes: a change of a role gives another
    graph.

    ``closures`` maps a role to itself and all its juniors; ``effective`` to the permissions of that closure.
    ``without_second_factor`` is the same without the roles that require one, and without what is inherited
    through them.  ``revision`` is the trail's ``seq`` as of which the rows were read.
    """

    roles: Mapping[str, Role]
    permissions: Mapping[str, Permission]
    juniors: Mapping[str, frozenset[str]]
    direct_seniors: Mapping[str, frozenset[str]] = field(repr=False)
    closures: Mapping[str, frozenset[str]] = field(repr=False)
    effective: Mapping[str, frozenset[str]] = field(repr=False)
    cycles: tuple[tuple[str, ...], ...] = ()
    without_second_factor: RoleGraph | None = field(default=None, repr=False)  # None: no role requires one
    constraints: tuple[Constraint, ...] = ()
    dynamic: tuple[Constraint, ...] = ()  # those of them that bind in sessions
    revision: int = field(default=0, compare=False)

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
        by_name = {role.name: role for role in roles}
        edges: dict[str, set[str]] = {name: set() for name in by_name}
        for senior, junior in inheritance:
            if senior in edges:
                edges[senior].add(junior)
        catalogue = {permission.name: permission for permission in permissions}
        return cls({}, {}, {}, {}, {}, {}).changed(RoleChanges(by_name, edges, catalogue, constraints))

    def changed(self, changes: RoleChanges) -> RoleGraph:
        """Return the graph after a change.

        Computes the changed roles and all that inherit them; of the others only the references are copied.
        """
        whole = _Changing(self, changes.permissions)
        whole.put(changes.roles, changes.juniors)
        result = replace(whole.finished(), without_second_factor=self._reduced(changes, whole))
        return result if changes.constraints is None else result.with_constraints(changes.constraints)

    def _reduced(self, changes: RoleChanges, whole: _Changing) -> RoleGraph | None:
        """Return ``without_second_factor`` after a change."""
        strict = {name for name in changes.roles if name in whole.roles and whole.roles[name].requires_mfa}
        if self.without_second_factor is None and not strict:
            return None
        lesser, touched = self.without_second_factor or self, set(changes.roles)
        for name in changes.roles:
            if (name in lesser.roles) == (name in strict):  # it begins or ceases to count there
                touched.update(whole.seniors.get(name, ()))
        counting = {
            name: role for name in touched if (role := whole.roles.get(name)) and not role.requires_mfa
        }
        reduced = _Changing(lesser, changes.permissions)
        reduced.put(
            {name: counting.get(name) for name in touched}, {name: whole.juniors[name] for name in counting}
        )
        return reduced.finished() if len(reduced.roles) < len(whole.roles) else None

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
        return reached((role,), self.direct_seniors)

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


def reached(names: Iterable[str], edges: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Return these and everything that the edges lead to from there."""
    found = set(names)
    fresh = list(found)
    while fresh:
        for name in edges.get(fresh.pop(), ()):
            if name not in found:
                found.add(name)
                fresh.append(name)
    return frozenset(found)


class _Changing:
    """The parts of a graph, copied so that they can be changed."""

    def __init__(self, graph: RoleGraph, permissions: Mapping[str, Permission | None]) -> None:
        self._graph = graph
        self.roles, self.permissions = dict(graph.roles), dict(graph.permissions)
        self.juniors, self.seniors = dict(graph.juniors), dict(graph.direct_seniors)
        self._relinked: set[str] = set()  # roles that begin, end, or inherit others than before
        self._regranted: set[str] = set()  # roles that hold other permissions than before
        moved = {name for name, one in permissions.items() if self.permissions.get(name) != one}
        if moved:
            self._move(moved, permissions)

    def _move(self, moved: set[str], permissions: Mapping[str, Permission | None]) -> None:
        """Begin, end or change permissions; no role lists one that has ended."""
        for name in moved:
            self.permissions.pop(name, None)
        self.permissions |= {name: one for name in moved if (one := permissions[name])}
        gone = moved - self.permissions.keys()
        for name, role in self.roles.items():
            if role.grants != "listed" or role.permissions & moved:
                self._regranted.add(name)
                self.roles[name] = replace(role, permissions=role.permissions - gone)

    def put(self, roles: Mapping[str, Role | None], juniors: Mapping[str, Iterable[str]]) -> None:
        """Begin, end or change roles, and what they inherit."""
        below = dict(juniors)
        for name, role in roles.items():
            if role is None:
                self._relinked.add(name)
                below[name] = ()
                below |= {
                    senior: self.juniors[senior] for senior in self.seniors.get(name, ()) - below.keys()
                }
                self.roles.pop(name, None)
            elif name not in self.roles:
                self._relinked.add(name)
                self.juniors[name] = self.seniors[name] = frozenset()
                self.roles[name] = role
            elif self.roles[name] != role:
                self._regranted.add(name)
                self.roles[name] = role
        self._link(below)
        for name in roles.keys() - self.roles.keys():
            self.juniors.pop(name, None)
            self.seniors.pop(name, None)

    def _link(self, below: Mapping[str, Iterable[str]]) -> None:
        gained: dict[str, set[str]] = {}
        lost: dict[str, set[str]] = {}
        for name, wanted in below.items():
            old = self.juniors.get(name, frozenset())
            new = frozenset(junior for junior in wanted if junior in self.roles)
            for junior in new - old:
                gained.setdefault(junior, set()).add(name)
            for junior in old - new:
                lost.setdefault(junior, set()).add(name)
            if new != old:
                self._relinked.add(name)
                self.juniors[name] = new
        for junior in gained.keys() | lost.keys():
            self.seniors[junior] = (self.seniors[junior] - lost.get(junior, set())) | gained.get(
                junior, set()
            )

    def finished(self) -> RoleGraph:
        """Compute what the changed roles, and all that inherit them, inherit and hold now."""
        relinked = reached(self._relinked, self.seniors)
        affected = relinked | reached(self._regranted, self.seniors)
        ended = affected - self.roles.keys()
        below = {name: self.juniors[name] & affected for name in affected - ended}
        components = list(components_of(below))
        linked = [component for component in components if component[0] in relinked]
        direct = {name: direct_permissions(self.roles[name], self.permissions) for name in below}
        closures = _without(self._graph.closures, ended)
        closures |= _closures(linked, self.juniors, closures)
        effective = _without(self._graph.effective, ended)
        effective |= _effective(components, self.juniors, direct, effective)
        cycles = [cycle for cycle in self._graph.cycles if relinked.isdisjoint(cycle)]
        cycles += [tuple(sorted(c)) for c in linked if len(c) > 1 or c[0] in self.juniors[c[0]]]
        return replace(
            self._graph,
            roles=self.roles,
            permissions=self.permissions,
            juniors=self.juniors,
            direct_seniors=self.seniors,
            closures=closures,
            effective=effective,
            cycles=tuple(sorted(cycles)),
        )


def _without(found: Mapping[str, frozenset[str]], names: Iterable[str]) -> dict[str, frozenset[str]]:
    copy = dict(found)
    for name in names:
        copy.pop(name, None)
    return copy


def _closures(
    components: list[list[str]], juniors: Mapping[str, frozenset[str]], others: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    """Return the closures of the roles of these components; ``others`` has those of all other roles."""
    found: dict[str, frozenset[str]] = {}
    for component in components:  # juniors come first
        members = frozenset(component)
        below = frozenset().union(*(juniors[name] for name in component)) - members
        closure = members.union(*(found.get(junior) or others[junior] for junior in below))
        found.update(dict.fromkeys(component, closure))
    return found


def _effective(
    components: list[list[str]],
    juniors: Mapping[str, frozenset[str]],
    direct: Mapping[str, frozenset[str]],
    others: Mapping[str, frozenset[str]],
) -> dict[str, frozenset[str]]:
    """Return all that the roles of these components hold; ``others`` has what all other roles hold."""
    found: dict[str, frozenset[str]] = {}
    for component in components:
        below = frozenset().union(*(juniors[name] for name in component)).difference(component)
        inherited = (found[junior] if junior in found else others[junior] for junior in below)
        total = frozenset().union(*(direct[name] for name in component), *inherited)
        found.update(dict.fromkeys(component, total))
    return found
