"""SQL for domains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, func, insert, literal_column, select, update

from rbac_api.capabilities.domains.errors import DomainNameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.engine import batched
from rbac_api.database.filters import bounded_count
from rbac_api.database.homes import below_root
from rbac_api.database.queries.domains import DOMAIN, OPEN, DomainRow, is_below
from rbac_api.database.tables import assignments, constraints, domains, roles, users
from rbac_api.database.validity import not_over

register_constraint("uq_domains_name_open", DomainNameTaken)
A_ROLE, A_CONSTRAINT = "a role", "a constraint"  # in words, as things that are at home at a domain
# As the partial index has it, which no bound value would find
_BELOW_ROOT = assignments.c.domain != literal_column("'root'")


def add_domain(connection: Connection, row: DomainRow) -> None:
    connection.execute(insert(domains).values(row._asdict()))


def update_domain(connection: Connection, domain_id: str, values: Mapping[str, object]) -> None:
    connection.execute(update(domains).where(domains.c.id == domain_id).values(values))


def end_domain(connection: Connection, domain_id: str, now: datetime) -> None:
    connection.execute(update(domains).where(domains.c.id == domain_id).values(valid_to=now))


def find_first_below(connection: Connection, name: str) -> str | None:
    """The name of a domain that is in this one."""
    below = select(domains.c.name).where(is_below(name), OPEN).order_by(domains.c.name).limit(1)
    return connection.execute(below).scalar()


def count_assignments(connection: Connection, names: Iterable[str], now: datetime) -> dict[str, int]:
    """The numbers of assignments at these very domains that count now or later."""
    found: dict[str, int] = {}
    numbers = select(assignments.c.domain, func.count().label("number")).group_by(assignments.c.domain)
    for some in batched(names):
        here = (assignments.c.domain.in_(some), _BELOW_ROOT, not_over(assignments, now))
        found.update((row.domain, row.number) for row in connection.execute(numbers.where(*here)))
    return found


def raise_homes(connection: Connection, name: str, parent: str) -> None:
    """Let what is deleted, and was at home at this very domain, be at home in its parent: a new domain of the
    same name has nothing to do with it."""
    _raise_home(connection, users, name, parent)
    _raise_home(connection, roles, name, parent)
    _raise_home(connection, constraints, name, parent)


def _raise_home(connection: Connection, table: Table, name: str, parent: str) -> None:
    gone = update(table).where(table.c.home == name, below_root(table))
    connection.execute(gone.values(home=parent))


def find_residents(connection: Connection, names: Iterable[str]) -> dict[str, list[str]]:
    """What is at home at these very domains: for each where anything is, a word for each kind."""
    present = {
        "a user or a service account": users.c.status != "deleted",
        A_ROLE: roles.c.valid_to.is_(None),
        A_CONSTRAINT: constraints.c.valid_to.is_(None),
    }
    found: dict[str, list[str]] = {}
    for some in batched(names):
        for (kind, there), table in zip(present.items(), (users, roles, constraints), strict=True):
            here = select(table.c.home).where(table.c.home.in_(some), below_root(table), there).distinct()
            for home in connection.execute(here).scalars():
                found.setdefault(home, []).append(kind)
    return found


def list_domains(
    connection: Connection, condition: ColumnElement[bool], after: str | None, limit: int
) -> list[DomainRow]:
    """Domains by name."""
    query = select(*DOMAIN).where(condition, OPEN).order_by(domains.c.name).limit(limit)
    rows = connection.execute(query.where(domains.c.name > after) if after else query)
    return [DomainRow._make(row) for row in rows]


def count_domains(connection: Connection, condition: ColumnElement[bool]) -> int:
    return bounded_count(connection, select(domains.c.id).where(condition, OPEN))
