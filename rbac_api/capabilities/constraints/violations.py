"""Finds who breaks a constraint, from the rows: reads only the accounts that it can concern."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from heapq import merge
from operator import attrgetter

from sqlalchemy import ColumnElement, Connection

from rbac_api.capabilities.constraints import queries
from rbac_api.database.engine import batched
from rbac_api.database.queries.roles import list_role_ids
from rbac_api.database.queries.sessions import Begun, find_session_roles
from rbac_api.decision.domains import at_domain, counting_at
from rbac_api.decision.evaluate import active_roles, holding
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Constraint, Subject
from rbac_api.decision.separation_of_duty import Holder, Violation, touches, violations
from rbac_api.guard.state.subjects import OTP

HOLDERS_PER_BATCH = 500  # accounts whose rows are read at a time
Violations = Generator[Violation, None, None]  # close it if it is not read to its end


@dataclass(frozen=True, slots=True)
class Change:
    """A change: whose assignments, or which role's inheritance; and which roles were gained or lost by it."""

    users: frozenset[str] | None = None  # None: the holders of ``through``, or else of one of the roles
    roles: frozenset[str] = frozenset()
    through: str | None = None
    losing: bool = False

    def concerns(self, graph: RoleGraph, constraint: Constraint) -> bool:
        """Whether the change can have broken the constraint. A dynamic one depends only on what is active,
        not on assignments."""
        if constraint.kind == "dynamic":
            return False
        about = constraint
        if self.losing:
            if constraint.kind != "requires":
                return False
            about = replace(constraint, roles=constraint.roles[1:])
        return not self.roles or touches(graph, about, self.roles)


@dataclass(frozen=True, slots=True)
class Expected:
    """Accounts whose assignments are about to change, by id: as the rows have them, and as they will be."""

    had: Mapping[str, Holder] = field(default_factory=dict)
    has: Mapping[str, Holder] = field(default_factory=dict)

    def holding(self, roles: Collection[str]) -> list[Holder]:
        """The accounts that will have one of these roles, by id."""
        found = (one for one in self.has.values() if any(a.role in roles for a in one.assignments))
        return sorted(found, key=attrgetter("id"))

    def more_permanent(self, roles: Collection[str], at: datetime) -> int:
        """How many more accounts will have one of these roles at that moment and without an end."""
        return _count_permanent(self.has, roles, at) - _count_permanent(self.had, roles, at)


