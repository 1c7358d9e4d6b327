"""Where the service answers otherwise than the reference model, said in the model's own words; docs/rbac-model.md explains each.

``names-stay-taken``      the name of a user who was deleted is never given out again
``rules-hold-roles``      a role that is in a set cannot be deleted
``sessions-follow``       a session begun without naming roles is active in whatever its user is assigned, at every moment
``conflicts-give-way``    in such a session roles that a dynamic set keeps apart are inactive, all of them, until one is activated; so
                          assigning and inheriting is never refused on account of sessions that go on
``choices-stay``          a role chosen at the beginning counts again when it is given again; one activated later does not
``activating-again``      activating a role that is active already is no fault
``dropping-chooses``      dropping a role from such a session chooses those that are left
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from tests.journeys.rbac_model import Names, Pairs, Rbac, Refused


def snake(name: str) -> str:
    """The name of a command or function of the standard as one of ours."""
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", name).lower()


@dataclass(frozen=True)
class Ours(Rbac):
    """The standard with our deviations: ``active`` follows from what is remembered of each session."""

    now: int = 0
    gone: Names = frozenset()
    following: Names = frozenset()  # sessions begun without naming roles
    chosen: Pairs = frozenset()  # session, role
    activated: frozenset[tuple[str, str, int]] = frozenset()  # session, role, when
    since: frozenset[tuple[str, str, int]] = frozenset()  # user, role, when it was assigned

    def run(self, command: str, *arguments: Any) -> Ours:
        later = replace(self, now=self.now + 1)
        found: Any = getattr(later, f"_{snake(command)}", None)
        return later.as_standard(command, *arguments) if found is None else found(*arguments)

    def as_standard(self, command: str, *arguments: Any) -> Ours:
        return super().run(command, *arguments)  # type: ignore[return-value]

    def plain(self) -> Rbac:
        """The same as the standard alone would have it."""
        return Rbac(**{field.name: getattr(self, field.name) for field in fields(Rbac)})

    def settled(self) -> Ours:
        after: Any = super().settled()
        found: Ours = replace(
            after, active=frozenset((s, r) for s, u in after.sessions for r in after.wanted(s, u))
        )
        return found

    def wanted(self, session: str, user: str) -> Names:
        """Of what the session wants to be active in, what goes together."""
        default = {r for u, r in self.ua if u == user and session in self.following}
        chosen = {r for s, r in self.chosen if s == session} & self.authorized_roles(user)
        chosen |= {r for s, r, at in self.activated if s == session and self.allowed(user, r, at)}
        for _, _, members, n in sorted((row for row in self.sets if row[0] == "Dsd"), key=lambda row: row[1]):
            if len(self.closure(default | chosen) & members) >= n:
                default = {r for r in default if not self.closure([r]) & members}
            if len(self.closure(default | chosen) & members) >= n:
                chosen = {r for r in chosen if not self.closure([r]) & members}
        return frozenset(default | chosen)

    def allowed(self, user: str, role: str, at: int) -> bool:
        return any(u == user and given <= at and role in self.closure([r]) for u, r, given in self.since)

    def _add_user(self, user: str) -> Ours:
        if user in self.gone:
            raise Refused
        return self.as_standard("AddUser", user)

    def _delete_user(self, user: str) -> Ours:
        after = self.as_standard("DeleteUser", user)
        return replace(after, gone=self.gone | {user})

    def _delete_role(self, role: str) -> Ours:
        if any(role in members for _, _, members, _ in self.sets):
            raise Refused
        after = self.as_standard("DeleteRole", role)
        since = frozenset(row for row in self.since if row[1] != role)
        return replace(
            after, since=since, activated=frozenset(row for row in self.activated if row[1] != role)
        ).settled()

    def _assign_user(self, user: str, role: str) -> Ours:
        after = self.as_standard("AssignUser", user, role)
        return replace(after, since=self.since | {(user, role, self.now)})

    def _deassign_user(self, user: str, role: str) -> Ours:
        since = frozenset(row for row in self.since if row[:2] != (user, role))
        return replace(self, since=since).as_standard("DeassignUser", user, role)

    def _create_set(self, *new: Any) -> Ours:
        self.plain().run("CreateSet", *new)
        return self.as_standard("CreateSet", *new)

    def _create_session(self, user: str, session: str, roles: Names | None) -> Ours:
        begun = self.plain().run("CreateSession", user, session, roles or frozenset())
        after = replace(self, sessions=begun.sessions)
        if roles is None:
            return replace(after, following=self.following | {session}).settled()
        return replace(after, chosen=self.chosen | {(session, role) for role in roles}).settled()

    def _add_active_role(self, user: str, session: str, role: str) -> Ours:
        if role not in self.session_roles(session):
            self.plain().run("AddActiveRole", user, session, role)
        elif (session, user) not in self.sessions:
            raise Refused
        left = frozenset(row for row in self.activated if row[:2] != (session, role))
        return replace(self, activated=left | {(session, role, self.now)}).settled()

    def _drop_active_role(self, user: str, session: str, role: str) -> Ours:
        self.plain().run("DropActiveRole", user, session, role)
        left = frozenset(row for row in self.activated if row[:2] != (session, role))
        after = replace(self, activated=left).settled()
        if (session, role) not in after.active:
            return after
        if session in self.following:
            others = {r for s, r in after.active if s == session} - {r for s, r, _ in left if s == session}
            after = replace(
                after,
                following=self.following - {session},
                chosen=self.chosen | {(session, r) for r in others},
            )
        return replace(after, chosen=after.chosen - {(session, role)}).settled()
