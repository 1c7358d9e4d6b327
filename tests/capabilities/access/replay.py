"""Who may what, worked out from the trail's events alone: a second opinion, which knows no table and none of the service's code."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Event = dict[str, Any]


@dataclass
class Role:
    grants: str
    permissions: set[str]
    inherits: set[str] = field(default_factory=set)


@dataclass
class World:
    """The state after the events so far; what depends on time is kept with its times."""

    permissions: set[str] = field(default_factory=set)
    roles: dict[str, Role] = field(default_factory=dict)
    people: dict[str, tuple[str, str]] = field(default_factory=dict)  # id: (name, status)
    held: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)  # (id, role): terms

    @classmethod
    def after(cls, events: Iterable[Event]) -> World:
        world = cls()
        for event in events:
            step = getattr(world, "on_" + event["action"].replace(".", "_"), None)
            if step is not None and event["outcome"] == "success":
                step(event, event["target"]["id"], event["before"] or {}, event["after"] or {})
        return world

    def on_permission_created(self, event: Event, name: str, before: Event, after: Event) -> None:
        self.permissions.add(name)

    def on_permission_deleted(self, event: Event, name: str, before: Event, after: Event) -> None:
        self.permissions.discard(name)
        for role in self.roles.values():
            role.permissions.discard(name)

    def on_role_created(self, event: Event, name: str, before: Event, after: Event) -> None:
        self.roles[name] = Role(after["grants"], set(after.get("permissions", ())))

    def on_role_deleted(self, event: Event, name: str, before: Event, after: Event) -> None:
        del self.roles[name]
        for role in self.roles.values():
            role.inherits.discard(name)

    def on_permission_granted(self, event: Event, role: str, before: Event, after: Event) -> None:
        self.roles[role].permissions.add(after["permission"])

    def on_permission_withdrawn(self, event: Event, role: str, before: Event, after: Event) -> None:
        self.roles[role].permissions.discard(before["permission"])

    def on_inheritance_created(self, event: Event, role: str, before: Event, after: Event) -> None:
        self.roles[role].inherits.add(after["inherits"])

    def on_inheritance_ended(self, event: Event, role: str, before: Event, after: Event) -> None:
        self.roles[role].inherits.discard(before["inherits"])

    def on_user_created(self, event: Event, user: str, before: Event, after: Event) -> None:
        self.people[user] = (event["target"]["name"], "active")

    def on_user_disabled(self, event: Event, user: str, before: Event, after: Event) -> None:
        self.people[user] = (self.people[user][0], "disabled")

    def on_user_enabled(self, event: Event, user: str, before: Event, after: Event) -> None:
        self.people[user] = (self.people[user][0], "active")

    def on_user_deleted(self, event: Event, user: str, before: Event, after: Event) -> None:
        del self.people[user]
        self.held = {key: terms for key, terms in self.held.items() if key[0] != user}

    def on_assignment_created(self, event: Event, user: str, before: Event, after: Event) -> None:
        ordinary = {"starts_at": event["at"], "expires_at": None, "mode": "active"}
        self.held[user, after["role"]] = ordinary | after

    def on_assignment_updated(self, event: Event, user: str, before: Event, after: Event) -> None:
        self.held[user, after["role"]].update(after)

    def on_assignment_ended(self, event: Event, user: str, before: Event, after: Event) -> None:
        del self.held[user, before["role"]]

    def roles_of(self, user: str, at: datetime) -> set[str]:
        """Those that count at that moment, inherited ones too."""
        waiting = [role for (whose, role), terms in self.held.items() if whose == user and counts(terms, at)]
        found: set[str] = set()
        while waiting:
            role = waiting.pop()
            if role not in found:
                found.add(role)
                waiting += self.roles[role].inherits
        return found if self.people[user][1] == "active" else set()

    def held_by(self, role: str) -> set[str]:
        """What a role holds directly."""
        return self.permissions if self.roles[role].grants == "all" else self.roles[role].permissions

    def may(self, user: str, at: datetime) -> set[str]:
        return set().union(*(self.held_by(role) for role in self.roles_of(user, at)))

    def holders(self, permission: str, at: datetime) -> list[str]:
        return sorted(name for user, (name, _) in self.people.items() if permission in self.may(user, at))


def counts(terms: dict[str, Any], at: datetime) -> bool:
    starts, ends = (
        datetime.fromisoformat(t) if t else None for t in (terms["starts_at"], terms["expires_at"])
    )
    return terms["mode"] == "active" and starts is not None and starts <= at and (ends is None or at < ends)
