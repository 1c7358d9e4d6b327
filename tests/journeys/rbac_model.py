"""ANSI INCITS 359, sections 6.1 to 6.4: core, general hierarchies, static and dynamic separation of duty, with sessions.

From its functional specification and nothing else: a command is a precondition and what it changes, and none may leave a user with too many
roles of a static set or a session with too many of a dynamic one.  Of what the standard leaves open: a role activates all that it inherits
(6.2), a session goes on without a role that its user lost (6.1.1), an edge that ends takes along what only it implied (6.2.1.1).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Names: TypeAlias = frozenset[str]
Pairs: TypeAlias = frozenset[tuple[str, str]]


class Refused(Exception):
    """What must hold before or after the command does not."""


@dataclass(frozen=True)
class Rbac:
    users: Names = frozenset()
    roles: Names = frozenset()
    ua: Pairs = frozenset()  # user, role
    pa: Pairs = frozenset()  # permission, role; a permission is object:operation
    rh: Pairs = frozenset()  # senior, junior: the immediate relation
    sessions: Pairs = frozenset()  # session, user
    active: Pairs = frozenset()  # session, role: the active role sets
    sets: frozenset[tuple[str, str, Names, int]] = frozenset()  # Ssd or Dsd, name, roles, fewer than n

    def run(self, command: str, *arguments: Any) -> "Rbac":
        precondition, effect = COMMANDS[command]
        if not precondition(self, *arguments):
            raise Refused
        after = replace(self, **effect(self, *arguments)).settled()
        held = [after.authorized_roles(user) for user in after.users]
        active = [after.session_roles(session) for session, _ in after.sessions]
        if any(len(r & s) >= n for k, _, s, n in after.sets for r in (held if k == "Ssd" else active)):
            raise Refused
        return after

    def settled(self) -> "Rbac":
        """Without what mentions users and roles that are no more, and in sessions without roles that are no longer their user's."""
        ua = frozenset((u, r) for u, r in self.ua if u in self.users and r in self.roles)
        pa = frozenset((p, r) for p, r in self.pa if r in self.roles)
        rh = frozenset(pair for pair in self.rh if self.roles.issuperset(pair))
        new, owner = replace(self, ua=ua, pa=pa, rh=rh), {s: u for s, u in self.sessions if u in self.users}
        kept = {(s, r) for s, r in self.active if s in owner and r in new.authorized_roles(owner[s])}
        return replace(new, sessions=frozenset(owner.items()), active=frozenset(kept))

    def closure(self, roles: Iterable[str]) -> Names:
        found = frozenset(roles)
        below = frozenset(junior for senior, junior in self.rh if senior in found)
        return found if below <= found else self.closure(found | below)

    def authorized_roles(self, user: str) -> Names:
        return self.closure(r for u, r in self.ua if u == user)

    def session_roles(self, session: str) -> Names:
        return self.closure(r for s, r in self.active if s == session)

    def permissions(self, roles: Names) -> Names:
        return frozenset(p for p, r in self.pa if r in roles)


# fmt: off
COMMANDS: dict[str, tuple[Callable[..., bool], Callable[..., dict[str, Any]]]] = {  # k is "Ssd" or "Dsd"
    "AddUser": (lambda m, u: u not in m.users, lambda m, u: {"users": m.users | {u}}),
    "DeleteUser": (lambda m, u: u in m.users, lambda m, u: {"users": m.users - {u}}),
    "AddRole": (lambda m, r: r not in m.roles, lambda m, r: {"roles": m.roles | {r}}),
    "DeleteRole": (lambda m, r: r in m.roles, lambda m, r: {"roles": m.roles - {r}}),
    "AssignUser": (lambda m, u, r: u in m.users and r in m.roles and (u, r) not in m.ua, lambda m, u, r: {"ua": m.ua | {(u, r)}}),
    "DeassignUser": (lambda m, u, r: (u, r) in m.ua, lambda m, u, r: {"ua": m.ua - {(u, r)}}),
    "GrantPermission": (lambda m, p, r: r in m.roles and (p, r) not in m.pa, lambda m, p, r: {"pa": m.pa | {(p, r)}}),
    "RevokePermission": (lambda m, p, r: (p, r) in m.pa, lambda m, p, r: {"pa": m.pa - {(p, r)}}),
    "CreateSession": (lambda m, u, s, rs: u in m.users and s not in dict(m.sessions) and rs <= m.authorized_roles(u),
                      lambda m, u, s, rs: {"sessions": m.sessions | {(s, u)}, "active": m.active | {(s, r) for r in rs}}),
    "DeleteSession": (lambda m, u, s: (s, u) in m.sessions, lambda m, u, s: {"sessions": m.sessions - {(s, u)}}),
    "AddActiveRole": (lambda m, u, s, r: (s, u) in m.sessions and r in m.authorized_roles(u) - m.session_roles(s),
                      lambda m, u, s, r: {"active": m.active | {(s, r)}}),
    "DropActiveRole": (lambda m, u, s, r: (s, u) in m.sessions and (s, r) in m.active, lambda m, u, s, r: {"active": m.active - {(s, r)}}),
    "AddInheritance": (lambda m, a, d: {a, d} <= m.roles and (a, d) not in m.rh and a not in m.closure([d]),
                       lambda m, *edge: {"rh": m.rh | {edge}}),
    "DeleteInheritance": (lambda m, *edge: edge in m.rh, lambda m, *edge: {"rh": m.rh - {edge}}),
    "AddAscendant": (lambda m, a, d: a not in m.roles and d in m.roles, lambda m, a, d: {"roles": m.roles | {a}, "rh": m.rh | {(a, d)}}),
    "AddDescendant": (lambda m, a, d: a in m.roles and d not in m.roles, lambda m, a, d: {"roles": m.roles | {d}, "rh": m.rh | {(a, d)}}),
    "CreateSet": (lambda m, k, name, rs, n: rs <= m.roles and 2 <= n <= len(rs) and not any((k, name) == row[:2] for row in m.sets),
                  lambda m, *row: {"sets": m.sets | {row}}),
    "DeleteSet": (lambda m, *row: row in {s[:2] for s in m.sets}, lambda m, *row: {"sets": frozenset(s for s in m.sets if s[:2] != row)}),
}
REVIEWS: dict[str, Callable[..., Any]] = {
    "AssignedUsers": lambda m, r: {u for u, q in m.ua if q == r},
    "AuthorizedUsers": lambda m, r: {u for u in m.users if r in m.authorized_roles(u)},
    "AssignedRoles": lambda m, u: {r for v, r in m.ua if v == u},
    "AuthorizedRoles": lambda m, u: m.authorized_roles(u),
    "RolePermissions": lambda m, r: m.permissions(m.closure([r])),
    "UserPermissions": lambda m, u: m.permissions(m.authorized_roles(u)),
    "SessionRoles": lambda m, s: m.session_roles(s),
    "SessionPermissions": lambda m, s: m.permissions(m.session_roles(s)),
}  # CheckAccess(s, p) is p in SessionPermissions(s); RoleOperationsOnObject and UserOperationsOnObject are slices of the above
