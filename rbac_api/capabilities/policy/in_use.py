"""Which permissions that a policy takes away are in use. Part of the service.

A permission that a user keeps in another way is not taken away; one that is lost at any domain is, because
uses are counted for all domains together. Uses in sessions with and without a second
factor count separately, because a role that begins to require one is lost only without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.policy.errors import PolicyInUse
from rbac_api.capabilities.policy.queries import PersonRow
from rbac_api.capabilities.use.service import CountedUse, list_counted_uses
from rbac_api.decision.domains import at_domain
from rbac_api.decision.evaluate import holding, in_force, taken_away
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Subject
from rbac_api.errors import MAX_FAULTS

USED_WITHIN_DAYS = 30
Given = tuple[Assignment, ...]
Taken = dict[bool, frozenset[str]]
"""What is taken away from sessions with (True) and without a second factor."""


@dataclass(frozen=True, slots=True)
class UseCheck:
    """How many days a use counts, and whether to take away nevertheless."""

    days: int = USED_WITHIN_DAYS
    even_if_used: bool = False

    def require_unused(self, in_use: Sequence[Mapping[str, object]], total: int) -> None:
        """409 ``policy.in_use`` if any of it is in use."""
        if in_use and not self.even_if_used:
            raise PolicyInUse(in_use=list(in_use[:MAX_FAULTS]), total=total)


UNUSED_ONLY = UseCheck()


class TakenAway:
    """What a change of the roles, and of what accounts are assigned, takes away; worked out once for accounts
    with the same roles."""

    def __init__(self, graphs: tuple[RoleGraph, RoleGraph], at: datetime) -> None:
        self._graphs, self._at = graphs, at
        self._alike = all(graph.without_second_factor is None for graph in graphs)
        self._found: dict[tuple[object, ...], Taken] = {}

    def find(self, account: PersonRow, assigned: tuple[Given, Given]) -> Taken:
        """What is taken away from an account, by what it is assigned before and after."""
        counting = (
            frozenset((one.role, one.mode, one.domain) for one in given if in_force(one, self._at))
            for given in assigned
        )
        key = (account.kind, account.status, *counting)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._compute(account, assigned)
        return found

    def _compute(self, account: PersonRow, assigned: tuple[Given, Given]) -> Taken:
        without = self._compare(account, assigned, second_factor=False)
        if account.kind == "service":  # has no second factor
            return {False: without}
        proved = without if self._alike else self._compare(account, assigned, second_factor=True)
        return {True: proved, False: without}

    def _compare(
        self, account: PersonRow, assigned: tuple[Given, Given], *, second_factor: bool
    ) -> frozenset[str]:
        bare = Subject(account.id, account.status, second_factor=second_factor)
        before, after = (
            (graph, holding(bare, given)) for graph, given in zip(self._graphs, assigned, strict=True)
        )
        lost = frozenset[str]()
        for place in (ROOT, *places_of(*assigned)):
            then, now = ((graph, at_domain(subject, place)) for graph, subject in (before, after))
            lost |= taken_away(then, now, self._at)
        return lost


def places_of(*held: Given) -> list[str]:
    """The domains, other than ``root``, of these assignments."""
    return sorted({one.domain for given in held for one in given} - {ROOT})


def find_in_use(
    connection: Connection, taken: Mapping[str, Taken], who: Mapping[str, object], days: int
) -> list[dict[str, object]]:
    """What was used of it in these days, in the order of the accounts; ``who`` has what may be said about
    each."""
    user_ids = [user_id for user_id, lost in taken.items() if any(lost.values())]
    if not user_ids:
        return []
    names = {name for user_id in user_ids for lost in taken[user_id].values() for name in lost}
    used: dict[str, list[CountedUse]] = {}
    for row in list_counted_uses(connection, user_ids, names, days):
        if row.permission in taken[row.user_id].get(row.second_factor, ()):
            used.setdefault(row.user_id, []).append(row)
    return [entry for user_id in user_ids for entry in _entries(who[user_id], used.get(user_id, ()))]


def _entries(who: object, rows: Sequence[CountedUse]) -> Iterator[dict[str, object]]:
    """One for each permission of an account, whatever sessions it was used in."""
    for permission in dict.fromkeys(row.permission for row in rows):
        same = [row for row in rows if row.permission == permission]
        yield {
            "user": who,
            "permission": permission,
            "last_used": max(row.last_used for row in same),
            "times": sum(row.times for row in same),
        }
