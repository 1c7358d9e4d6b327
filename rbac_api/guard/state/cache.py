"""Remembers the current state in this worker, exactly as fresh as the trail.

Memory holds the compiled roles, and the users and sessions that were needed so far.  It knows the revision
(the trail's ``seq``) up to which it is right.  Before every decision the change detector says whether
anything was committed since then.  If so, the tail of the trail is read, and what it touches is forgotten;
of the roles, what it touches is read and changed (``role_graphs``).

What is read from the database is kept only if no tail was applied meanwhile: otherwise a slow reader could
restore what a change had just removed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.freshness import open_change_detector
from rbac_api.database.queries import users as accounts
from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.decision.model import EVERYTHING, SessionRoles
from rbac_api.guard.revocation import queries as denylist
from rbac_api.guard.state import queries, subjects
from rbac_api.guard.state.known_domains import KnownDomains
from rbac_api.guard.state.role_graphs import RoleGraphs
from rbac_api.guard.state.subjects import WHOLE, Person, Profile, SessionState
from rbac_api.guard.tokens.keys import Keyring
from rbac_api.trail.feed import START, Delta, Invalidation, read_tail

MAX_REMEMBERED = 50_000
MAX_PROFILES = 100  # of one user
MAX_ATTEMPTS = 2  # before a read as of one moment
T = TypeVar("T")


class Snapshot:
    """The cache of one process.  Thread-safe: readers take no lock, applying a tail takes one."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self.database = database
        self.keyring, self.gate = keyring, open_change_detector(database)
        self._applying = threading.Lock()
        self._mark = START
        self._forgotten = 0  # how often: what is read is kept only if this did not change
        self.roles, self.domains = RoleGraphs(), KnownDomains(database)
        self._people: dict[str, dict[Profile, Person]] = {}
        self._sessions: dict[str, SessionState] = {}
        self._denied: frozenset[str] | None = None
        self._ids: dict[str, str] = {}  # by canonical name: a name never changes and is never reused

    def freshen(self) -> None:
        """Make sure that everything committed before this moment is known here; costs almost nothing."""
        if not self.gate.unchanged():
            self.gate.detect(self._read_tail)

    def catch_up(self, connection: Connection, end: tuple[int, str] | None = None) -> None:
        """Freshen in a transaction that holds the write lock; ``end`` is where the trail ends, if known."""
        tail = read_tail(connection, self._mark, end)
        self._apply(tail, self.roles.find_changes(connection, tail) if tail.touches else None)

    def follow(self, connection: Connection, end: tuple[int, str]) -> bool:
        """Freshen without the write lock, up to ``end`` or later; False if roles have to be read for that."""
        tail = read_tail(connection, self._mark, end)
        if self.roles.concerned(tail):
            return False
        self._apply(tail, None)
        return True

    def graph(self, connection: Connection | None = None) -> RoleGraph:
        """Return the compiled roles."""
        known = self.roles.current
        if known is not None:
            return known
        if connection is not None:
            return queries.find_role_graph(connection)  # not remembered, as in ``_read_and_keep``
        with self.database.one_moment() as reader:
            return self.settled_graph(reader)

    def settled_graph(self, connection: Connection) -> RoleGraph:
        """Return the roles, and remember them: read as of one moment, or under the write lock by a unit that
        changes none."""
        before, graph = self._forgotten, self.roles.current
        if graph is None:
            graph = queries.find_role_graph(connection)
            self._keep(before, partial(self.roles.keep, graph))
        return graph

    def session(self, session_id: str, connection: Connection | None = None) -> SessionState | None:
        """Return the state of a session; None if there is no such session."""
        return self._sessions.get(session_id) or self._read_and_keep(
            connection,
            lambda c: subjects.find_session(c, session_id),
            lambda s: self._keep_session(session_id, s),
        )

    def denied(self, connection: Connection | None = None) -> frozenset[str]:
        """Return the ``jti`` of every token revoked by itself; some may have expired since."""
        denied = self._denied
        if denied is None:
            read, keep = denylist.list_denied_tokens, partial(setattr, self, "_denied")
            denied = self._read_and_keep(connection, lambda c: read(c, clock.now()), keep)
        return denied

    def person(
        self,
        user_id: str,
        connection: Connection | None = None,
        *,
        second_factor: bool = False,
        roles: SessionRoles = EVERYTHING,
    ) -> Person | None:
        """Return a user as of now in a session of this kind; None if there is no such user."""
        profile, known = (second_factor, roles), self._people.get(user_id)
        person = known.get(profile) if known is not None else None
        if person is not None and person.is_current(self.roles.current):
            return person
        if connection is not None:
            return self._find(user_id, profile, connection)
        return self._read_consistently(
            lambda: self._find(user_id, profile),
            lambda c: subjects.find_person(c, queries.find_role_graph(c), user_id, profile),
        )

    def people(self, user_ids: Iterable[str]) -> dict[str, Person]:
        """Return several users by id, each as in a new session with every role; unknown ids are left out.

        People have a second factor there.  Those not remembered are read in two statements for thousands.
        """
        wanted = tuple(dict.fromkeys(user_ids))
        return self._read_consistently(
            lambda: self._find_all(wanted),
            lambda c: subjects.find_people(c, queries.find_role_graph(c), wanted),
        )

    def _read_consistently(self, read: Callable[[], T], read_at_once: Callable[[Connection], T]) -> T:
        """Return what was read in several steps, if nothing changed meanwhile; else read it as of one moment.

        Old roles and a new assignment, read one after the other, could allow what was never allowed.
        """
        for _ in range(MAX_ATTEMPTS):
            before = self._forgotten
            found = read()
            self.freshen()
            if self._forgotten == before:
                return found
        with self.database.one_moment() as connection:
            return read_at_once(connection)

    def _find(self, user_id: str, profile: Profile, connection: Connection | None = None) -> Person | None:
        before = self._forgotten  # before reading: a change since then keeps the result out of memory
        person, graph = self._people.get(user_id, {}).get(profile), self.graph(connection)
        if person is not None:  # the assignments are the same; the roles' permissions or the time changed
            return self._recomputed(person, profile, graph, before)
        read = partial(subjects.find_person, graph=graph, user_id=user_id, profile=profile)
        return self._read_and_keep(connection, read, lambda p: self._keep_person(p, profile), before)

    def _find_all(self, user_ids: Sequence[str]) -> dict[str, Person]:
        before, graph = self._forgotten, self.graph()
        remembered = {user_id: self._people.get(user_id, {}).get(WHOLE) for user_id in user_ids}
        found = {one: person for one, person in remembered.items() if person and person.is_current(graph)}
        unread = [user_id for user_id in user_ids if user_id not in found]
        if unread:
            with self.database.reading() as reader:
                read = subjects.find_people(reader, graph, unread)
            self._keep(before, partial(self._keep_people, read.values()))
            found.update(read)
        return found

    def ids_of(self, canonical_names: Iterable[str]) -> dict[str, str]:
        """Return the ids of the users with these names; unknown names are left out."""
        before, names = self._forgotten, set(canonical_names)
        found = {name: known for name in names if (known := self._ids.get(name))}
        unread = list(names - found.keys())
        if unread:
            with self.database.reading() as reader:
                read = accounts.find_ids(reader, unread)
            self._keep(before, partial(self._keep_ids, read))
            found.update(read)
        return found

    def _recomputed(self, known: Person, profile: Profile, graph: RoleGraph, before: int) -> Person:
        person = subjects.person_of(graph, known.subject, known.kind, known.username, clock.now())
        self._keep(before, partial(self._keep_person, person, profile))
        return person

    def forget(self) -> None:
        """Forget everything; it is read again when needed."""
        with self._applying:
            self._forget_all()
            self._forgotten += 1

    def close(self) -> None:
        """Stop following the trail."""
        self.gate.close()

    def _read_tail(self) -> int:
        with self.database.reading() as connection:
            tail = read_tail(connection, self._mark)
        if not self.roles.concerned(tail):
            self._apply(tail, None)
            return self._mark.seq
        with self.database.one_moment() as connection:  # the roles as they were where the tail ends
            self.catch_up(connection)
        return self._mark.seq

    def _apply(self, tail: Delta, changes: RoleChanges | None) -> None:
        with self._applying:
            if tail.complete and tail.mark.seq <= self._mark.seq:
                return  # another thread was quicker
            if not tail.complete:
                self._forget_all()
            for touch in tail.touches:
                self._forget(touch)
            if any(touch.kind in ("roles", "grants") for touch in tail.touches):
                self.roles.apply(tail, changes)
            self._mark = tail.mark
            self._forgotten += 1

    def _forget(self, touch: Invalidation) -> None:
        if touch.kind == "roles":
            self._people.clear()
        elif touch.kind in ("keys", "sessions"):  # sessions of a withdrawn key have ended
            self._sessions.clear()
            if touch.kind == "keys":
                self.keyring.forget()
        elif touch.kind == "denylist":
            self._denied = None
        elif touch.kind == "session":
            self._sessions.pop(touch.id or "", None)
        elif touch.kind == "domain":
            self.domains.forget(touch.id)
        elif touch.kind == "user":
            self._forget_user(touch.id or "")

    def _forget_user(self, user_id: str) -> None:
        self._people.pop(user_id, None)
        for key, session in list(self._sessions.items()):
            if session.user_id == user_id:
                self._sessions.pop(key, None)

    def _forget_all(self) -> None:
        self.roles.current = None
        self._people.clear()
        self._sessions.clear()
        self._denied = None
        self._ids = {}
        self.domains.forget()
        self.keyring.forget()

    def _read_and_keep(
        self,
        connection: Connection | None,
        read: Callable[[Connection], T],
        keep: Callable[[T], None],
        before: int | None = None,
    ) -> T:
        """Read, and remember the result unless a tail was applied meanwhile."""
        before = self._forgotten if before is None else before
        if connection is not None:
            return read(connection)  # sees uncommitted changes of its own: must not be remembered
        with self.database.reading() as reader:
            found = read(reader)
        self._keep(before, partial(keep, found))
        return found

    def _keep(self, before: int, keep: Callable[[], None]) -> None:
        """Remember what was read, unless a tail was applied since it began to be read."""
        with self._applying:
            if self._forgotten == before:
                keep()

    def _keep_person(self, person: Person | None, profile: Profile) -> None:
        if person is not None:
            known = self._people.get(person.subject.id)
            if known is None or len(known) >= MAX_PROFILES:
                known = _bounded(self._people)[person.subject.id] = {}
            known[profile] = person

    def _keep_people(self, people: Iterable[Person]) -> None:
        for person in people:
            self._keep_person(person, WHOLE)

    def _keep_ids(self, ids: dict[str, str]) -> None:
        for name, user_id in ids.items():
            _bounded(self._ids)[name] = user_id

    def _keep_session(self, session_id: str, session: SessionState | None) -> None:
        if session is not None:
            _bounded(self._sessions)[session_id] = session


def _bounded(memory: dict[str, T]) -> dict[str, T]:
    if len(memory) >= MAX_REMEMBERED:
        memory.pop(next(iter(memory)), None)
    return memory
