"""Delegated administration in a few lines, written from the contract alone: no line of the service is used here.

"An assignment has a place; a question has a place; the place's ancestors count."  A permission over a thing is decided at its home; what is
handed out must be held where it counts; and wherever the target holds anything, the actor holds it too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WORK, LEAD = "invoices:read", "payments:release"
ROLES: dict[str, frozenset[str]] = {
    "worker": frozenset({WORK}),
    "leader": frozenset({WORK, LEAD}),
    "keeper": frozenset(
        {
            "users:read",
            "users:create",
            "users:update",
            "users:delete",
            "assignments:create",
            "assignments:revoke",
        }
    ),
    "surveyor": frozenset({"domains:read", "domains:create", "domains:delete"}),
}
ADMIN, EVERYTHING = "alice", frozenset[str]().union(*ROLES.values())


class Refused(Exception):
    """The command changes nothing."""


def above(domain: str) -> list[str]:
    """The domain, and all that it is in."""
    parts = [] if domain == "root" else domain.split(".")
    return ["root", *(".".join(parts[: length + 1]) for length in range(len(parts)))]


def parent(domain: str) -> str:
    return above(domain)[-2] if domain != "root" else "root"


def need(*conditions: bool) -> None:
    if not all(conditions):
        raise Refused


@dataclass
class Model:
    """Which domains there are, who is at home where, who was given what where, and who acts in which session."""

    domains: set[str] = field(default_factory=lambda: {"root"})
    homes: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    given: set[tuple[str, str, str]] = field(default_factory=set)  # user, role, domain
    sessions: dict[str, tuple[str, str]] = field(default_factory=lambda: {ADMIN: (ADMIN, "root")})

    def granted(self, user: str, domain: str) -> frozenset[str]:
        """What counts for a user at a domain."""
        if user == ADMIN:
            return EVERYTHING
        held = (ROLES[role] for who, role, at in self.given if who == user and at in above(domain))
        return frozenset[str]().union(*held)

    def may(self, session: str, permission: str, domain: str) -> bool:
        """Whether the user may do it in this session, which acts at a domain and below."""
        user, acting = self.sessions[session]
        return acting in above(domain) and domain in self.domains and permission in self.granted(user, domain)

    def outranks(self, session: str, user: str) -> bool:
        """Whether, wherever the user holds anything, the actor does so too."""
        places = {at for who, _, at in self.given if who == user}
        return all(self.may(session, one, at) for at in places for one in self.granted(user, at))

    def add_domain(self, session: str, name: str) -> None:
        need(
            name not in self.domains,
            parent(name) in self.domains,
            self.may(session, "domains:create", parent(name)),
        )
        self.domains.add(name)

    def delete_domain(self, session: str, name: str) -> None:
        used = {*map(parent, self.domains - {"root"}), *self.homes.values(), *(at for *_, at in self.given)}
        need(
            name in self.domains - {"root"},
            name not in used,
            self.may(session, "domains:delete", parent(name)),
        )
        self.domains.remove(name)

    def add_user(self, session: str, user: str, home: str) -> None:
        need(
            home in self.domains,
            user not in self.homes,
            user not in self.gone,
            self.may(session, "users:create", home),
        )
        self.homes[user] = home

    def move_user(self, session: str, user: str, home: str) -> None:
        need(user in self.homes, home in self.domains)
        need(
            self.may(session, "users:update", self.homes[user]),
            self.may(session, "users:update", home),
            self.outranks(session, user),
        )
        self.homes[user] = home

    def delete_user(self, session: str, user: str) -> None:
        need(user in self.homes)
        need(self.may(session, "users:delete", self.homes[user]), self.outranks(session, user))
        self.gone.add(user)
        del self.homes[user]
        self.given = {one for one in self.given if one[0] != user}
        self.sessions = {name: one for name, one in self.sessions.items() if one[0] != user}

    def assign(self, session: str, user: str, role: str, domain: str) -> None:
        need(user in self.homes, domain in self.domains, (user, role, domain) not in self.given)
        need(
            all(self.may(session, "assignments:create", at) for at in (self.homes[user], domain)),
            self.outranks(session, user),
        )
        need(all(self.may(session, one, domain) for one in ROLES[role]))
        self.given.add((user, role, domain))

    def revoke(self, session: str, user: str, role: str, domain: str) -> None:
        need(user in self.homes, (user, role, domain) in self.given)
        need(
            all(self.may(session, "assignments:revoke", at) for at in (self.homes[user], domain)),
            self.outranks(session, user),
        )
        self.given.remove((user, role, domain))

    def sign_in(self, user: str, domain: str, session: str) -> None:
        need(
            user in self.homes,
            domain == "root" or (domain in self.domains and bool(self.granted(user, domain))),
        )
        self.sessions[session] = (user, domain)

    def seen(self, session: str) -> set[str]:
        """The users whom the session may read."""
        return {user for user, home in self.homes.items() if self.may(session, "users:read", home)}
