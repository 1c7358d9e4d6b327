"""Changes roles step by step; what one of them effectively holds is computed when needed, not after each
step.

    roles = WorkingRoles(graph)
    roles.grant("clerk", "invoices:read")
    roles.effective("clerk")            # {"invoices:read"}
    roles.compiled()                    # a ``RoleGraph`` of the changed roles
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import replace
from typing import Any

from rbac_api.decision.hierarchy import RoleChanges, RoleGraph, direct_permissions, reached
from rbac_api.decision.model import Constraint, Permission, Role

Facts = Mapping[str, Any]


class WorkingRoles:
    """A changeable copy of the roles of a graph.  The names that are passed must exist; whether a change is
    allowed is not checked here."""

    def __init__(self, graph: RoleGraph) -> None:
        self._graph = graph
        self.roles: dict[str, Role] = dict(graph.roles)
        self.permissions: dict[str, Permission] = dict(graph.permissions)
        self.rules: dict[str, Constraint] = {rule.name: rule for rule in graph.constraints}
        self.juniors: dict[str, Set[str]] = dict(graph.juniors)  # those of changed roles are sets of its own
        self.above: dict[str, Set[str]] = dict(graph.direct_seniors)
        self._holders: dict[str, set[str]] | None = None
        self._known: dict[str, frozenset[str]] = dict(graph.effective)
        self._changed: set[str] = set()  # roles whose seniors in ``_known`` may be wrong
        self._touched: set[str] = set()  # roles and permissions that differ from those of the graph
        self._moved: set[str] = set()

    @property
    def holders(self) -> dict[str, set[str]]:
        """By permission, the roles that list it."""
        if self._holders is None:
            self._holders = {}
            for role in self.roles.values():
                self._note_held(role.name, role.permissions)
        return self._holders

    def effective(self, name: str) -> frozenset[str]:
        """Return everything that the role holds, including what it inherits."""
        self._forget_changed()
        if name not in self._known:
            direct = (direct_permissions(self.roles[one], self.permissions) for one in self.closure(name))
            self._known[name] = frozenset().union(*direct)
        return self._known[name]

    def held_by(self, names: Iterable[str]) -> frozenset[str]:
        """Return every permission of a subject with these roles; unknown roles hold none."""
        return frozenset().union(*(self.effective(name) for name in names if name in self.roles))

    def closure(self, name: str) -> frozenset[str]:
        """Return the role and all that it inherits."""
        return reached((name,), self.juniors)

    def seniors(self, name: str) -> frozenset[str]:
        """Return the role and all that inherit it."""
        return reached((name,), self.above)

    def add_permission(self, permission: Permission) -> None:
        """Add a permission, held by the roles that hold all."""
        self.permissions[permission.name] = permission
        self._note_moved(permission.name)

    def remove_permission(self, name: str) -> list[str]:
        """Take a permission from every role; return the names of those that listed it."""
        del self.permissions[name]
        holders = sorted(self.holders.get(name, ()))
        for holder in holders:
            self.withdraw(holder, name)
        self._note_moved(name)
        return holders

    def add_role(self, role: Role) -> None:
        """Add a role that inherits nothing."""
        self.roles[role.name] = role
        self.juniors[role.name], self.above[role.name] = set(), set()
        self._touched.add(role.name)
        self._note_held(role.name, role.permissions)

    def remove_role(self, name: str) -> None:
        """Remove a role that no other inherits."""
        for junior in list(self.juniors[name]):
            self.disinherit(name, junior)
        for permission in self.roles[name].permissions:
            self.holders[permission].discard(name)
        self._known.pop(name, None)
        self._changed.discard(name)
        self._touched.add(name)
        del self.roles[name], self.juniors[name], self.above[name]

    def require_mfa(self, name: str, required: bool) -> None:
        """Set whether the role counts only with a second factor."""
        self.roles[name] = replace(self.roles[name], requires_mfa=required)
        self._touched.add(name)

    def grant(self, role: str, permission: str) -> None:
        """Put a permission into a role."""
        self._hold(role, self.roles[role].permissions | {permission})
        self._note_held(role, (permission,))

    def withdraw(self, role: str, permission: str) -> None:
        """Take a permission out of a role."""
        self._hold(role, self.roles[role].permissions - {permission})
        if self._holders is not None:
            self._holders.setdefault(permission, set()).discard(role)

    def inherit(self, senior: str, junior: str) -> None:
        """Let one role inherit another."""
        _own(self.juniors, senior).add(junior)
        _own(self.above, junior).add(senior)
        self._note_changed(senior)

    def disinherit(self, senior: str, junior: str) -> None:
        """End an inheritance."""
        _own(self.juniors, senior).discard(junior)
        _own(self.above, junior).discard(senior)
        self._note_changed(senior)

    def compiled(self) -> RoleGraph:
        """Return the changed roles, compiled."""
        roles = {name: self.roles.get(name) for name in self._touched}
        juniors = {name: self.juniors[name] for name, role in roles.items() if role}
        permissions = {name: self.permissions.get(name) for name in self._moved}
        changes = RoleChanges(roles, juniors, permissions, self.rules.values())
        self._graph, self._touched, self._moved = self._graph.changed(changes), set(), set()
        return self._graph

    def _hold(self, role: str, permissions: frozenset[str]) -> None:
        self.roles[role] = replace(self.roles[role], permissions=permissions)
        self._note_changed(role)

    def _note_changed(self, role: str) -> None:
        self._changed.add(role)
        self._touched.add(role)

    def _note_moved(self, permission: str) -> None:
        """All that a role with every permission, or every one of a kind, holds has changed."""
        self._moved.add(permission)
        self._changed |= {name for name, role in self.roles.items() if role.grants != "listed"}

    def _note_held(self, role: str, permissions: Iterable[str]) -> None:
        if self._holders is not None:
            for permission in permissions:
                self._holders.setdefault(permission, set()).add(role)

    def _forget_changed(self) -> None:
        """Forget what the changes since the last question have made wrong."""
        if self._changed:
            for name in reached(self._changed, self.above):
                self._known.pop(name, None)
            self._changed = set()


def _own(edges: dict[str, Set[str]], name: str) -> set[str]:
    """Return the set of a role, copied when it is first changed: those of the graph are shared."""
    found = edges[name]
    if not isinstance(found, set):
        found = edges[name] = set(found)
    return found


def follow(roles: WorkingRoles, action: str, name: str, facts: Facts) -> bool:
    """Apply an event of the trail to the roles (``facts``: what is true afterwards, or was before); applying
    it twice does no harm.

    False for an event that does not say enough.
    """
    if action in _UNCHANGING:
        return True
    if action == "role.updated" and not facts.keys() <= {"description", "requires_mfa"}:
        return False
    if action not in _FOLLOWED:
        return False
    _FOLLOWED[action](roles, name, facts)
    return True


def _role_created(roles: WorkingRoles, name: str, facts: Facts) -> None:
    if name not in roles.roles:
        held = frozenset(facts.get("permissions", ()))
        roles.add_role(Role(name, held, facts["grants"], facts["requires_mfa"]))


def _role_updated(roles: WorkingRoles, name: str, facts: Facts) -> None:
    if "requires_mfa" in facts:
        roles.require_mfa(name, facts["requires_mfa"])


def _role_deleted(roles: WorkingRoles, name: str, _facts: Facts) -> None:
    if name in roles.roles:
        for senior in list(roles.above[name]):
            roles.disinherit(senior, name)
        roles.remove_role(name)


def _permission_deleted(roles: WorkingRoles, name: str, _facts: Facts) -> None:
    if name in roles.permissions:
        roles.remove_permission(name)


def _constraint_created(roles: WorkingRoles, name: str, facts: Facts) -> None:
    roles.rules[name] = Constraint(name, facts["kind"], tuple(facts["roles"]), facts["limit"])


_UNCHANGING = frozenset({"permission.updated", "policy.applied", "policy.reverted", "seed.loaded"})
_FOLLOWED: dict[str, Callable[[WorkingRoles, str, Facts], object]] = {
    "role.created": _role_created,
    "role.updated": _role_updated,
    "role.deleted": _role_deleted,
    "permission.created": lambda roles, name, _facts: roles.add_permission(Permission(name)),
    "permission.deleted": _permission_deleted,
    "permission.granted": lambda roles, name, facts: roles.grant(name, facts["permission"]),
    "permission.withdrawn": lambda roles, name, facts: roles.withdraw(name, facts["permission"]),
    "inheritance.created": lambda roles, name, facts: roles.inherit(name, facts["inherits"]),
    "inheritance.ended": lambda roles, name, facts: roles.disinherit(name, facts["inherits"]),
    "constraint.created": _constraint_created,
    "constraint.deleted": lambda roles, name, _facts: roles.rules.pop(name, None),
}
