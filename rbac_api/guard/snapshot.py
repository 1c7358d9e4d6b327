"""The present state as this worker remembers it, and how it stays exactly as fresh as the trail.

Memory holds the compiled roles, the people and the sessions it has met, each read when first needed.  It knows the revision (the
trail's ``seq``) up to which it is right.  Before every decision the gate is asked whether anything was committed since; if so the
tail is read once and whatever it touches is forgotten.  What is read from the database is kept only if no tail was applied meanwhile:
otherwise a slow reader could put back what a change had just removed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.freshness import open_gate
from rbac_api.decision.evaluate import (
    claimed_roles,
    decide,
    effective_permissions,
    effective_roles,
    next_change,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Decision, Subject
from rbac_api.guard import queries
from rbac_api.guard.keyring import Keyring
from rbac_api.trail.feed import START, Tail, Touch, read_tail

LARGEST = 50_000
OTP = "otp"  # in ``amr`` (RFC 8176): a code of the second factor
T = TypeVar("T")


@dataclass(slots=True)
class Person:
    """Somebody's standing: what she effectively is and may, right until ``until`` (a grant begins or ends) or the next change."""

    subject: Subject
    kind: str  # ``person`` or ``service``
    username: str
    roles: frozenset[str]
    claimed: tuple[str, ...]  # those of the roles that a token of hers would name
    permissions: frozenset[str]
    until: datetime | None
    graph: RoleGraph
    decisions: dict[str | None, Decision] = field(default_factory=dict)

    def may(self, permission: str | None) -> Decision:
        """``decide``, remembered; the very same answer as long as this standing holds."""
        decision = self.decisions.get(permission)
        if decision is None:
            decision = self.decisions[permission] = decide(self.graph, self.subject, permission, clock.now())
        return decision


@dataclass(frozen=True, slots=True)
class SessionStanding:
    """Whose session it is, by which client, whether it was ended, when she proved who she is (seconds since 1970), and with what."""

    user_id: str
    client_id: str
    ended: bool
    auth_time: int
    amr: tuple[str, ...]
    second_factor: bool  # whether one of those is one


