"""Compares what a user or a role may do at two moments, and names the event that caused each difference. Part
of the service."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.access import queries
from rbac_api.capabilities.access.answers import DiffAnswer, DiffFilters
from rbac_api.capabilities.domains.service import require_domain
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.roles import list_role_ids_at
from rbac_api.database.queries.trail import EventRow
from rbac_api.database.queries.users import find_id_by_name
from rbac_api.database.types import UUID
from rbac_api.decision.domains import at_domain, lineage
from rbac_api.decision.evaluate import effective_permissions, effective_roles
from rbac_api.decision.model import ROOT, Subject
from rbac_api.decision.names import canonical
from rbac_api.decision.naming import ROLE
from rbac_api.errors import Fault, Invalid
from rbac_api.formats.as_of import future
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound
from rbac_api.guard.state import queries_history as history
from rbac_api.trail.events import CATALOGUE

MAX_GRAPHS_READ = (
    20_000  # moments times roles: up to this product every moment is looked at, above it the search bisects
)
MAX_EVENT_DELAY = timedelta(
    seconds=2
)  # the longest delay between a row and its event, which are in the same transaction
_ON_ROLES = tuple(kind.action for kind in CATALOGUE.values() if kind.touches in ("roles", "grants"))
_ID = re.compile(UUID, re.IGNORECASE)
# A moment of a possible change, and its events in order; no events where only time passed.
Point = tuple[datetime, tuple[int, ...]]


def diff_access(clearance: Clearance, filters: DiffFilters) -> DiffAnswer:
    """The permissions that one user (id or name) or one role gained and lost between two moments, each with
    its event.

    403 without the permission to read what is compared, 404 if it did not exist at either moment, 422.
    """
    period = (filters["from_"], filters.get("to") or clock.now())
    _require_sense(filters, period)
    clearance.require_permission("users:read" if "user" in filters else "roles:read")
    if "user" in filters:
        line = _of_user(clearance, filters["user"], period, filters["domain"])
    else:
        line = _of_role(clearance, filters.get("role", ""), period)
    before, after = line.held(period[0]), line.held(period[1])
    seqs = dict(_causes(line, before, after))
    return {
        "gained": [{"permission": name, "seq": seqs[name]} for name in sorted(after - before)],
        "lost": [{"permission": name, "seq": seqs[name]} for name in sorted(before - after)],
    }


def _require_sense(filters: DiffFilters, period: tuple[datetime, datetime]) -> None:
    faults = [*future("from", period[0]), *future("to", period[1])]
    if not faults and period[0] > period[1]:
        faults = [Fault("/to", "to.before_from", "Must not be before 'from'.")]
    if ("user" in filters) == ("role" in filters):
        given = "both" if "user" in filters else "neither"
        words = f"Give exactly one of 'user' and 'role'; {given} was given."
        faults.append(Fault("/user", "field.either", words))
    if faults:
        raise Invalid(faults=tuple(faults))


@dataclass
class _Timeline:
    """What one user, or one role, held at any moment, and the moments at which that may have changed."""

    clearance: Clearance
    period: tuple[datetime, datetime]
    user_id: str | None = None
    domain: str = ROOT
    role: str = ""
    roles: int = 0  # how many roles exist
    _known: dict[datetime, frozenset[str]] = field(default_factory=dict)

    @property
    def connection(self) -> Connection:
        return self.clearance.connection

    def held(self, at: datetime) -> frozenset[str]:
        if at not in self._known:
            self._known[at] = self._read(at)
        return self._known[at]

    def _read(self, at: datetime) -> frozenset[str]:
        graph = self.clearance.graph_at(at)
        self.roles = max(self.roles, len(graph.roles))
        if self.user_id is None:
            return graph.effective.get(self.role, frozenset())
        subject = self._subject(at)
        return effective_permissions(graph, subject, at) if subject else frozenset()

    def _subject(self, at: datetime) -> Subject | None:
        """The user at the domain, with a second factor; None while there was none."""
        found = history.find_subject_at(self.connection, self.user_id or "", at, second_factor=True)
        return at_domain(found[0], self.domain) if found else None

    def points(self) -> list[Point]:
        """The moments of possible changes, in order of time."""
        events = queries.list_events(self.connection, self.period, _ON_ROLES, self.user_id)
        happened = (event for event in events if event.outcome == "success")
        timed: list[Point] = [
            (at, tuple(event.seq for event in some))
            for at, some in groupby(happened, key=lambda event: event.at)
        ]
        if self.user_id is None:
            return timed
        heard = sorted(event.at for event in events if event.target_id == self.user_id)
        turns = queries.list_turns(self.connection, self.user_id, self.period)
        return sorted([*timed, *_by_time(turns, heard)], key=lambda point: point[0])

    def cause(self, points: list[Point], place: int, permission: str) -> int | None:
        """The event at this point that gave or took the permission: a policy writes many events at one
        moment."""
        at, seqs = points[place]
        if len(seqs) < 2:
            return next(iter(seqs), None)
        earlier = points[place - 1][0] if place else self.period[0]
        moments = (at, earlier) if permission in self.held(at) else (earlier, at)
        having, lacking = (_granting(self.clearance, moment, permission) for moment in moments)
        events = queries.list_facts(self.connection, seqs)
        assigned = [
            event.seq
            for event in events
            if event.target_id == self.user_id and _roles(event, self.domain) & having
        ]
        changed = [
            event.seq for event in events if event.target_name in self._reached(moments[0]) & having - lacking
        ]
        return int((assigned or changed or seqs)[-1])

    def _reached(self, at: datetime) -> frozenset[str]:
        """The roles that counted at a moment, inherited ones too."""
        graph = self.clearance.graph_at(at)
        if self.user_id is None:
            return graph.closure_of((self.role,))
        subject = self._subject(at)
        return (
            frozenset(each.role for each in effective_roles(graph, subject, at)) if subject else frozenset()
        )


def _granting(clearance: Clearance, at: datetime, permission: str) -> frozenset[str]:
    effective = clearance.graph_at(at).effective
    return frozenset(role for role, granted in effective.items() if permission in granted)


def _roles(event: EventRow, domain: str) -> set[str]:
    """The roles that an event about an assignment names, if it counts at the domain."""
    facts = (json.loads(text) for text in (event.before, event.after) if text)
    places = lineage(domain)
    return {each["role"] for each in facts if "role" in each and each.get("domain", ROOT) in places}


def _by_time(turns: Iterable[datetime], heard: list[datetime]) -> Iterator[Point]:
    """The beginnings and ends caused by time alone: no event about the user follows at once."""
    for turn in turns:
        place = bisect_left(heard, turn)
        if place == len(heard) or heard[place] - turn > MAX_EVENT_DELAY:
            yield turn, ()


def _of_user(clearance: Clearance, user: str, period: tuple[datetime, datetime], domain: str) -> _Timeline:
    connection = clearance.connection
    by_id = _ID.fullmatch(user)
    user_id = user.lower() if by_id else find_id_by_name(connection, canonical(user))
    if user_id is None or history.find_account_at(connection, user_id, period[1]) is None:
        raise UserNotFound()
    require_domain(clearance, domain, period[1])
    return _Timeline(clearance, period, user_id=user_id, domain=domain)


def _of_role(clearance: Clearance, role: str, period: tuple[datetime, datetime]) -> _Timeline:
    if not any(list_role_ids_at(clearance.connection, [role], moment) for moment in period):
        raise RoleNotFound(f"There was no role {role[: ROLE.longest]} at either moment.")
    return _Timeline(clearance, period, role=role)


def _causes(
    line: _Timeline, before: frozenset[str], after: frozenset[str]
) -> Iterator[tuple[str, int | None]]:
    """For each permission that differs, the event after which it was as it is at the end."""
    differing = before ^ after
    points = line.points() if differing else []
    if len(points) * line.roles <= MAX_GRAPHS_READ:
        yield from _latest(line, points, differing, after)
    else:
        for permission in sorted(differing):
            place = _bisect(line, points, permission, present=permission in after)
            yield permission, line.cause(points, place, permission) if points else None


def _latest(
    line: _Timeline, points: list[Point], differing: frozenset[str], after: frozenset[str]
) -> Iterator[tuple[str, int | None]]:
    """Search backwards from the end."""
    waiting = set(differing)
    for place in reversed(range(len(points))):
        earlier = line.held(points[place - 1][0] if place else line.period[0])
        for permission in sorted(waiting):
            if (permission in earlier) != (permission in after):
                waiting.discard(permission)
                yield permission, line.cause(points, place, permission)
        if not waiting:
            return
    yield from ((permission, None) for permission in waiting)


def _bisect(line: _Timeline, points: list[Point], permission: str, *, present: bool) -> int:
    """The index of a point at which the permission changed to its final state.

    There is only one such point, unless it changed more than once.
    """
    low, high = -1, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if (permission in line.held(points[middle][0])) == present:
            high = middle
        else:
            low = middle
    return high