@dataclass(frozen=True, slots=True)
class ConstraintChecker:
    """Checks the rows of this connection at that moment, together with the changes that are ``expected``."""

    connection: Connection
    graph: RoleGraph
    at: datetime
    expected: Expected = field(default_factory=Expected)

    def broken_by(self, changes: Iterable[Change]) -> Violations:
        """The violations by accounts that these changes concern; the same one may come twice."""
        crowds: set[tuple[Constraint, str]] = set()
        for change in changes:
            concerned = [rule for rule in self.graph.constraints if change.concerns(self.graph, rule)]
            gained = self.graph.closure_of(change.roles)
            crowds |= {
                (rule, role)
                for rule in concerned
                for role in rule.roles
                if rule.kind == "max-holders" and (role in gained or not change.roles)
            }
            yield from self._account_violations(
                change, [rule for rule in concerned if rule.kind != "max-holders"]
            )
        for rule, role in sorted(crowds, key=lambda crowd: (crowd[0].name, crowd[1])):
            yield from self._limit_violations(rule, role)

    def breaking(self, rule: Constraint, through: str | None = None, after: str | None = None) -> Violations:
        """The violations of one constraint; if given, only by holders of the role ``through``, and from the
        id ``after`` on."""
        if rule.kind == "max-holders":
            for role in sorted(rule.roles):
                yield from self._limit_violations(rule, role)
        elif rule.kind != "dynamic":
            conditions = [queries.holding(self._seniors((through,)), self.at)] if through else []
            conditions += [queries.later_than(after)] if after else []
            conditions += self._necessary_conditions(rule)
            others = self.expected.holding(self._names((through,) if through else rule.roles))
            holders = self._holders(self._seniors(rule.roles), conditions, others)
            yield from violations(self.graph, rule, holders, self.at)

    def overfull_sessions(self, rule: Constraint) -> Violations:
        """Live sessions with too many of a dynamic constraint's roles active; one per user (INCITS 359,
        CreateDsdSet)."""
        drive = queries.holding(self._necessary_role_ids(rule), self.at)
        holders = self._holders(None, [drive], self.expected.holding(self._names(rule.roles)))
        for people in batched(holders, HOLDERS_PER_BATCH):
            live = queries.list_live_sessions(self.connection, [holder.id for holder in people], self.at)
            for holder in people:
                places = sorted({ROOT, *(one.domain for one in holder.assignments)})
                active = (
                    self._active(holder, row, place) for row in live.get(holder.id, ()) for place in places
                )
                reached = next((roles for roles in active if rule.reached_by(roles)), None)
                if reached:
                    names = tuple(role for role in rule.roles if role in reached)
                    yield Violation(rule.name, names, self.at, None, holder.id, holder.name)

    def _account_violations(self, change: Change, rules: Collection[Constraint]) -> Iterator[Violation]:
        """The violations of rules about single accounts."""
        if not rules:
            return
        for some in batched(sorted(change.users or ()), HOLDERS_PER_BATCH):
            has = self.expected.has
            others, rest = [has[one] for one in some if one in has], [one for one in some if one not in has]
            held = list(self._holders(None, [queries.these(rest)], others) if rest else others)
            for rule in rules:
                yield from violations(self.graph, rule, held, self.at)
        for rule in rules if change.users is None else ():
            yield from self.breaking(rule, change.through)

    def _limit_violations(self, rule: Constraint, role: str) -> Iterator[Violation]:
        """Violations of a limit. Permanent holders are only counted; temporary ones share the remaining
        seats."""
        if rule.limit is None:
            return
        ids, names = self._seniors((role,)), self._names((role,))
        permanent = queries.count_permanent(self.connection, ids, self.at)
        seats = rule.limit - permanent - self.expected.more_permanent(names, self.at)
        if seats < 0:
            yield Violation(rule.name, (role,), self.at, None)
            return
        others = [one for one in self.expected.holding(names) if not _is_permanent(one, names, self.at)]
        holders = self._holders(ids, queries.passing(ids, self.at), others)
        yield from violations(self.graph, replace(rule, roles=(role,), limit=seats), holders, self.at)

    def _active(self, holder: Holder, session: queries.LiveSession, domain: str) -> frozenset[str]:
        """The active roles of a session at a domain, with all that they inherit."""
        begun = Begun(session.active_roles, session.domain)
        chosen = find_session_roles(self.connection, session.id, begun, self.at)
        proved = OTP in session.amr.split()
        bare = Subject(holder.id, "active", second_factor=proved, roles=chosen)
        subject = at_domain(holding(bare, holder.assignments), domain)
        return self.graph.seen_with(proved).closure_of(active_roles(self.graph, subject, self.at))

    def _holders(
        self,
        role_ids: Collection[str] | None,
        conditions: Iterable[ColumnElement[bool]],
        others: Iterable[Holder],
    ) -> Iterator[Holder]:
        """The accounts in the rows, without those that are expected to change, and the ``others``; by id."""
        rows = queries.list_holders(self.connection, self.at, role_ids, conditions)
        return merge((one for one in rows if one.id not in self.expected.has), others, key=attrgetter("id"))

    def _names(self, roles: Iterable[str]) -> frozenset[str]:
        """These roles and all that inherit them."""
        return frozenset[str]().union(*(self.graph.seniors(role) for role in roles))

    def _seniors(self, roles: Iterable[str]) -> list[str]:
        """The ids of these roles and of all that inherit them."""
        return sorted(list_role_ids(self.connection, self._names(roles)))

    def _necessary_conditions(self, rule: Constraint) -> Iterator[ColumnElement[bool]]:
        """Conditions that are true for every account that breaks the rule, and for few others."""
        yield queries.holding(self._necessary_role_ids(rule), self.at)
        if rule.kind == "requires":
            yield queries.lacking((self._seniors((role,)) for role in rule.roles[1:]), self.at)

    def _necessary_role_ids(self, rule: Constraint) -> list[str]:
        """Ids of roles of which each account that breaks the rule has at least one.

        Of a set of five with the limit three: those that lead to the three with the fewest holders. Of a
        requirement: those that lead to the first.
        """
        if rule.kind == "requires":
            return self._seniors(rule.roles[:1])
        leading = {role: self._seniors((role,)) for role in rule.roles}
        numbers = queries.count_assignments(self.connection, {one for ids in leading.values() for one in ids})
        size = {role: sum(numbers.get(one, 0) for one in ids) for role, ids in leading.items()}
        needed = len(rule.roles) - (rule.limit or 0) + 1
        few = sorted(rule.roles, key=lambda role: size[role])[: max(needed, 0)]
        return sorted({one for role in few for one in leading[role]})


def _count_permanent(people: Mapping[str, Holder], roles: Collection[str], at: datetime) -> int:
    return sum(_is_permanent(one, roles, at) for one in people.values())


def _is_permanent(holder: Holder, roles: Collection[str], at: datetime) -> bool:
    """Whether the account has one of these roles at that moment, at ``root`` and without an end."""
    return any(a.role in roles and a.starts <= at and a.ends is None for a in counting_at(holder.assignments))