class Snapshot:
    """One per process.  Thread-safe: readers look without a lock, the one applying a tail holds one."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.keyring = keyring
        self.gate = open_gate(database)
        self._applying = threading.Lock()
        self._mark = START
        self._forgotten = 0  # how often anything was: what is read is kept only if this stood still meanwhile
        self._graph: RoleGraph | None = None
        # By whether a second factor was proved: one and the same person may hold more in one session than in another.
        self._people: tuple[dict[str, Person], dict[str, Person]] = ({}, {})
        self._sessions: dict[str, SessionStanding] = {}
        self._denied: frozenset[str] | None = None

    def freshen(self) -> None:
        """Make sure that nothing committed before this moment is unknown here.  Costs next to nothing when nothing was."""
        if not self.gate.unchanged():
            self.gate.refresh(self._read_tail)

    def catch_up(self, connection: Connection) -> None:
        """The same inside a transaction that holds the write lock: after this nothing can change until it commits."""
        self._apply(read_tail(connection, self._mark))

    def graph(self, connection: Connection | None = None) -> RoleGraph:
        """The compiled roles."""
        return self._graph or self._kept(connection, queries.find_role_graph, self._keep_graph)

    def settled_graph(self, connection: Connection) -> RoleGraph:
        """The same, read in a transaction that holds the write lock and changes no role: so it is what others see, and is remembered."""
        before, graph = self._forgotten, self._graph
        if graph is None:
            graph = queries.find_role_graph(connection)
            with self._applying:
                if self._forgotten == before:
                    self._graph = graph
        return graph

    def session(self, session_id: str, connection: Connection | None = None) -> SessionStanding | None:
        """A session's standing; None if there is no such session."""
        return self._sessions.get(session_id) or self._kept(
            connection, lambda c: _find_session(c, session_id), lambda s: self._keep_session(session_id, s)
        )

    def denied(self, connection: Connection | None = None) -> frozenset[str]:
        """The ``jti`` of every token revoked by itself; some may have expired since, which harms nobody."""
        denied = self._denied
        if denied is None:
            denied = self._kept(
                connection, lambda c: queries.list_denied_tokens(c, clock.now()), self._keep_denied
            )
        return denied

    def person(
        self, user_id: str, connection: Connection | None = None, *, second_factor: bool = False
    ) -> Person | None:
        """A person's standing now, with or without a second factor proved; None if there is no such user."""
        people = self._people[second_factor]
        person = people.get(user_id)
        if (
            person is not None
            and person.graph is self._graph
            and (person.until is None or clock.now() < person.until)
        ):
            return person
        before = (
            self._forgotten
        )  # before the roles, too: a change of either must keep the result out of memory
        graph = self.graph(connection)
        if person is not None:  # she has the roles she had; what they hold, or the time, is another
            return self._stood_anew(people, person, graph, before)
        return self._kept(
            connection,
            lambda c: _find_person(c, graph, user_id, second_factor),
            lambda p: _keep_person(people, user_id, p),
            before,
        )

    def _stood_anew(self, people: dict[str, Person], known: Person, graph: RoleGraph, before: int) -> Person:
        person = _person(graph, known.subject, known.kind, known.username, clock.now())
        with self._applying:
            if self._forgotten == before and graph is self._graph:
                people[known.subject.id] = person
        return person

    def forget(self) -> None:
        """Forget everything; it is read again when needed."""
        with self._applying:
            self._forget_all()
            self._forgotten += 1

    def close(self) -> None:
        """Stop following."""
        self.gate.close()

    def _read_tail(self) -> int:
        with self.database.reading() as connection:
            self._apply(read_tail(connection, self._mark))
        return self._mark.seq

    def _apply(self, tail: Tail) -> None:
        with self._applying:
            if tail.complete and tail.mark.seq <= self._mark.seq:
                return  # another thread was quicker
            if not tail.complete:
                self._forget_all()
            for touch in tail.touches:
                self._forget(touch)
            self._mark = tail.mark
            self._forgotten += 1

    def _forget(self, touch: Touch) -> None:
        if touch.kind == "roles":
            self._forget_roles()
        elif touch.kind == "grants":
            self._graph = None
        elif touch.kind == "keys":
            self.keyring.forget()
            self._sessions.clear()  # those of a withdrawn key have ended
        elif touch.kind == "denylist":
            self._denied = None
        elif touch.kind == "session":
            self._sessions.pop(touch.id or "", None)
        elif touch.kind == "sessions":
            self._sessions.clear()
        else:
            self._forget_user(touch.id or "")

    def _forget_user(self, user_id: str) -> None:
        for people in self._people:
            people.pop(user_id, None)
        for key, session in list(self._sessions.items()):
            if session.user_id == user_id:
                self._sessions.pop(key, None)

    def _forget_roles(self) -> None:
        self._graph = None
        for people in self._people:
            people.clear()

    def _forget_all(self) -> None:
        self._forget_roles()
        self._sessions.clear()
        self._denied = None
        self.keyring.forget()

    def _kept(
        self,
        connection: Connection | None,
        read: Callable[[Connection], T],
        keep: Callable[[T], None],
        before: int | None = None,
    ) -> T:
        """Read, and remember what was read unless a tail was applied in between."""
        before = self._forgotten if before is None else before
        if connection is not None:
            return read(connection)  # sees uncommitted changes of its own: not for remembering
        with self.database.reading() as reader:
            found = read(reader)
        with self._applying:
            if self._forgotten == before:
                keep(found)
        return found

    def _keep_graph(self, graph: RoleGraph) -> None:
        self._graph = graph

    def _keep_session(self, session_id: str, session: SessionStanding | None) -> None:
        if session is not None:
            _bounded(self._sessions)[session_id] = session

    def _keep_denied(self, denied: frozenset[str]) -> None:
        self._denied = denied


def _keep_person(people: dict[str, Person], user_id: str, person: Person | None) -> None:
    if person is not None:
        _bounded(people)[user_id] = person


def _bounded(memory: dict[str, T]) -> dict[str, T]:
    if len(memory) >= LARGEST:
        memory.pop(next(iter(memory)), None)
    return memory


def _find_session(connection: Connection, session_id: str) -> SessionStanding | None:
    row = queries.find_session_standing(connection, session_id)
    if row is None:
        return None
    auth_time, amr = int(row.created_at.timestamp()), tuple(row.amr.split())
    return SessionStanding(row.user_id, row.client_id, row.ended_at is not None, auth_time, amr, OTP in amr)


def _find_person(
    connection: Connection, graph: RoleGraph, user_id: str, second_factor: bool
) -> Person | None:
    at = clock.now()
    found = queries.find_subject(connection, user_id, at, second_factor=second_factor)
    if found is None:
        return None
    return _person(graph, *found, at)


def _person(graph: RoleGraph, subject: Subject, kind: str, username: str, at: datetime) -> Person:
    effective = effective_roles(graph, subject, at)
    return Person(
        subject,
        kind,
        username,
        frozenset(role.role for role in effective),
        claimed_roles(effective),
        effective_permissions(graph, subject, at),
        next_change(subject, at),
        graph,
    )
