"""The domains of a policy: which there are, and which are made and removed. Part of the service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.domains.service import A_CONSTRAINT, A_ROLE, count_assignments, find_residents
from rbac_api.database.queries.domains import DomainRow, list_all_domains, list_known
from rbac_api.decision.difference import Step
from rbac_api.decision.domains import home_of, parent_of
from rbac_api.decision.model import ROOT
from rbac_api.guard.errors import DomainNotFound


@dataclass(slots=True)
class Places:
    """The domains, as the steps so far leave them. All of them are known if the document is about domains,
    otherwise those that it names."""

    known: set[str] = field(default_factory=lambda: {ROOT})
    rows: dict[str, DomainRow] = field(default_factory=dict)
    complete: bool = False  # whether ``rows`` and ``known`` have all of them
    inside: dict[str, set[str]] = field(default_factory=dict)  # those that are directly in each
    open_numbers: Mapping[str, int] = field(default_factory=dict)  # of assignments, as the rows have them
    more: Counter[str] = field(default_factory=Counter)  # of assignments: how many are added
    residents: Mapping[str, list[str]] = field(default_factory=dict)  # at home, as the rows have it
    roles: Counter[str] = field(default_factory=Counter)  # by home, where domains are removed
    rules: Counter[str] = field(default_factory=Counter)
    ended: list[str] = field(default_factory=list)  # in this order

    def take(self, rows: Iterable[DomainRow]) -> None:
        """Know these rows, which are all there are."""
        self.complete = True
        for row in rows:
            self.add(row)

    def load(self, connection: Connection) -> None:
        """Read all of them."""
        self.take(list_all_domains(connection))

    def note(self, connection: Connection, names: Iterable[str]) -> None:
        """Note which of these exist."""
        if not self.complete and (unknown := set(names) - self.known):
            self.known |= list_known(connection, unknown)

    def note_use(
        self, connection: Connection, steps: Iterable[Step], named: Iterable[Iterable[str]], at: datetime
    ) -> None:
        """Read what is at the domains that these steps remove; ``named`` are the present roles and rules."""
        gone = [step.facts["name"] for step in steps if step.op == "domain.delete"]
        self.open_numbers = count_assignments(connection, gone, at)
        self.residents = find_residents(connection, gone)
        if self.residents:
            for known, names in zip((self.roles, self.rules), named, strict=True):
                known.update(map(home_of, names))

    def require(self, name: str) -> None:
        """404 for a domain that does not exist, or would not any more."""
        if name not in self.known:
            raise DomainNotFound()

    def add(self, row: DomainRow) -> None:
        """Add one that exists, or will."""
        self.known.add(row.name)
        self.rows[row.name] = row
        self.inside.setdefault(parent_of(row.name), set()).add(row.name)

    def remove(self, name: str) -> None:
        """Remove one."""
        self.known.discard(name)
        del self.rows[name]
        self.inside[parent_of(name)].discard(name)
        self.ended.append(name)

    def residents_of(self, name: str) -> list[str]:
        """A word for each kind of thing that will be at home at a domain that is removed."""
        counted = {A_ROLE: self.roles[name], A_CONSTRAINT: self.rules[name]}
        others = [kind for kind in self.residents.get(name, ()) if kind not in counted]
        return [*others, *(kind for kind, number in counted.items() if number > 0)]

    def first_below(self, name: str) -> str | None:
        """The name of a domain that is in this one."""
        return min(self.inside.get(name, ()), default=None)
