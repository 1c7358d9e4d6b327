"""The present state as this worker remembers it, and how it stays exactly as fresh as the trail.

Memory holds the compiled roles, the people and the sessions it has met, each read when first needed.  It knows the revision (the
trail's ``seq``) up to which it is right.  Before every decision the gate is asked whether anything was committed since; if so the
tail is read once and whatever it touches is forgotten.  What is read from the database is kept only if no tail was applied meanwhile:
otherwise a slow reader could put back what a change had just removed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.freshness import open_gate
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, SessionRoles
from rbac_api.guard import queries, queries_people
from rbac_api.guard.keyring import Keyring
from rbac_api.guard.standing import WHOLE, Person, Profile, SessionStanding, person_of
from rbac_api.trail.feed import START, Tail, Touch, read_tail

LARGEST = 50_000
MOST_PROFILES = 100  # of one person
LOOKS = 3  # at somebody, while what is looked at goes on changing
OTP = "otp"  # in ``amr`` (RFC 8176): a code of the second factor
T = TypeVar("T")


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
        self._people: dict[str, dict[Profile, Person]] = {}
        self._sessions: dict[str, SessionStanding] = {}
        self._denied: frozenset[str] | None = None
        self._ids: dict[str, str] = {}  # by canonical name: names do not change, nor are they given out again

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
        self,
        user_id: str,
        connection: Connection | None = None,
        *,
        second_factor: bool = False,
        roles: SessionRoles = EVERYTHING,
    ) -> Person | None:
        """A person's standing now, in a session with or without a second factor and with these roles; None if there is no such user.

        If anything changed between reading who she is and what roles hold, the two may allow what never was allowed: then look again.
        """
        person: Person | None = None
        for _ in range(LOOKS):
            before = self._forgotten  # before looking: any change since must keep the result out of memory
            person = self._looked_up(user_id, (second_factor, roles), connection, before)
            if connection is not None or self._forgotten == before:
                break
        return person

    def _looked_up(
        self, user_id: str, profile: Profile, connection: Connection | None, before: int
    ) -> Person | None:
        person = self._people.get(user_id, {}).get(profile)
        if person is not None and person.stands(self._graph):
            return person
        graph = self.graph(connection)
        if person is not None:  # she has the roles she had; what they hold, or the time, is another
            person = self._stood_anew(person, profile, graph, before)
        else:
            person = self._kept(
                connection,
                lambda c: _find_person(c, graph, user_id, profile),
                lambda p: self._keep_person(p, profile),
                before,
            )
        if connection is None:
            self.freshen()
        return person

    def people(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """Several persons' standing, each in a new session of her own with every role, and with a second factor unless it is a program's;
        unknown ids are left out.

        Whoever is not remembered is read together with the others, in two statements for thousands.
        """
        before, graph, now = self._forgotten, self.graph(), clock.now()
        found: dict[str, Person] = {}
        unread = []
        for user_id in dict.fromkeys(user_ids):
            person = self._people.get(user_id, {}).get(WHOLE)
            if person and person.stands(graph):
                found[user_id] = person
            else:
                unread.append(user_id)
        if unread:
            with self.database.reading() as reader:
                read = queries_people.list_subjects(reader, unread, now)
            people = [person_of(graph, *one, now) for one in read]
            self._keep_people(people, before)
            found.update((person.subject.id, person) for person in people)
        return found

    def ids_of(self, canonical_names: Iterable[str]) -> dict[str, str]:
        """The ids of the people with these names; unknown ones are left out."""
        before, names = self._forgotten, set(canonical_names)
        found = {name: known for name in names if (known := self._ids.get(name))}
        unread = list(names - found.keys())
        if unread:
            with self.database.reading() as reader:
                read = queries_people.find_ids(reader, unread)
            self._keep_ids(read, before)
            found.update(read)
        return found

    def _stood_anew(self, known: Person, profile: Profile, graph: RoleGraph, before: int) -> Person:
        person = person_of(graph, known.subject, known.kind, known.username, clock.now())
        with self._applying:
            if self._forgotten == before and graph is self._graph:
                self._keep_person(person, profile)
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
        self._people.pop(user_id, None)
        for key, session in list(self._sessions.items()):
            if session.user_id == user_id:
                self._sessions.pop(key, None)

    def _forget_roles(self) -> None:
        self._graph = None
        self._people.clear()

    def _forget_all(self) -> None:
        self._forget_roles()
        self._sessions.clear()
        self._denied = None
        self._ids = {}
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

    def _keep_person(self, person: Person | None, profile: Profile) -> None:
        if person is not None:
            known = self._people.get(person.subject.id)
            if known is None or len(known) >= MOST_PROFILES:
                known = _bounded(self._people)[person.subject.id] = {}
            known[profile] = person

    def _keep_people(self, people: Iterable[Person], before: int) -> None:
        with self._applying:
            if self._forgotten == before:
                for person in people:
                    self._keep_person(person, WHOLE)

    def _keep_ids(self, ids: dict[str, str], before: int) -> None:
        with self._applying:
            if self._forgotten == before:
                for name, user_id in ids.items():
                    _bounded(self._ids)[name] = user_id

    def _keep_session(self, session_id: str, session: SessionStanding | None) -> None:
        if session is not None:
            _bounded(self._sessions)[session_id] = session

    def _keep_denied(self, denied: frozenset[str]) -> None:
        self._denied = denied


def _bounded(memory: dict[str, T]) -> dict[str, T]:
    if len(memory) >= LARGEST:
        memory.pop(next(iter(memory)), None)
    return memory


def _find_session(connection: Connection, session_id: str) -> SessionStanding | None:
    row = queries.find_session_standing(connection, session_id)
    if row is None:
        return None
    auth_time, amr = int(row.created_at.timestamp()), tuple(row.amr.split())
    roles = queries.find_session_roles(connection, session_id, row.active_roles, clock.now())
    return SessionStanding(
        row.user_id, row.client_id, row.ended_at is not None, auth_time, amr, OTP in amr, roles
    )


def _find_person(connection: Connection, graph: RoleGraph, user_id: str, profile: Profile) -> Person | None:
    at, (second_factor, roles) = clock.now(), profile
    found = queries.find_subject(connection, user_id, at, second_factor=second_factor, roles=roles)
    if found is None:
        return None
    return person_of(graph, *found, at)
