"""Describes a user and a session at a moment, as the guard needs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.queries import subjects as accounts
from rbac_api.database.queries.sessions import Begun, find_session_roles
from rbac_api.decision.domains import at_domain, lineage, nearest, outermost, places_of
from rbac_api.decision.evaluate import (
    claimed_roles,
    decide,
    effective_permissions,
    effective_roles,
    next_change,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, ROOT, Decision, SessionRoles, Subject
from rbac_api.guard.state import queries

OTP = "otp"  # in ``amr`` (RFC 8176): a code of the second factor
Profile = tuple[bool, SessionRoles]
"""What distinguishes sessions: a user may hold more in one than in another."""
WHOLE: Profile = (True, EVERYTHING)
"""A new session with a second factor, in which every role counts that can."""


@dataclass(frozen=True, slots=True)
class Issued:
    """Who issued a credential, and when."""

    by: str
    at: datetime


@dataclass(slots=True)
class Person:
    """What a user effectively is and may do at ``root`` (nothing, in a session at another domain), right
    until ``until`` (a grant begins or ends) or the next change; ``at`` says what at other domains."""

    subject: Subject
    kind: str  # ``person`` or ``service``
    username: str
    roles: frozenset[str]
    claimed: tuple[str, ...]  # the roles that a token of this session would name
    permissions: frozenset[str]
    until: datetime | None
    graph: RoleGraph
    decisions: dict[str | None, Decision] = field(default_factory=dict)
    covered_by: dict[Issued, tuple[Person | None, bool]] = field(default_factory=dict)  # see ``issuers``
    places: dict[str, Person] | None = None  # by the domain of an assignment, the deepest that counts

    def is_current(self, graph: RoleGraph | None) -> bool:
        """Return whether this is still right: the roles are those it was made with, and no grant has begun or
        ended since."""
        return self.graph is graph and (self.until is None or clock.now() < self.until)

    def at(self, domain: str) -> Person:
        """Return the user at a domain that exists.  Computed once for all domains where the same assignments
        count: there are no more of these than domains at which the user has one."""
        if domain == ROOT or not self.subject.elsewhere:
            return self
        if self.places is None:
            self.places = dict.fromkeys(places_of(self.subject), self)
        place = nearest(domain, self.places)
        if place == ROOT:
            return self
        found = self.places[place]
        if found is self or not found.is_current(self.graph):
            subject = at_domain(self.subject, place)
            found = person_of(self.graph, subject, self.kind, self.username, clock.now())
            self.places[place] = found
        return found

    @property
    def acting(self) -> Person:
        """The user at the domain of the session: what its token names."""
        return self.at(self.subject.roles.domain)

    def along(self, domain: str) -> tuple[Person, ...]:
        """Return the user at ``root`` and at each domain with an assignment on the way down to this one:
        what is held at any of them is held at the domain."""
        if domain == ROOT or not self.subject.elsewhere:
            return (self,)
        places = places_of(self.subject).intersection(lineage(domain))
        return (self, *map(self.at, sorted(places)))

    def domains_granting(self, permission: str) -> tuple[str, ...]:
        """Return the domains in which the permission is held, without those in another of them: ``root`` if
        it is held everywhere."""
        if self.may(permission).allowed:
            return (ROOT,)
        places = places_of(self.subject)
        return outermost(place for place in places if self.at(place).may(permission).allowed)

    def may(self, permission: str | None) -> Decision:
        """Call ``decide`` and remember the answer; it is the same one as long as this object is current."""
        decision = self.decisions.get(permission)
        if decision is None:
            decision = self.decisions[permission] = decide(self.graph, self.subject, permission, clock.now())
        return decision

    def may_without_second_factor(self, permission: str | None) -> Decision:
        """Call ``decide`` for the same session without a second factor."""
        if not self.subject.second_factor or self.graph.without_second_factor is None:
            return self.may(permission)
        return decide(self.graph, replace(self.subject, second_factor=False), permission, clock.now())


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session's user and client, whether it has ended, when the user signed in (seconds since 1970), and
    with what."""

    user_id: str
    client_id: str
    ended: bool
    auth_time: int
    amr: tuple[str, ...]
    second_factor: bool  # whether ``amr`` has one
    roles: SessionRoles = EVERYTHING
    issued: Issued | None = None  # the client secret it was begun with, if a user issued it


def person_of(graph: RoleGraph, subject: Subject, kind: str, username: str, at: datetime) -> Person:
    """Compute what a subject is and may do at that moment."""
    effective, acting = effective_roles(graph, subject, at), at_domain(subject, subject.roles.domain)
    return Person(
        subject,
        kind,
        username,
        frozenset(role.role for role in effective),
        claimed_roles(effective if acting is subject else effective_roles(graph, acting, at)),
        effective_permissions(graph, subject, at),
        next_change(acting, at),
        graph,
    )


def find_person(connection: Connection, graph: RoleGraph, user_id: str, profile: Profile) -> Person | None:
    """Return a user as of now in a session with this profile; None if there is no such user."""
    at, (second_factor, roles) = clock.now(), profile
    found = accounts.find_subject(connection, user_id, at, second_factor=second_factor, roles=roles)
    return None if found is None else person_of(graph, *found, at)


def find_people(connection: Connection, graph: RoleGraph, user_ids: Sequence[str]) -> dict[str, Person]:
    """Return several users by id, each as in a new session; unknown ids are left out."""
    now = clock.now()
    people = (person_of(graph, *one, now) for one in accounts.list_subjects(connection, user_ids, now))
    return {person.subject.id: person for person in people}


def find_session(connection: Connection, session_id: str) -> SessionState | None:
    """Return the state of a session; None if there is no such session."""
    row = queries.find_session_state(connection, session_id)
    if row is None:
        return None
    auth_time, amr = int(row.created_at.timestamp()), tuple(row.amr.split())
    roles = find_session_roles(connection, session_id, Begun(row.active_roles, row.domain), clock.now())
    issued = Issued(row.issued_by, row.issued_at) if row.issued_by and row.issued_at else None
    return SessionState(
        row.user_id, row.client_id, row.ended_at is not None, auth_time, amr, OTP in amr, roles, issued
    )
